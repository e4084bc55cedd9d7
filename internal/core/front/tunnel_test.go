package front

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// through sends requests through a tunnel, all in one go, as a client that does
// not wait for the tunnel's answer, and returns the answers.
func (d *door) through(t *testing.T, target string, requests ...string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n%s", target, target, strings.Join(requests, ""))
	if _, err := io.WriteString(conn, all); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	var out []string
	for i := range len(requests) + 1 {
		method := http.MethodGet
		if i == 0 {
			method = http.MethodConnect
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && resp.StatusCode == http.StatusOK {
			out = append(out, "open")
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s", resp.StatusCode, body))
		if i == 0 {
			return out
		}
	}
	return out
}

// gcloud, told that the server is a proxy, asks it in some of its parts for
// tunnels to itself.
func TestTunnelToOneself(t *testing.T) {
	d := open(t, AllRoles, nil)
	_, port, _ := net.SplitHostPort(d.addr)
	get := func(host, path string) string { return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }
	got := d.through(t, "127.0.0.1:"+port, get("127.0.0.1:"+port, "/v1/apps/x"), get("hello.sunya.test", "/y"))
	if len(got) != 3 || got[0] != "open" || got[1] != "200 appengine /v1/apps/x" || got[2] != "200 apps /y" {
		t.Errorf("through a tunnel: %q", got)
	}
	got = d.through(t, "us-central1-run.api.sunya.test:"+port, get("us-central1-run.api.sunya.test:"+port, "/v1/projects/x"))
	if len(got) != 2 || got[1] != "200 run /v1/projects/x" {
		t.Errorf("by the API's name: %q", got)
	}

	// Who calls stays who he is.
	d.uid.Store(65534)
	got = d.through(t, "127.0.0.1:"+port, get("127.0.0.1:"+port, "/v1/apps/x"))
	if len(got) != 2 || !strings.HasPrefix(got[1], "403") {
		t.Errorf("a stranger: %q", got)
	}
}

func TestTunnelElsewhereIsRefused(t *testing.T) {
	d := open(t, AllRoles, nil)
	for _, target := range []string{"127.0.0.1:1", "127.0.0.1", "console.sunya.test:1", "localhost:0"} {
		if got := d.through(t, target); len(got) != 1 || !strings.HasPrefix(got[0], "405") {
			t.Errorf("CONNECT %s: %q", target, got)
		}
	}
	apps := open(t, Apps, nil)
	_, port, _ := net.SplitHostPort(apps.addr)
	if got := apps.through(t, "api.sunya.test:"+port); len(got) != 1 || got[0] == "open" {
		t.Errorf("a listener without the API tunnels to it: %q", got)
	}
}

// A tunnel in a tunnel in a tunnel would cost more memory with each, and what a
// proxy or a page passes on would come out as if nobody had.
func TestTunnelOnceAndForNobodyElse(t *testing.T) {
	d := open(t, AllRoles, nil)
	_, port, _ := net.SplitHostPort(d.addr)
	target := "127.0.0.1:" + port
	again := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n"
	if got := d.through(t, target, again); len(got) != 2 || got[0] != "open" || !strings.HasPrefix(got[1], "405") {
		t.Errorf("a tunnel in a tunnel: %q", got)
	}
	for _, header := range []string{"X-Forwarded-For: 203.0.113.1", "Via: 1.1 proxy", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"} {
		conn, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", target, target, header); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("with %s: %s", header, resp.Status)
		}
	}
}
