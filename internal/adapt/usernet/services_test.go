package usernet

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// shop serves one name on one port.
type shop struct{}

func (shop) Named(name string) bool {
	return name == "hello.sunya.internal" || name == "hello.localhost" || name == "hello.example.org"
}

func (shop) Serve(port uint16) func(net.Conn) {
	if port != 8080 {
		return nil
	}
	return func(c net.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "sold %q", b)
		c.Close()
	}
}

// TestServicesAreReachedByName: names of the platform's services lead to the
// gateway, where they are answered; others stay what they are.
func TestServicesAreReachedByName(t *testing.T) {
	g := startGuest(t, Policy{Services: shop{}})
	if got, want := g.run(t, "echo", "10.213.0.1:8080", "me"), `sold "me"`; got != want {
		t.Errorf("reply = %q, want %q", got, want)
	}
	for _, name := range []string{"hello.sunya.internal.", "HELLO.localhost.", "hello.example.org."} {
		if got := strings.TrimSpace(g.run(t, "lookup", "udp", name)); got != "10.213.0.1" {
			t.Errorf("%s is %q, want 10.213.0.1", name, got)
		}
	}
	if got := strings.TrimSpace(g.run(t, "lookup", "udp", "other.localhost.")); got != "127.0.0.1 ::1" {
		t.Errorf("another name is %q, want loopback", got)
	}
	if r := g.try(t, "lookup", "udp", "other.sunya.internal."); !strings.Contains(r.Err, "no such host") {
		t.Errorf("another internal name: %+v, want that there is none", r)
	}
	if got := g.run(t, "connect", "10.213.0.1:8081"); got != "refused" {
		t.Errorf("another port: %s, want refused", got)
	}
}
