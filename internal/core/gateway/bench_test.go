package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
)

var kilobyte = bytes.Repeat([]byte("x"), 1024)

func answerKilobyte(w http.ResponseWriter, _ *http.Request) { w.Write(kilobyte) }

// The two belong together: the ratio says what the gateway costs.
func BenchmarkDirect(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(answerKilobyte))
	defer s.Close()
	benchmark(b, s.URL, "")
}

func BenchmarkThroughGateway(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(answerKilobyte))
	defer s.Close()
	w := newWorldOn(b, &instancetest.Engine{Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}}, func(r *sunya.Revision) { r.Concurrency = 100 })
	benchmark(b, w.server.URL, "demo.localhost")
}

func benchmark(b *testing.B, url, host string) {
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true,
		DialContext: (&net.Dialer{}).DialContext}
	defer tr.CloseIdleConnections()
	b.ReportAllocs()
	b.SetBytes(int64(len(kilobyte)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequestWithContext(b.Context(), "GET", url, nil)
			if err != nil {
				b.Error(err)
				return
			}
			r.Host = host
			resp, err := tr.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
				b.Errorf("%d %v", resp.StatusCode, err)
			}
			resp.Body.Close()
		}
	})
}
