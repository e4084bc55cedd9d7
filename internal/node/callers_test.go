package node

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// TestCallersProtocols: on a port with TLS services are reached by https, on
// others by http, over HTTP/2 as over HTTP/1.1; what is none of theirs is
// refused.
func TestCallersProtocols(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	ts := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer ts.Close()
	c := newCallers(nil, quiet)
	c.ports[443] = &tls.Config{Certificates: ts.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	g := gateway.New(gateway.Parts{Catalog: serving.NewCatalog(nil), Now: time.Now, Log: quiet}, gateway.Options{Domains: []string{"localhost"}})
	go func() { ended <- c.Run(ctx, g) }()
	defer func() {
		cancel()
		<-ended
	}()
	services := c.from(sandbox.Spec{ID: "i", Labels: map[string]string{instance.LabelProject: "p"}})
	for _, p := range []struct {
		scheme, proto string
		port          uint16
	}{{"http", "HTTP/1.1", 80}, {"http", "HTTP/2.0", 80}, {"https", "HTTP/1.1", 443}, {"https", "HTTP/2.0", 443}} {
		tr := &http.Transport{
			Protocols:       new(http.Protocols),
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				inside, outside := net.Pipe()
				go services.Serve(p.port)(outside)
				return inside, nil
			},
		}
		tr.Protocols.SetHTTP1(p.proto == "HTTP/1.1")
		tr.Protocols.SetHTTP2(p.proto == "HTTP/2.0" && p.scheme == "https")
		tr.Protocols.SetUnencryptedHTTP2(p.proto == "HTTP/2.0" && p.scheme == "http")
		r, err := http.NewRequestWithContext(t.Context(), "GET", p.scheme+"://nobody.sunya.internal/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.Proto != p.proto || resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "nobody.sunya.internal") {
			t.Errorf("%+v: %s %d %q", p, resp.Proto, resp.StatusCode, body)
		}
		tr.CloseIdleConnections()
	}
}
