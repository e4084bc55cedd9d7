//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestSpellings (S16): one name is one name and one path one path, however they are
// written, with hundreds of names beside them: an app is reached or nobody, the API
// answers or refuses, and an app never sees what was meant for the API.
func TestSpellings(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "the app"))
	s.Stop()
	s.Multiply(200)
	s.Up()
	name, port, _ := strings.Cut(host, ":")
	for _, spelled := range []string{name, host, strings.ToUpper(name), "Sunya.LocalHost:" + port, name + ".", name + ".:" + port, name + ":1"} {
		if code, body := raw(t, s, spelled, "/"); code != http.StatusOK || body != "the app" {
			t.Errorf("app as %q: %d %q", spelled, code, platform.Tail(body, 200))
		}
	}
	for _, spelled := range []string{"x" + name, name + "x", "." + name, name + "..", "sunya%2elocalhost", "sunya .localhost", "idle.localhost"} {
		if code, body := raw(t, s, spelled, "/"); code < 400 {
			t.Errorf("nobody as %q: %d %q", spelled, code, platform.Tail(body, 200))
		}
	}
	_, want := raw(t, s, "localhost:"+port, "/v1/apps/sunya")
	for _, api := range []string{"localhost", "LOCALHOST", "localhost.", "127.0.0.1:" + port, "api.localhost", "API.localhost."} {
		if code, body := raw(t, s, api, "/v1/apps/sunya"); code != http.StatusOK || body != want {
			t.Errorf("API as %q: %d %q", api, code, platform.Tail(body, 200))
		}
		for _, path := range []string{
			"//v1/apps/sunya", "/./v1/apps/sunya", "/v1//apps/sunya", "/x/../v1/apps/sunya", "/%2e/v1/apps/sunya", "/%2E%2e/v1/apps/sunya",
			"/healthz/%2e%2e/v1/apps/sunya", "/healthz/..%2fv1/apps/sunya", "/v1%2fapps%2fsunya", "/healthz/..%5cv1/apps/sunya",
			"google.appengine.v1.Applications/GetApplication",
		} {
			if code, body := raw(t, s, api, path); code < 400 || body == want {
				t.Errorf("API as %q, path %q: %d %q", api, path, code, platform.Tail(body, 200))
			}
		}
	}
}

// raw asks for a path as it stands.
func raw(t *testing.T, s *platform.Server, host, path string) (code int, body string) {
	t.Helper()
	c := dial(t, s)
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host); err != nil {
		t.Fatal(err)
	}
	code, body, _ = c.answer()
	return code, body
}

// forged are headers that only the platform sets, and what CGI-like servers take for
// the same.
var forged = []string{
	"X-Appengine-User-Email", "X-Appengine-User-Id", "X-Appengine-User-Is-Admin", "X-Appengine-Cron", "X-Appengine-QueueName",
	"X-Appengine-Inbound-Appid", "X-Appengine-Anything", "X-CloudTasks-QueueName", "X-CloudTasks-TaskName", "X-CloudScheduler",
	"X-Goog-Authenticated-User-Email", "X-Goog-IAP-JWT-Assertion", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
}

// TestForgedHeaders (S20): no client sets a header of the platform, in any spelling,
// over HTTP/1.1 or HTTP/2.
func TestForgedHeaders(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "hello"))
	var names []string
	for _, name := range forged {
		names = append(names, name, strings.ReplaceAll(name, "-", "_"), strings.ToLower(name), strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	check := func(how, body string) {
		t.Helper()
		var seen map[string]string
		if err := json.Unmarshal([]byte(body), &seen); err != nil {
			t.Errorf("%s: %v: %q", how, err, platform.Tail(body, 300))
		}
		for name, value := range seen {
			if strings.Contains(value, "forged") && name != "X-Mine" {
				t.Errorf("%s: the app saw %s: %s", how, name, value)
			}
		}
		if seen["X-Mine"] != "forged-by-me" {
			t.Errorf("%s: a header of the client's own is gone: %v", how, seen)
		}
	}
	for _, name := range names {
		c := dial(t, s)
		if _, err := fmt.Fprintf(c, "GET /headers HTTP/1.1\r\nHost: %s\r\n%s: forged\r\nX-Mine: forged-by-me\r\nConnection: close\r\n\r\n", host, name); err != nil {
			t.Fatal(err)
		}
		if code, body, _ := c.answer(); code == http.StatusOK {
			check("HTTP/1.1 "+name, body)
		} else if code != http.StatusBadRequest {
			t.Errorf("HTTP/1.1 %s: %d", name, code)
		}
	}
	h2c := &http.Protocols{}
	h2c.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: h2c}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/headers", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for _, name := range names {
		req.Header[name] = []string{"forged"}
	}
	req.Header.Set("X-Mine", "forged-by-me")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, resp.Body); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("%s: %v", resp.Proto, err)
	}
	check("HTTP/2", body.String())
}
