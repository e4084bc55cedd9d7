// Package gateway is the HTTP front door of user code: host to service to
// revision to instance, and the bytes both ways.
package gateway
