package ociremote

import (
	"context"
	"errors"
	"net"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxText bounds what is shown of a registry's own words.
const maxText = 300

// answered returns the status of an answer that was an error, and what the
// registry says about it, in parentheses.
func answered(err error) (status int, text string, ok bool) {
	var e *transport.Error
	if !errors.As(err, &e) {
		return 0, "", false
	}
	for _, d := range e.Errors {
		if d.Message != "" {
			text = " (" + cut(d.Message) + ")"
		}
	}
	return e.StatusCode, text, true
}

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// lastCause is the part of a network error that says something: the innermost
// one, with the name or address that it is about.
func lastCause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var u *url.Error
	switch {
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &op):
		return op.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer in time"
	case errors.As(err, &u):
		return cut(u.Err.Error())
	}
	return cut(err.Error())
}
