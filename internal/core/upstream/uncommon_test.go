package upstream

import (
	"strings"
	"testing"
)

// TestUncommonFieldNames: a name with a space, which others may take for one
// without, goes no further.
func TestUncommonFieldNames(t *testing.T) {
	c := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding : chunked\r\nContent-Length : 0\r\nX-A: b\r\n\r\nok")
	if err := readHead(c, "GET"); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Response.Header {
		if strings.Contains(f.Name, " ") {
			t.Errorf("%q is passed on", f.Name)
		}
	}
	if b, err := readBody(c); b != "ok" || err != nil || c.Response.Header.Get("X-A") != "b" {
		t.Errorf("%q %v %v", b, err, c.Response.Header)
	}
}

// TestUncommonInformational: the final response is found behind an informational one.
func TestUncommonInformational(t *testing.T) {
	c := answering(t, "HTTP/1.1 103 Early Hints\nLink: a\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok")
	if err := readHead(c, "GET"); err != nil || c.Response.Status != 200 {
		t.Fatal(c.Response.Status, err)
	}
	if b, err := readBody(c); b != "ok" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// TestImpossibleStatus: there is none below 100.
func TestImpossibleStatus(t *testing.T) {
	c := answering(t, "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")
	if err := readHead(c, "GET"); err == nil {
		t.Error(c.Response.Status)
	}
}
