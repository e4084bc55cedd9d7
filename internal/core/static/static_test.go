package static_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// write lays out a source.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func selection(t testing.TB, dir string, sources ...sunya.StaticSource) *static.Selection {
	t.Helper()
	sel, err := static.Select(t.Context(), dir, sources)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

// site makes and opens the site of all files of a source.
func site(t testing.TB, files map[string]string) *static.Site {
	t.Helper()
	stage := t.TempDir()
	if err := selection(t, write(t, files), sunya.StaticSource{Pattern: ".*"}).Write(t.Context(), stage); err != nil {
		t.Fatal(err)
	}
	s, err := static.NewSites(func(string) (string, error) { return stage, nil }).Open("sha256:x")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelectionLeavesTheProgramItsFiles(t *testing.T) {
	dir := write(t, map[string]string{"main.py": "m", "static/a.css": "a", "static/deep/b.js": "b", "both/c.txt": "c", "staticx": "x"})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "static", "link")); err != nil {
		t.Fatal(err)
	}
	sel := selection(t, dir, sunya.StaticSource{Pattern: "static/.*"}, sunya.StaticSource{Pattern: "both/.*", Readable: true}, sunya.StaticSource{Pattern: "both/c.*"})
	if sel.Len() != 3 || sel.Bytes() != 3 {
		t.Errorf("selected %d files, %d bytes, want 3 and 3", sel.Len(), sel.Bytes())
	}
	if n, err := sel.Strip(); n != 2 || err != nil {
		t.Errorf("stripped %d, %v, want 2", n, err)
	}
	var left []string
	for _, name := range []string{"main.py", "static/a.css", "static/deep/b.js", "static/link", "both/c.txt", "staticx"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			left = append(left, name)
		}
	}
	if diff := cmp.Diff([]string{"main.py", "static/link", "both/c.txt", "staticx"}, left); diff != "" {
		t.Error(diff)
	}
}

func TestKeyFollowsPathsAndContent(t *testing.T) {
	all := sunya.StaticSource{Pattern: ".*"}
	key := func(files map[string]string) string { return selection(t, write(t, files), all).Key() }
	a := key(map[string]string{"a": "1", "b": "2"})
	if a != key(map[string]string{"a": "1", "b": "2"}) {
		t.Error("the same files have two keys")
	}
	for name, files := range map[string]map[string]string{"content": {"a": "1", "b": "3"}, "path": {"a": "1", "c": "2"}, "fewer": {"a": "1"}} {
		if a == key(files) {
			t.Errorf("%s: another site has the same key", name)
		}
	}
}

