package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// However the bytes are cut into reads, the scanner decides the same.
func FuzzScanner(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3)
	f.Add("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n", 1)
	f.Add("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\nGET", 7)
	f.Add("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 5)
	f.Add("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 2)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		cut = max(cut%17, 1)
		var whole scanner
		_, want := whole.scan([]byte(text))
		var parts scanner
		got := true
		for rest := []byte(text); len(rest) > 0 && got; {
			n := min(cut, len(rest))
			var good int
			good, got = parts.scan(rest[:n])
			if good > n || got && good != n {
				t.Fatalf("scan of %d bytes = %d, %v", n, good, got)
			}
			rest = rest[n:]
		}
		if got != want {
			t.Errorf("in one read %v, in reads of %d %v", want, cut, got)
		}
		if want && parts.state != whole.state {
			t.Errorf("states differ: %d and %d", whole.state, parts.state)
		}
	})
}

func FuzzTrace(f *testing.F) {
	f.Add("0123456789abcdef0123456789abcdef/7;o=1", "")
	f.Add("", "00-0123456789abcdef0123456789abcdef-00000000000000ff-01")
	f.Fuzz(func(t *testing.T, cloud, parent string) {
		h := http1.Header{{Name: headerCloudTrace, Value: cloud}, {Name: headerTraceparent, Value: parent}}
		tr := traceOf(h)
		if tr.id == "" {
			return
		}
		h.Set(headerCloudTrace, string(tr.appendCloud(nil)))
		h.Set(headerTraceparent, string(tr.appendParent(nil)))
		if again := traceOf(h); again != tr {
			t.Errorf("%+v became %+v", tr, again)
		}
		if w3c, ok := parseTraceparent(h.Get(headerTraceparent)); !ok || w3c != tr {
			t.Errorf("traceparent %q, %v", h.Get(headerTraceparent), ok)
		}
	})
}

func FuzzLabel(f *testing.F) {
	for _, s := range []string{"a.localhost", "A.localhost:80", "[::1]:80", "a.uc.r.localhost.", ".localhost", "a..localhost", ":"} {
		f.Add(s)
	}
	g := &Gateway{opts: Options{Domains: []string{"localhost"}}}
	f.Fuzz(func(t *testing.T, host string) {
		host, err := front.CanonicalHost(host)
		if err != nil {
			return
		}
		label, ok := g.label(host)
		if ok && (label == "" || strings.ContainsAny(label, ".:") || label != strings.ToLower(label)) {
			t.Errorf("label(%q) = %q", host, label)
		}
	})
}

func FuzzRequestHeader(f *testing.F) {
	f.Add("X_Appengine_User", "1", "X-Fine")
	f.Add("Connection", "X-Fine, close", "X_Fine")
	f.Fuzz(func(t *testing.T, a, value, b string) {
		in := http1.Header{
			{Name: http.CanonicalHeaderKey(a), Value: value},
			{Name: http.CanonicalHeaderKey(b), Value: "1"},
		}
		for _, f := range requestHeader(nil, in) {
			if owned(dashed(f.Name)) || hopByHop(dashed(f.Name)) && f.Name != "Te" {
				t.Errorf("%q passed", f.Name)
			}
		}
	})
}
