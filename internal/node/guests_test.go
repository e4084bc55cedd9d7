package node

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestWhoAsksForMetadata(t *testing.T) {
	labels := func(project, account string) map[string]string {
		return map[string]string{instance.LabelProject: project, instance.LabelAccount: account}
	}
	for _, c := range []struct {
		name string
		spec sandbox.Spec
		ok   bool
	}{
		{"an instance, whatever became of its revision", sandbox.Spec{ID: "i", Kind: instance.Kind, Labels: labels("sunya", "a@b.c")}, true},
		{"without an account", sandbox.Spec{ID: "i", Kind: instance.Kind, Labels: labels("sunya", "")}, false},
		{"a build", sandbox.Spec{ID: "b", Kind: "build", Labels: labels("sunya", "a@b.c")}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), specKey{}, c.spec))
		got, ok := whoAsks(r)
		if ok != c.ok || ok && (got.Project != "sunya" || got.ServiceAccount != "a@b.c" || got.ID != "i" || got.ProjectNumber == 0) {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
	if _, ok := whoAsks(httptest.NewRequest("GET", "/", nil)); ok {
		t.Error("a request from nowhere is an instance")
	}
}

// TestGuestsAreKnownBelowLayers: whose a connection is, is known whatever is
// spoken on it.
func TestGuestsAreKnownBelowLayers(t *testing.T) {
	inner := &guestConn{spec: sandbox.Spec{ID: "i"}}
	for _, c := range []net.Conn{inner, gateway.GuardConn(inner), tls.Server(inner, new(tls.Config))} {
		if spec, ok := specOf(c); !ok || spec.ID != "i" {
			t.Errorf("%T: %+v, %v", c, spec, ok)
		}
	}
	if _, ok := specOf(new(net.TCPConn)); ok {
		t.Error("a connection from outside is a guest's")
	}
}

// TestPortsForCallers: apps' ports and port 80, and none of the API alone.
func TestPortsForCallers(t *testing.T) {
	listener := func(roles front.Role) (front.Listener, uint16) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return front.Listener{Listener: l, Roles: roles}, uint16(l.Addr().(*net.TCPAddr).Port)
	}
	all, first := listener(front.AllRoles)
	apps, second := listener(front.Apps)
	api, third := listener(front.API)
	c := newCallers([]front.Listener{all, apps, api}, slog.New(slog.DiscardHandler)).from(sandbox.Spec{})
	for port, want := range map[uint16]bool{first: true, second: true, third: false, 80: true, 443: false} {
		if got := c.Serve(port) != nil; got != want {
			t.Errorf("port %d is served: %v, want %v", port, got, want)
		}
	}
	if c.Named("hello.localhost") {
		t.Error("a name is known before anything is served")
	}
}
