// Package probe asks containers how they are, over HTTP, TCP and gRPC, as
// sunya.Probe says (Cloud Run, "Configure container health checks"). All
// connections are made inside the sandbox.
package probe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The defaults of a probe's times, for one that does not say (Cloud Run).
const (
	defaultTimeout  = time.Second
	defaultPeriod   = 10 * time.Second
	defaultFailures = 3
)

// Target is what is asked; a sandbox.Sandbox is one.
type Target interface {
	// DialPort connects to a port inside, and fails at once where nothing
	// listens.
	DialPort(ctx context.Context, port int) (net.Conn, error)
}

// Period is the time between two questions.
func Period(p *sunya.Probe) time.Duration { return cmp.Or(p.Period, defaultPeriod) }

// Failures is how many in a row decide.
func Failures(p *sunya.Probe) int { return cmp.Or(p.Failures, defaultFailures) }

// Port is the port that is asked, where the container's own is port.
func Port(p *sunya.Probe, port int) int {
	switch {
	case p.HTTP != nil:
		return cmp.Or(p.HTTP.Port, port)
	case p.TCP != nil:
		return cmp.Or(p.TCP.Port, port)
	case p.GRPC != nil:
		return cmp.Or(p.GRPC.Port, port)
	}
	return port
}

// Describe says what is asked: GET :8080/healthz.
func Describe(p *sunya.Probe, port int) string {
	address := ":" + strconv.Itoa(Port(p, port))
	switch {
	case p.HTTP != nil:
		return "GET " + address + path(p.HTTP)
	case p.GRPC != nil:
		return "gRPC health check of " + strconv.Quote(p.GRPC.Service) + " at " + address
	}
	return "connection to " + address
}

// Ask asks once, for at most the probe's timeout. Nil means that the container
// is well; an error says what it answered instead. port is the container's own.
func Ask(ctx context.Context, t Target, p *sunya.Probe, port int) error {
	ctx, cancel := context.WithTimeout(ctx, timeout(p))
	defer cancel()
	err := ask(ctx, t, p, port)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("no answer within %v", timeout(p))
	}
	return err
}

func timeout(p *sunya.Probe) time.Duration { return cmp.Or(p.Timeout, defaultTimeout) }

func ask(ctx context.Context, t Target, p *sunya.Probe, port int) error {
	port = Port(p, port)
	switch {
	case p.HTTP != nil:
		return askHTTP(ctx, t, p.HTTP, port)
	case p.GRPC != nil:
		return askGRPC(ctx, t, p.GRPC, port)
	}
	conn, err := dial(ctx, t, port)
	if err != nil {
		return err
	}
	return conn.Close()
}

func dial(ctx context.Context, t Target, port int) (net.Conn, error) {
	conn, err := t.DialPort(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("nothing takes connections on port %d", port)
	}
	return conn, nil
}

// transport makes one connection to a port of the target.
func transport(t Target, port int, protocols *http.Protocols) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, t, port)
		},
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
