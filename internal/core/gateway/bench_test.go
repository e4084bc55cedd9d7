package gateway_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sunya-cloud/sunya"
)

var kilobyte = bytes.Repeat([]byte("x"), 1024)

func answerKilobyte(w http.ResponseWriter, _ *http.Request) { w.Write(kilobyte) }

// The two belong together: the ratio says what the gateway costs. The program
// is reached through a pipe in memory.
func BenchmarkDirect(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(answerKilobyte))
	defer s.Close()
	benchmark(b, s.URL, "")
}

func BenchmarkThroughGateway(b *testing.B) {
	w := newWorld(b, answerKilobyte, func(r *sunya.Revision) { r.Concurrency = 100 })
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
