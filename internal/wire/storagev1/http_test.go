package storagev1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// do sends a request as it is and returns the answer with its body.
func (s server) do(t testing.TB, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = s.url + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

func TestDownload(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	_, err := s.Objects.Insert("stuff", &storage.Object{Name: "dir/é.html", ContentType: "text/html", CacheControl: "no-cache",
		Metadata: map[string]string{"color": "red"}}).Media(strings.NewReader("0123456789")).Do()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/storage/v1/b/stuff/o/dir%2F%C3%A9.html?alt=media",
		"/storage/v1/b/stuff/o/dir/%C3%A9.html?alt=media",
		"/download/storage/v1/b/stuff/o/dir%2F%C3%A9.html?alt=media",
		"/b/stuff/o/dir%2F%C3%A9.html?alt=media",
	} {
		for _, tt := range []struct {
			rng    string
			status int
			want   string
		}{
			{"", 200, "0123456789"},
			{"bytes=2-4", 206, "234"},
			{"bytes=7-", 206, "789"},
			{"bytes=-2", 206, "89"},
			{"bytes=8-100", 206, "89"},
			{"bytes=0-1,3-4", 200, "0123456789"},
			{"lines=1-2", 200, "0123456789"},
			{"bytes=10-", 416, ""},
			{"bytes=-0", 416, ""},
		} {
			res, got := s.do(t, "GET", path, nil, "Range", tt.rng)
			if res.StatusCode != tt.status || tt.status < 400 && got != tt.want {
				t.Errorf("%s of %s: %s %q", tt.rng, path, res.Status, got)
			}
		}
		res, got := s.do(t, "HEAD", path, nil)
		if got != "" || res.ContentLength != 10 {
			t.Errorf("HEAD %s: %d bytes announced, %d sent", path, res.ContentLength, len(got))
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html", "Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-cache", "X-Goog-Meta-Color": "red", "X-Goog-Metageneration": "1",
			"X-Goog-Stored-Content-Length": "10", "X-Goog-Hash": "crc32c=KAwGng==,md5=eB5eJF1ptWaXm4bijSPyxw==",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s of %s: %q, want %q", name, path, got, want)
			}
		}
		if res, _ := s.do(t, "GET", path, nil, "If-None-Match", res.Header.Get("Etag")); res.StatusCode != 304 {
			t.Errorf("If-None-Match of %s: %s", path, res.Status)
		}
		if res, _ := s.do(t, "GET", path, nil, "If-Match", `"other"`); res.StatusCode != 412 {
			t.Errorf("If-Match of %s: %s", path, res.Status)
		}
	}
}

func TestDamagedObjectIsCutShort(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	s.put(t, "o", strings.Repeat("x", 1<<20))
	s.blobs.Damage(s.blobs.Names()[0])
	res, err := http.Get(s.url + "/storage/v1/b/stuff/o/o?alt=media")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("read %d damaged bytes without an error", len(got))
	}
}

