package usernet

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestMetadataIsAnsweredByTheGateway(t *testing.T) {
	p := Policy{Metadata: func(c net.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "metadata of %q", b)
		c.Close()
	}}
	g := startGuest(t, p)
	if got, want := g.run(t, "echo", "169.254.169.254:80", "me"), `metadata of "me"`; got != want {
		t.Errorf("reply = %q, want %q", got, want)
	}
	for _, name := range []string{"metadata.google.internal.", "metadata.", "METADATA.google.internal."} {
		if got := strings.TrimSpace(g.run(t, "lookup", "udp", name)); got != "169.254.169.254" {
			t.Errorf("%s is %q, want 169.254.169.254", name, got)
		}
	}
	if got := g.run(t, "connect", "169.254.169.254:8085"); got != "refused" {
		t.Errorf("the APIs where there are none: %s, want refused", got)
	}
	if got, want := startGuest(t, Policy{APIs: p.Metadata}).run(t, "echo", "169.254.169.254:8085", "me"), `metadata of "me"`; got != want {
		t.Errorf("reply of the APIs = %q, want %q", got, want)
	}
	if got := g.run(t, "connect", "169.254.169.254:8080"); got != "refused" {
		t.Errorf("another port: %s, want refused", got)
	}
	if got := startGuest(t, Policy{}).run(t, "connect", "169.254.169.254:80"); got != "refused" {
		t.Errorf("where nobody answers: %s, want refused", got)
	}
}
