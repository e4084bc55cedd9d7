package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

// TestProtocolHint: a program that speaks another HTTP than it was deployed
// with, recognised by what net/http says.
func TestProtocolHint(t *testing.T) {
	h1 := httptest.NewServer(http.NotFoundHandler())
	defer h1.Close()
	h2, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer h2.Close()
	go greet(h2)
	for _, c := range []struct {
		protocol sunya.Protocol
		address  string
		want     []string // one of these at the beginning; net/http says what it sees first
	}{
		{sunya.H2C, h1.Listener.Addr().String(), []string{"Its program answers with HTTP/1.1", "Its program does not begin as HTTP/2"}},
		{sunya.HTTP1, h2.Addr().String(), []string{"Its program answers with HTTP/2", "Its program speaks before"}},
		{sunya.HTTP1, "127.0.0.1:1", nil},
	} {
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(c.protocol == sunya.H2C)
		tr.Protocols.SetHTTP1(c.protocol == sunya.HTTP1)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+c.address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.RoundTrip(r)
		if err == nil {
			t.Fatalf("%s was understood", c.protocol)
		}
		got := protocolHint(&sunya.Revision{Protocol: c.protocol}, err)
		begins := func(want string) bool { return strings.HasPrefix(got, want) }
		if !slices.ContainsFunc(c.want, begins) && (got != "" || c.want != nil) {
			t.Errorf("hint for %v = %q, want %q", err, got, c.want)
		}
		tr.CloseIdleConnections()
	}
}

// greet begins every connection with empty SETTINGS, as servers of gRPC do.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		c.Close()
	}
}