// TestResumableProtocol walks through the exchange of clients that use PUT and
// a real 308, and of those that cannot see a 308.
func TestResumableProtocol(t *testing.T) {
	for _, tt := range []struct {
		client, method string
		header         []string
		status         int
	}{
		{"PUT and 308", "PUT", nil, 308},
		{"POST and no 308", "POST", []string{"X-GUploader-No-308", "yes"}, 200},
	} {
		t.Run(tt.client, func(t *testing.T) {
			s := serve(t, objects.Options{})
			s.bucket(t)
			start := "/upload/storage/v1/b/stuff/o?uploadType=resumable"
			if tt.method == "PUT" {
				start = "/resumable" + start
			}
			res, got := s.do(t, "POST", start, strings.NewReader(`{"name":"o"}`), "X-Upload-Content-Type", "text/z")
			at := res.Header.Get("Location")
			if res.StatusCode != 200 || at == "" || res.Header.Get("X-Guploader-Uploadid") == "" {
				t.Fatalf("start: %s %s", res.Status, got)
			}
			send := func(contentRange, body string) (*http.Response, string) {
				return s.do(t, tt.method, at, strings.NewReader(body), append(tt.header, "Content-Range", contentRange)...)
			}
			unit := strings.Repeat("u", objects.ChunkUnit)
			incomplete := func(what string, res *http.Response, wantRange string) {
				t.Helper()
				override := res.Header.Get("X-Http-Status-Code-Override")
				if res.StatusCode != tt.status || (override == "308") != (tt.status == 200) || res.Header.Get("Range") != wantRange {
					t.Errorf("%s: %s, override %q, range %q", what, res.Status, override, res.Header.Get("Range"))
				}
			}
			res, _ = send("bytes */*", "")
			incomplete("status before anything", res, "")
			res, _ = send(fmt.Sprintf("bytes 0-%d/*", len(unit)-1), unit)
			incomplete("first chunk", res, fmt.Sprintf("bytes=0-%d", len(unit)-1))
			res, _ = send("bytes */*", "")
			incomplete("status", res, fmt.Sprintf("bytes=0-%d", len(unit)-1))
			if res, got := send(fmt.Sprintf("bytes %d-%d/*", len(unit)+5, len(unit)+6), "no"); res.StatusCode != 400 {
				t.Errorf("gap: %s %s", res.Status, got)
			}
			if res, got := send("bytes nonsense", ""); res.StatusCode != 400 {
				t.Errorf("malformed: %s %s", res.Status, got)
			}
			for range 2 { // the answer may get lost
				res, got = send(fmt.Sprintf("bytes %d-%d/%d", len(unit), len(unit)+2, len(unit)+3), "end")
				var o storage.Object
				if err := json.Unmarshal([]byte(got), &o); res.StatusCode != 200 || err != nil || o.Size != uint64(len(unit)+3) || o.ContentType != "text/z" {
					t.Errorf("last chunk: %s %s", res.Status, got)
				}
			}
		})
	}
}

// TestResumableStream: a stream whose end nobody knows before it is there, as
// Google's client for Node.js sends it, and its rest after a part has come.
func TestResumableStream(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	unit := strings.Repeat("u", objects.ChunkUnit)
	for i, tt := range []struct {
		first, rest string // Content-Range
		body        io.Reader
		status      int
	}{
		{"", "bytes 0-*/*", strings.NewReader("whole"), 200},
		{"", "bytes 0-*/*", io.MultiReader(strings.NewReader("who"), strings.NewReader("le")), 200}, // no Content-Length
		{"", "bytes 0-*/5", io.MultiReader(strings.NewReader("whole")), 200},
		{"", "bytes 0-*/*", strings.NewReader(""), 200},
		{fmt.Sprintf("bytes 0-%d/*", len(unit)-1), fmt.Sprintf("bytes %d-*/*", len(unit)), io.MultiReader(strings.NewReader("rest")), 200},
		{fmt.Sprintf("bytes 0-%d/*", len(unit)-1), fmt.Sprintf("bytes %d-*/%d", len(unit), len(unit)+4), strings.NewReader("rest"), 200},
		{"", "bytes 7-*/*", strings.NewReader("gap"), 400},
		{"", "bytes 9-*/5", strings.NewReader("behind"), 400},
		{"", "bytes *-*/5", strings.NewReader("whole"), 400},
	} {
		name := fmt.Sprint("o", i)
		res, _ := s.do(t, "POST", "/upload/storage/v1/b/stuff/o?uploadType=resumable&name="+name, nil)
		at, want := res.Header.Get("Location"), ""
		if tt.first != "" {
			s.do(t, "PUT", at, strings.NewReader(unit), "Content-Range", tt.first)
			want = unit + "rest"
		}
		res, body := s.do(t, "PUT", at, tt.body, "Content-Range", tt.rest)
		if res.StatusCode != tt.status {
			t.Errorf("%q: %s %s", tt.rest, res.Status, body)
		}
		if tt.status != 200 {
			continue
		}
		if got := s.read(t, name, 0); want != "" && got != want || want == "" && got != "whole" && got != "" {
			t.Errorf("%q: %d bytes", tt.rest, len(got))
		}
	}
}

