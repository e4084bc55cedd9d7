package http1

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
)

// plain is a header as net/http has it.
func plain(h Header) http.Header {
	out := http.Header{}
	for _, f := range h {
		out[f.Name] = append(out[f.Name], f.Value)
	}
	return out
}

func equal(a, b http.Header) bool { return maps.EqualFunc(a, b, slices.Equal) }

var requests = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /a/b;c=d?x=1&y=%zz HTTP/1.1\r\nhost: a:80\r\ncontent-length: 3\r\nX-a_B: \t v w \r\n\r\n",
	"GET /a%2Fb/%41 HTTP/1.1\r\nHost: a\r\nConnection: Close, x\r\nCookie: a=b\r\nCookie: c\r\n\r\n",
	"HEAD //x/../y HTTP/1.1\r\nHost: [::1]:5\r\nPragma: no-cache\r\nAccept:\r\n\r\n",
	"get /a(b)'!* HTTP/1.1\r\nHost: \xc3\xa4\r\nX: \xff\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
}

// FuzzRequest: what is taken is taken by net/http too, which sees the same.
func FuzzRequest(f *testing.F) {
	for _, s := range requests {
		f.Add([]byte(s))
	}
	for _, s := range uncommon {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n := HeadLen(text, 0)
		var r Request
		if n == 0 || r.Parse(bytes.Clone(text[:n])) != nil {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(text[:n]), strings.NewReader(strings.Repeat("x", 100)))))
		if err != nil {
			t.Fatalf("net/http does not take %q: %v", text[:n], err)
		}
		if r.Method != want.Method || r.Target != want.RequestURI || r.Host != want.Host || r.Length != want.ContentLength || r.Close != want.Close {
			t.Errorf("%q: %+v, net/http sees %+v", text[:n], r, want)
		}
		if r.Query != want.URL.RawQuery || r.Path != want.URL.EscapedPath() || !r.Escaped && r.Path != want.URL.Path || len(want.TransferEncoding) > 0 {
			t.Errorf("%q: path %q, query %q; net/http sees %+v", text[:n], r.Path, r.Query, want.URL)
		}
		got := plain(r.Header)
		if slices.Equal(got["Pragma"], want.Header["Pragma"]) && len(got["Pragma"]) > 0 && got["Cache-Control"] == nil {
			delete(want.Header, "Cache-Control") // RFC 9111 §5.4; net/http spells it out
		}
		if !equal(got, want.Header) {
			t.Errorf("%q: header %q, net/http sees %q", text[:n], got, want.Header)
		}
	})
}

var responses = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
	"HTTP/1.0 200\r\n\r\n",
	"HTTP/1.1 204 \r\nConnection: a, close\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
}

// FuzzResponse: likewise.
func FuzzResponse(f *testing.F) {
	for _, s := range responses {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n := HeadLen(text, 0)
		var r Response
		if n == 0 || r.Parse(bytes.Clone(text[:n])) != nil {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text[:n])), nil)
		if err != nil {
			t.Fatalf("net/http does not take %q: %v", text[:n], err)
		}
		if r.Status != want.StatusCode || r.Minor != want.ProtoMinor || r.Chunked != (len(want.TransferEncoding) > 0) && r.Status >= 200 && r.Status != 204 && r.Status != 304 {
			t.Errorf("%q: %+v, net/http sees %+v", text[:n], r, want)
		}
		if bodied := r.Status >= 200 && r.Status != 204 && r.Status != 304; bodied && (r.Length != want.ContentLength || want.Close && !r.Close && (r.Length >= 0 || r.Chunked)) {
			t.Errorf("%q: length %d, close %v; net/http sees %d, %v", text[:n], r.Length, r.Close, want.ContentLength, want.Close)
		}
		got := plain(r.Header)
		for _, name := range []string{"Content-Length", "Trailer", "Cache-Control", "Connection"} {
			delete(want.Header, name) // what frames, and what net/http takes away or adds
			delete(got, name)
		}
		if !equal(got, want.Header) {
			t.Errorf("%q: header %q, net/http sees %q", text[:n], got, want.Header)
		}
	})
}

// feed gives a body to c in pieces of at most size bytes, and returns what is in
// it and what follows it.
func feed(c *Chunked, text []byte, size int) (body, rest []byte, err error) {
	have, end := 0, min(size, len(text))
	for !c.Done() {
		data, n, err := c.Next(text[have:end])
		if err != nil {
			return body, nil, err
		}
		body = append(body, data...)
		if have += n; n == 0 {
			if end == len(text) {
				return body, nil, io.ErrUnexpectedEOF
			}
			end = min(end+size, len(text))
		}
	}
	return body, text[have:], nil
}

// FuzzChunked: what is a body here is the same to net/http, however it is cut.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\nrest"), 3)
	f.Add([]byte("A;x=\"y\"\r\n0123456789\r\n1\r\nx\r\n00\r\nX-Sum: 1\r\nY: 2\r\n\r\n"), 1)
	f.Add([]byte("5\nhello\r\n0\r\n\r\n"), 100)
	f.Add([]byte("-1\r\n"), 100)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		size = max(size%64, 1)
		var whole, parts Chunked
		body, rest, err := feed(&whole, text, len(text)+1)
		again, rest2, err2 := feed(&parts, text, size)
		if (err == nil) != (err2 == nil) || err == nil && (!bytes.Equal(body, again) || !bytes.Equal(rest, rest2)) {
			t.Fatalf("whole: %q %q %v; in pieces of %d: %q %q %v", body, rest, err, size, again, rest2, err2)
		}
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(text))))
		if err != nil || !bytes.Equal(body, want) {
			t.Errorf("%q: %q, net/http sees %q, %v", text, body, want, err)
		}
		var trailer Header
		whole.Trailer(&trailer)
		out := AppendLastChunk(nil, trailer)
		if len(body) > 0 {
			out = append(AppendChunk(nil, body), out...)
		}
		var second Chunked
		if back, _, err := feed(&second, out, size); err != nil || !bytes.Equal(back, body) {
			t.Errorf("written %q: %q, %v", out, back, err)
		}
	})
}
