// Package media is what Cloud Storage's two APIs, JSON and XML, have in common:
// how bytes are sent and received over HTTP, and what errors are called.
package media