// TestSaidOnce: what a client has said to be false is shown as false; how long an
// object has to stay is shown; a retention is taken away field by field.
func TestSaidOnce(t *testing.T) {
	s := serve(t, objects.Options{})
	s.do(t, "POST", "/storage/v1/b?project=sunya&enableObjectRetention=true", strings.NewReader(`{"name":"stuff","location":"EUR4","retentionPolicy":{"retentionPeriod":"5"}}`))
	s.put(t, "o", "text")
	show := func(method, path, body, want, not string) {
		t.Helper()
		res, got := s.do(t, method, path, strings.NewReader(body))
		if res.StatusCode != 200 || !strings.Contains(got, want) || not != "" && strings.Contains(got, not) {
			t.Errorf("%s %s %s: %s %s, want %s and not %s", method, path, body, res.Status, got, want, not)
		}
	}
	const bucket, object = "/storage/v1/b/stuff", "/storage/v1/b/stuff/o/o"
	show("GET", bucket, "", `"locationType":"dual-region"`, "defaultEventBasedHold")
	show("GET", bucket, "", `"rpo":"DEFAULT"`, "")
	show("PATCH", bucket, `{"defaultEventBasedHold":true}`, `"defaultEventBasedHold":true`, "")
	show("PATCH", bucket, `{"defaultEventBasedHold":false}`, `"defaultEventBasedHold":false`, "")
	show("GET", bucket, "", `"name":"stuff"`, `"versioning"`)
	show("PATCH", bucket, `{"versioning":{"enabled":true}}`, `"versioning":{"enabled":true}`, "")
	show("PATCH", bucket, `{"versioning":{"enabled":false}}`, `"versioning":{"enabled":false}`, "")
	show("PATCH", bucket, `{"cors":[{"origin":["*"],"maxAgeSeconds":"60"}]}`, `"maxAgeSeconds":60`, "")
	show("GET", "/projects/sunya/serviceAccount", "", "@gs-project-accounts", "")
	show("GET", object, "", `"retentionExpirationTime":"`, "Hold")
	show("GET", bucket+"/o", "", `"retentionExpirationTime":"`, "Hold")
	for _, hold := range []string{"temporaryHold", "eventBasedHold"} {
		show("PATCH", object, `{"`+hold+`":true}`, `"`+hold+`":true`, "")
		show("PATCH", object, `{"`+hold+`":false}`, `"`+hold+`":false`, "")
		show("PATCH", object, `{"`+hold+`":true}`, `"`+hold+`":true`, "")
		show("PATCH", object, `{"`+hold+`":false}`, `"`+hold+`":false`, "")
	}
	show("PATCH", object, `{"retention":{"mode":"Unlocked","retainUntilTime":"2099-01-01T00:00:00Z"}}`, `"retention":{`, "")
	show("PATCH", object+"?overrideUnlockedRetention=true", `{"retention":{"mode":null,"retainUntilTime":null}}`, `"name":"o"`, `"retention":`)
}

func TestResumableInOneRequest(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	res, _ := s.do(t, "POST", "/upload/storage/v1/b/stuff/o?uploadType=resumable&name=o", nil, "X-Upload-Content-Length", "5")
	res, got := s.do(t, "PUT", res.Header.Get("Location"), strings.NewReader("whole"))
	if res.StatusCode != 200 || !strings.Contains(got, `"size":"5"`) {
		t.Errorf("%s %s", res.Status, got)
	}
	res, _ = s.do(t, "POST", "/upload/storage/v1/b/stuff/o?uploadType=resumable&name=p", nil)
	at := res.Header.Get("Location")
	if res, _ := s.do(t, "DELETE", at, nil); res.StatusCode != 499 {
		t.Errorf("cancel: %s", res.Status)
	}
	if res, _ := s.do(t, "PUT", at, strings.NewReader("x")); res.StatusCode != 404 {
		t.Errorf("after the cancel: %s", res.Status)
	}
	if res, _ := s.do(t, "PUT", "/upload/storage/v1/b/other/o?uploadType=resumable&upload_id=guess", strings.NewReader("x")); res.StatusCode != 404 {
		t.Errorf("guessed id: %s", res.Status)
	}
}