func get(t testing.TB, s *static.Site, path string, rule sunya.StaticRule, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if err := s.Serve(w, r, path, &rule, time.Unix(1_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	return w.Result()
}

func body(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var text = strings.Repeat("hello, static world\n", 200)

func TestForms(t *testing.T) {
	s := site(t, map[string]string{"a.css": text, "b.png": text + "p", "small.css": "x", "noise.txt": noise()})
	tests := []struct {
		name, path, accept, want string
	}{
		{"as it is", "a.css", "", ""},
		{"gzip", "a.css", "gzip, deflate", "gzip"},
		{"the smaller of both", "a.css", "gzip, br", "br"},
		{"Brotli refused", "a.css", "br;q=0, gzip", "gzip"},
		{"everything refused", "a.css", "br; q=0.0, gzip;q=0", ""},
		{"another spelling", "a.css", "GZIP;q=0.5", "gzip"},
		{"a picture", "b.png", "gzip, br", ""},
		{"too small", "small.css", "gzip, br", ""},
		{"not worth it", "noise.txt", "gzip", ""},
	}
	etags := map[string]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(t, s, tt.path, sunya.StaticRule{}, "Accept-Encoding", tt.accept)
			if got := resp.Header.Get("Content-Encoding"); got != tt.want {
				t.Errorf("Content-Encoding = %q, want %q", got, tt.want)
			}
			if tt.path != "a.css" {
				return
			}
			plain := resp.Body.(io.Reader)
			switch tt.want {
			case "gzip":
				zr, err := gzip.NewReader(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				plain = zr
			case "br":
				plain = brotli.NewReader(resp.Body)
			}
			if body(t, plain) != text {
				t.Error("the content is another one")
			}
			if resp.Header.Get("Vary") != "Accept-Encoding" {
				t.Error("caches are not told that the form depends on the request")
			}
			if other, ok := etags[resp.Header.Get("Etag")]; ok && other != tt.want {
				t.Errorf("%q and %q have the same ETag", other, tt.want)
			}
			etags[resp.Header.Get("Etag")] = tt.want
		})
	}
}

// noise is text that does not compress by a tenth.
func noise() string {
	var b strings.Builder
	x := uint32(1)
	for range 1000 {
		x = x*1664525 + 1013904223
		b.WriteByte(byte(x >> 24))
	}
	return b.String()
}

func TestConditionsAndRanges(t *testing.T) {
	s := site(t, map[string]string{"a.css": text})
	etag := get(t, s, "a.css", sunya.StaticRule{}).Header.Get("Etag")
	tests := []struct {
		name   string
		header []string
		status int
		body   string
	}{
		{"the client has it", []string{"If-None-Match", etag}, 304, ""},
		{"among others", []string{"If-None-Match", `"x", ` + etag}, 304, ""},
		{"weak comparison", []string{"If-None-Match", "W/" + etag}, 304, ""},
		{"the client has another", []string{"If-None-Match", `"x"`}, 200, text},
		{"a part", []string{"Range", "bytes=7-12", "Accept-Encoding", "gzip"}, 206, "static"},
		{"the end", []string{"Range", "bytes=-6"}, 206, "world\n"},
		{"past the end", []string{"Range", "bytes=99999-"}, 416, ""},
		{"a part of what the client has", []string{"Range", "bytes=0-4", "If-Range", etag}, 206, "hello"},
		{"a part of something else", []string{"Range", "bytes=0-4", "If-Range", `"x"`}, 200, text},
		{"only if it is another", []string{"If-Match", `"x"`}, 412, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(t, s, "a.css", sunya.StaticRule{}, tt.header...)
			if resp.StatusCode != tt.status {
				t.Errorf("status = %d, want %d", resp.StatusCode, tt.status)
			}
			if got := body(t, resp.Body); tt.status < 300 && got != tt.body {
				t.Errorf("body = %.40q, want %.40q", got, tt.body)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	s := site(t, map[string]string{"a.txt": "ü", "latin1.txt": "\xfc", "x.unknown": "x"})
	rule := sunya.StaticRule{MaxAge: time.Hour, Headers: []sunya.Header{{Name: "x-own", Value: "1"}, {Name: "Expires", Value: "never"}}}
	h := get(t, s, "a.txt", rule).Header
	want := http.Header{"Cache-Control": {"public, max-age=3600"}, "Expires": {"never"}, "X-Own": {"1"}, "Content-Type": {"text/plain; charset=utf-8"}}
	for name, values := range want {
		if diff := cmp.Diff(values, h[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for path, want := range map[string]string{"latin1.txt": "text/plain", "x.unknown": "application/octet-stream"} {
		if got := get(t, s, path, sunya.StaticRule{}).Header.Get("Content-Type"); got != want {
			t.Errorf("%s: Content-Type = %q, want %q", path, got, want)
		}
	}
	if got := get(t, s, "a.txt", sunya.StaticRule{MIMEType: "text/x-own"}).Header.Get("Content-Type"); got != "text/x-own" {
		t.Errorf("Content-Type = %q", got)
	}
	if got := get(t, s, "a.txt", sunya.StaticRule{}).Header.Get("Expires"); got != "Mon, 12 Jan 1970 13:46:40 GMT" {
		t.Errorf("Expires = %q", got)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	s := site(t, map[string]string{"a.txt": "x"})
	for _, path := range []string{"", ".", "..", "../index.json", "/a.txt", "a.txt/", "files", "index.json", "A.TXT"} {
		if s.Has(path) {
			t.Errorf("the site has %q", path)
		}
		if err := s.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), path, &sunya.StaticRule{}, time.Time{}); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("%q: %v, want NotFound", path, err)
		}
	}
}

func FuzzSelectAndServe(f *testing.F) {
	f.Add(`static/.*`, `static/a.css`, "br, gzip;q=0")
	f.Add(`(.*\.(gif|png|jpg))$`, `x.png`, "")
	f.Add(`.*`, `../main.py`, "*")
	f.Fuzz(func(t *testing.T, pattern, path, accept string) {
		dir := write(t, map[string]string{"static/a.css": text, "main.py": "m", "x.png": "p"})
		sel, err := static.Select(t.Context(), dir, []sunya.StaticSource{{Pattern: pattern}})
		if err != nil {
			return
		}
		stage := t.TempDir()
		if err := sel.Write(t.Context(), stage); err != nil {
			t.Fatal(err)
		}
		s, err := static.NewSites(func(string) (string, error) { return stage, nil }).Open("x")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept-Encoding"] = []string{accept}
		w := httptest.NewRecorder()
		if err := s.Serve(w, r, path, &sunya.StaticRule{}, time.Time{}); (err == nil) != s.Has(path) {
			t.Errorf("%q: %v, has %v", path, err, s.Has(path))
		}
	})
}

// What was announced as the length of a file is not that of an answer without one.
func TestFailedPreconditionHasNoBody(t *testing.T) {
	s := site(t, map[string]string{"a.css": strings.Repeat("a{color:red}", 1000)})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Serve(w, r, "a.css", &sunya.StaticRule{}, time.Now()); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	for _, c := range []struct {
		header, value string
		status        int
	}{{"If-Match", `"other"`, 412}, {"If-Match", "*", 200}, {"If-None-Match", "*", 304}} {
		r, err := http.NewRequest("GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "br")
		r.Header.Set(c.header, c.value)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != c.status {
			t.Errorf("%s: %s = %d, %v, want %d", c.header, c.value, resp.StatusCode, err, c.status)
		}
		resp.Body.Close()
	}
}

func TestOnlySmallFilesAreReadWhole(t *testing.T) {
	s := site(t, map[string]string{"small": "x", "large": strings.Repeat("x", 1<<20)})
	if data, ok := s.ReadAll("small"); !ok || string(data) != "x" {
		t.Errorf("small: %q, %v", data, ok)
	}
	if _, ok := s.ReadAll("large"); ok {
		t.Error("a megabyte is held in memory for each error")
	}
}
