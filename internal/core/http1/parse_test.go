package http1

import (
	"strings"
	"testing"
)

// uncommon are requests in which servers may see different messages, and those
// that are rare; each says why by its name in the table.
var uncommon = map[string]string{
	"length and chunked":     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	"chunked":                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"two lengths":            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"the same length twice":  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	"a list of lengths":      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
	"a length with a sign":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
	"a huge length":          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n",
	"an empty length":        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
	"folded":                 "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
	"folded at the start":    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	"bare line feed":         "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
	"bare carriage return":   "GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
	"NUL in a value":         "GET / HTTP/1.1\r\nHost: a\r\nX: y\x00z\r\n\r\n",
	"NUL in the target":      "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
	"space before the colon": "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
	"no name":                "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
	"no colon":               "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
	"no host":                "GET / HTTP/1.1\r\n\r\n",
	"two hosts":              "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"empty line first":       "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HTTP/1.0":               "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
	"HTTP/2 preface":         "PRI * HTTP/2.0\r\n\r\n",
	"absolute target":        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"asterisk":               "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"authority":              "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
	"two spaces":             "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"space in the target":    "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
	"fragment":               "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
	"backslash":              "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
	"raw UTF-8":              "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
	"expectation":            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
	"a trailer to come":      "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\n\r\n",
	"a tab in the method":    "GE\tT / HTTP/1.1\r\nHost: a\r\n\r\n",
	"no method":              " / HTTP/1.1\r\nHost: a\r\n\r\n",
	"many fields":            "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n",
}

func TestUncommonRequestsAreLeftToOthers(t *testing.T) {
	for name, text := range uncommon {
		if n := HeadLen([]byte(text), 0); n != len(text) {
			t.Errorf("%s: head of %d bytes", name, n)
		}
		var r Request
		if err := r.Parse([]byte(text)); err == nil {
			t.Errorf("%s was taken: %+v", name, r)
		}
	}
}

func TestRequest(t *testing.T) {
	text := "POST /a%20b?c=d HTTP/1.1\r\nhOST: x:1\r\nx-FOO_bar: \ty \r\ncontent-length: 3\r\nCONNECTION: close\r\n\r\n"
	var r Request
	if err := r.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if r.Method != "POST" || r.Target != "/a%20b?c=d" || r.Path != "/a%20b" || !r.Escaped || r.Query != "c=d" || r.Host != "x:1" || r.Length != 3 || !r.Close {
		t.Errorf("%+v", r)
	}
	if r.Header.Get("X-Foo_bar") != "y" || r.Header.Has("Host") {
		t.Errorf("%q", r.Header)
	}
}

func TestHeadLenFindsTheEndHoweverItComes(t *testing.T) {
	text := []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest")
	want, before := len(text)-len("rest"), 0
	for n := range len(text) + 1 {
		if got := HeadLen(text[:n], before); got != 0 && got != want || (got == 0) != (n < want) {
			t.Errorf("HeadLen of %d bytes = %d", n, got)
		}
		if n < want {
			before = n
		}
	}
}

func TestHostileChunks(t *testing.T) {
	for name, text := range map[string]string{
		"sign":                "+1\r\nx\r\n0\r\n\r\n",
		"no size":             "\r\n",
		"no digits":           ";x\r\n",
		"hexadecimal prefix":  "0x1\r\nx\r\n",
		"huge":                "ffffffffffffffff\r\n",
		"bare line feed":      "1\nx\r\n0\r\n\r\n",
		"longer than it is":   "2\r\nabc\r\n0\r\n\r\n",
		"space before":        " 1\r\nx\r\n0\r\n\r\n",
		"endless size":        strings.Repeat("0", 5000),
		"long extension":      "1;" + strings.Repeat("x", 5000) + "\r\n",
		"nothing but frames":  strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\nx\r\n", 20),
		"folded trailer":      "0\r\nX: y\r\n z\r\n\r\n",
		"endless trailer":     "0\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100),
		"trailer without end": "0\r\nX: " + strings.Repeat("y", 5000),
	} {
		var c Chunked
		if _, _, err := feed(&c, []byte(text), 64); err == nil || c.Done() || err.Error() == "unexpected EOF" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeader(t *testing.T) {
	h := Header{{"A", "1"}, {"B", "2"}, {"A", "3"}}
	h.Set("A", "4")
	if got := string(h.Append(nil)); got != "B: 2\r\nA: 4\r\n" {
		t.Errorf("%q", got)
	}
	h.Del("B")
	h.Add("A", "5")
	var values []string
	for v := range h.Values("A") {
		values = append(values, v)
	}
	if strings.Join(values, " ") != "4 5" || h.Get("B") != "" || h.Has("B") {
		t.Errorf("%v", h)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	text := []byte("GET /hello HTTP/1.1\r\nHost: demo.localhost\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n")
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		if r.Parse(text[:HeadLen(text, 0)]) != nil {
			b.Fatal("not taken")
		}
	}
}