func TestMultipartForms(t *testing.T) {
	for _, tt := range []struct {
		rule, contentType, body string
		status                  int
	}{
		{"plain", `multipart/related; boundary=B`, "--B\r\nContent-Type: application/json\r\n\r\n{\"name\":\"o\"}\r\n--B\r\nContent-Type: text/q\r\n\r\nhello\r\n--B--", 200},
		{"quoted boundary", `multipart/related; boundary="=B="`, "--=B=\r\n\r\n{\"name\":\"o\"}\r\n--=B=\r\nContent-Type: text/q\r\n\r\nhello\r\n--=B=--\r\n", 200},
		{"gcloud's quotes", `multipart/related; boundary='===B=='`, "--===B==\r\n\r\n{\"name\":\"o\"}\r\n--===B==\r\nContent-Type: text/q\r\n\r\nhello\r\n--===B==--", 200},
		{"base64", `multipart/related; boundary=B`, "--B\r\n\r\n{\"name\":\"o\"}\r\n--B\r\nContent-Type: text/q\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--B--", 200},
		{"unknown encoding", `multipart/related; boundary=B`, "--B\r\n\r\n{\"name\":\"o\"}\r\n--B\r\nContent-Transfer-Encoding: uu\r\n\r\nx\r\n--B--", 501},
		{"no boundary", `multipart/related`, "x", 400},
		{"form data", `multipart/form-data; boundary=B`, "--B--", 400},
		{"no part", `multipart/related; boundary=B`, "--B--", 400},
		{"no media", `multipart/related; boundary=B`, "--B\r\n\r\n{\"name\":\"o\"}\r\n--B--", 400},
		{"not JSON", `multipart/related; boundary=B`, "--B\r\n\r\nname\r\n--B\r\n\r\nx\r\n--B--", 400},
		{"null", `multipart/related; boundary=B`, "--B\r\n\r\nnull\r\n--B\r\n\r\nx\r\n--B--", 400},
		{"name of another type", `multipart/related; boundary=B`, "--B\r\n\r\n{\"name\":7}\r\n--B\r\n\r\nx\r\n--B--", 400},
		{"breaks off", `multipart/related; boundary=B`, "--B\r\n\r\n{\"name\":\"o\"}\r\n--B\r\n\r\nhel", 400},
		{"no name", `multipart/related; boundary=B`, "--B\r\n\r\n{}\r\n--B\r\n\r\nx\r\n--B--", 400},
	} {
		s := serve(t, objects.Options{})
		s.bucket(t)
		res, got := s.do(t, "POST", "/upload/storage/v1/b/stuff/o?uploadType=multipart", strings.NewReader(tt.body), "Content-Type", tt.contentType)
		if res.StatusCode != tt.status {
			t.Errorf("%s: %s %s", tt.rule, res.Status, got)
		}
		if tt.status != 200 {
			if left := s.blobs.Names(); len(left) != 0 {
				t.Errorf("%s: blobs %v are left", tt.rule, left)
			}
			continue
		}
		if res, got := s.do(t, "GET", "/storage/v1/b/stuff/o/o?alt=media", nil); got != "hello" || res.Header.Get("Content-Type") != "text/q" {
			t.Errorf("%s: stored %q as %s", tt.rule, got, res.Header.Get("Content-Type"))
		}
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	s := serve(t, objects.Options{})
	res, got := s.do(t, "POST", "/storage/v1/b?project=sunya", strings.NewReader(`{"name":"stuff","futureField":{"a":[1]},"id":"forged"}`))
	if res.StatusCode != 200 || !strings.Contains(got, `"futureField":{"a":[1]}`) || strings.Contains(got, "forged") {
		t.Errorf("insert: %s %s", res.Status, got)
	}
	res, got = s.do(t, "PATCH", "/storage/v1/b/stuff", strings.NewReader(`{"futureField":null,"labels":{"a":"b","c":null}}`))
	if res.StatusCode != 200 || strings.Contains(got, "futureField") || !strings.Contains(got, `"labels":{"a":"b"}`) {
		t.Errorf("patch: %s %s", res.Status, got)
	}
	if res, got := s.do(t, "GET", "/storage/v1/b/stuff/o?includeFoldersAsPrefixes=True&softDeleted=False", nil); res.StatusCode != 200 {
		t.Errorf("gcloud's list: %s %s", res.Status, got)
	}
	res, got = s.do(t, "GET", "/storage/v1/b/stuff?fields=lifecycle&prettyPrint=false&key=K&$alt=json", nil)
	if res.StatusCode != 200 {
		t.Errorf("parameters that every client may send: %s %s", res.Status, got)
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/storage/v1/b?project=sunya", "{", 400},
		{"POST", "/storage/v1/b?project=sunya", "[]", 400},
		{"POST", "/storage/v1/b?project=Not%20A%20Project", `{"name":"other"}`, 400},
		{"POST", "/storage/v1/b", `{"name":"other"}`, 400},
		{"POST", "/storage/v1/b?project=sunya", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 400},
		{"POST", "/storage/v1/b?project=sunya", `{"name":"locked","retentionPolicy":{"retentionPeriod":"-1"}}`, 400},
		{"POST", "/storage/v1/b?project=sunya", `{"name":"keys","encryption":{"defaultKmsKeyName":"k"}}`, 501},
		{"POST", "/storage/v1/b?project=sunya", `{"name":"rules","lifecycle":{"rule":[{"action":{"type":"Delete"},"condition":{}}]}}`, 400},
		{"POST", "/storage/v1/b?project=sunya", `{"name":"labels","labels":{"Upper":"x"}}`, 400},
		{"POST", "/storage/v1/b/stuff/o/x/compose", `{"sourceObjects":[{}]}`, 400},
		{"GET", "/storage/v1/b/stuff?fields=items(", "", 400},
		{"GET", "/storage/v1/b/stuff/o?maxResults=-1", "", 400},
		{"GET", "/storage/v1/b/stuff/o/x?ifGenerationMatch=one", "", 400},
		{"GET", "/storage/v1/b/stuff/o/%zz", "", 400},
		{"GET", "/storage/v1/b/..%2f..%2fetc/o/passwd?alt=media", "", 404},
		{"GET", "/storage/v1/b/stuff/iam/testPermissions", "", 400},
		{"GET", "/storage/v1/projects/Not%20A%20Project/serviceAccount", "", 400},
		{"POST", "/upload/storage/v1/b/stuff/o?name=o", "x", 400},
		{"POST", "/upload/storage/v1/b/stuff/o?uploadType=media", "x", 400},
		{"POST", "/upload/storage/v1/b/stuff/o?uploadType=media&name=a%0Ab", "x", 400},
		{"POST", "/upload/storage/v1/b/none/o?uploadType=media&name=o", "x", 404},
		{"POST", "/upload/storage/v1/b/stuff", "x", 404},
		{"POST", "/batch/storage/v1", "x", 501},
		{"GET", "/", "", 404},
	} {
		// A raw path, since a client of Go's would refuse some of them.
		req, err := http.NewRequestWithContext(t.Context(), tt.method, s.url, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		path, query, _ := strings.Cut(tt.path, "?")
		req.URL.Opaque, req.URL.RawQuery = path, query
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		// The HTTP server itself refuses a path that is not well-formed.
		if err != nil || res.StatusCode != tt.status || !bytes.Contains(got, []byte(`"code"`)) && !bytes.Contains(got, []byte("<Code>")) && tt.path != "/storage/v1/b/stuff/o/%zz" {
			t.Errorf("%s %.60s: %s %s", tt.method, tt.path, res.Status, got)
		}
	}
}
