package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestSessionAffinity: a client comes back to its instance while there is room
// in it, and is told the next one when it is gone.
func TestSessionAffinity(t *testing.T) { onBothPaths(t, testSessionAffinity) }

func testSessionAffinity(t *testing.T) {
	busy := make(chan struct{})
	entered := make(chan struct{}, 2)
	engine := &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/busy" {
				entered <- struct{}{}
				<-busy
			}
			io.WriteString(w, b.Spec().ID)
		})
	}}
	w := newWorldOn(t, engine, func(r *sunya.Revision) { r.Affinity, r.Concurrency = true, 1 })
	ask := func(path, cookie string) (instance, set string) {
		r := w.request("GET", path, nil)
		if cookie != "" {
			r.Header.Set("Cookie", "GAESA="+cookie)
		}
		resp, body := w.do(r)
		for _, c := range resp.Cookies() {
			if c.Name == "GAESA" {
				set = c.Value
			}
		}
		return body, set
	}
	done := make(chan string, 2)
	for range 2 { // two instances
		go func() {
			id, _ := ask("/busy", "")
			done <- id
		}()
		<-entered
	}
	close(busy)
	ids := []string{<-done, <-done}
	if ids[0] == ids[1] {
		t.Fatal("both requests were on one instance")
	}
	for range 5 {
		for _, id := range ids {
			key := id[strings.LastIndexByte(id, '-')+1:]
			if got, set := ask("/", key); got != id || set != "" {
				t.Errorf("on %s, told %q; want %s, told nothing", got, set, id)
			}
		}
	}
	for _, b := range w.engine.Boxes() {
		if b.Spec().ID == ids[0] {
			b.End(sandbox.Exit{Code: 1})
		}
	}
	for _, cookie := range []string{ids[0][strings.LastIndexByte(ids[0], '-')+1:], "", "-", strings.Repeat("x", 100)} {
		if got, set := ask("/", cookie); got != ids[1] || set == "" || !strings.HasSuffix(got, set) {
			t.Errorf("with %q: on %s, told %q; want %s", cookie, got, set, ids[1])
		}
	}
}

func TestCookiesStayOutOfCaches(t *testing.T) { onBothPaths(t, testCookiesStayOutOfCaches) }

func testCookiesStayOutOfCaches(t *testing.T) {
	for _, c := range []struct {
		product       sunya.Product
		cookie, cache string
		want          string
	}{
		{sunya.CloudRun, "a=b", "", "private"},
		{sunya.CloudRun, "a=b", "public, max-age=60", "private"},
		{sunya.CloudRun, "a=b", "no-store", "no-store"},
		{sunya.CloudRun, "a=b", "private, max-age=60", "private, max-age=60"},
		{sunya.CloudRun, "", "public", "public"},
		{sunya.AppEngine, "a=b", "public", "public"},
	} {
		t.Run(fmt.Sprint(c.product, c.cookie, c.cache), func(t *testing.T) {
			w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.cookie != "" {
					w.Header().Set("Set-Cookie", c.cookie)
				}
				if c.cache != "" {
					w.Header().Set("Cache-Control", c.cache)
				}
			}, func(r *sunya.Revision) { r.Product = c.product })
			if resp, _ := w.do(w.request("GET", "/", nil)); resp.Header.Get("Cache-Control") != c.want {
				t.Errorf("Cache-Control = %q, want %q", resp.Header.Get("Cache-Control"), c.want)
			}
		})
	}
}
