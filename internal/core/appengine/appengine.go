// Package appengine is App Engine's own rules: applications, services and
// versions, and what they mean in terms of the serving core.
package appengine
