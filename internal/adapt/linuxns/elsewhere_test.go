package linuxns

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestOtherPortsAreNotForgotten: the event may overtake the answer to the start
// that it belongs to, and more than one may come.
func TestOtherPortsAreNotForgotten(t *testing.T) {
	b := newBox(nil, sandbox.Spec{Port: 8080})
	b.event(&ipc.Message{Verb: ipc.Elsewhere, Ports: []int{5000}}, nil)
	b.wasElsewhere(nil)
	if got := b.silence(); !strings.Contains(got, "5000") {
		t.Errorf("after the answer: %q", got)
	}
	b.event(&ipc.Message{Verb: ipc.Elsewhere, Ports: []int{5000, 5001}}, nil)
	b.wasElsewhere([]int{5000})
	if got := b.silence(); !strings.Contains(got, "5001") {
		t.Errorf("after another event: %q", got)
	}
	select {
	case <-b.strays:
	default:
		t.Error("nobody is told")
	}
}

// TestDialPort: a port besides the one that is waited for, on either loopback
// address; where nothing listens that is known at once.
func TestDialPort(t *testing.T) {
	e := engine(t)
	for _, address := range []string{"127.0.0.1:9090", "[::1]:9090", "0.0.0.0:9090"} {
		t.Run(address, func(t *testing.T) {
			s := start(t, e, sandbox.Spec{ID: "other-port", Args: []string{"/app/probe", "listen", address}, Port: 8080})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			conn, err := s.DialPort(ctx, 9090)
			for errors.Is(err, unix.ECONNREFUSED) && ctx.Err() == nil {
				conn, err = s.DialPort(ctx, 9090)
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if _, err := s.DialPort(ctx, 9091); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("where nothing listens: %v", err)
			}
			if err := s.Stop(ctx, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
}
