package front

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkFront is what the front adds to a request: telling it apart, and for
// the API route, permission and path.
func BenchmarkFront(b *testing.B) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	c := (&door{}).config()
	c.Apps = nothing
	for i := range c.Routes {
		c.Routes[i].Handler = nothing
	}
	f, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	h := f.Handler(AllRoles)
	for name, url := range map[string]string{
		"apps": "http://hello.sunya.test/index.html",
		"api":  "http://localhost/v1/apps/sunya/services/default/versions",
	} {
		b.Run(name, func(b *testing.B) {
			p := &peer{loopback: true, lookup: func() (int, error) { return 0, nil }}
			ctx := context.WithValue(b.Context(), peerKey{}, p)
			ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
			r := httptest.NewRequestWithContext(ctx, "GET", url, http.NoBody)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
			if w.Code != http.StatusOK {
				b.Errorf("status = %d", w.Code)
			}
		})
	}
}
