package storagexml_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

func TestObjects(t *testing.T) {
	s := serve(t)
	sum := sha256.Sum256([]byte("hello"))
	for _, tt := range []struct {
		what, method, path, body string
		header                   []string
		status                   int
		want                     string
	}{
		{"put", "PUT", "/stuff/a/b%20c", "hello", []string{"Content-Type", "text/q", "x-goog-meta-Color", "red", "Cache-Control", "no-cache"}, 200, ""},
		{"get", "GET", "/stuff/a/b%20c", "", nil, 200, "hello"},
		{"by its bucket's host", "GET", "/a/b%20c", "", []string{"Host", "stuff.storage.googleapis.com"}, 200, "hello"},
		{"range", "GET", "/stuff/a/b%20c", "", []string{"Range", "bytes=1-2"}, 206, "el"},
		{"put only if new", "PUT", "/stuff/a/b%20c", "x", []string{"x-goog-if-generation-match", "0"}, 412, "PreconditionFailed"},
		{"S3's way to say so", "PUT", "/stuff/a/b%20c", "x", []string{"If-None-Match", "*"}, 412, "PreconditionFailed"},
		{"a wrong MD5", "PUT", "/stuff/o", "x", []string{"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="}, 400, "BadDigest"},
		{"not base64", "PUT", "/stuff/o", "x", []string{"x-goog-hash", "crc32c=!"}, 400, "InvalidDigest"},
		{"a right hash", "PUT", "/stuff/o", "hello", []string{"x-goog-content-sha256", hex.EncodeToString(sum[:])}, 200, ""},
		{"a wrong hash", "PUT", "/stuff/o", "hallo", []string{"x-amz-content-sha256", hex.EncodeToString(sum[:])}, 400, "XAmzContentSHA256Mismatch"},
		{"still the old bytes", "GET", "/stuff/o", "", nil, 200, "hello"},
		{"large enough", "PUT", "/stuff/o", "hello", []string{"x-goog-content-length-range", "1,5"}, 200, ""},
		{"too large", "PUT", "/stuff/o", "hello!", []string{"x-goog-content-length-range", "1,5"}, 400, "EntityTooLarge"},
		{"too small", "PUT", "/stuff/o", "", []string{"x-goog-content-length-range", "1,5"}, 400, "EntityTooSmall"},
		{"chunks with trailers", "PUT", "/stuff/o", "x", []string{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, 501, "NotImplemented"},
		{"copy", "PUT", "/stuff/copy", "", []string{"x-goog-copy-source", "/stuff/a%2Fb%20c"}, 200, "CopyObjectResult"},
		{"what was copied", "GET", "/stuff/copy", "", nil, 200, "hello"},
		{"copy in another class", "PUT", "/stuff/copy", "", []string{"x-goog-copy-source", "/stuff/a%2Fb%20c", "x-goog-storage-class", "coldline"}, 200, "CopyObjectResult"},
		{"what it says", "GET", "/stuff/copy", "", nil, 200, "hello"},
		{"copy of nothing", "PUT", "/stuff/copy", "", []string{"x-amz-copy-source", "stuff/none"}, 404, "NoSuchKey"},
		{"copy on a condition", "PUT", "/stuff/copy", "", []string{"x-goog-copy-source", "stuff/o", "x-goog-copy-source-if-generation-match", "1"}, 412, "PreconditionFailed"},
		{"a key of one's own", "PUT", "/stuff/o", "x", []string{"x-goog-encryption-algorithm", "AES256"}, 501, "NotImplemented"},
		{"acl", "GET", "/stuff/o?acl", "", nil, 200, "FULL_CONTROL"},
		{"tags", "GET", "/stuff/o?tagging", "", nil, 501, "NotImplemented"},
		{"delete", "DELETE", "/stuff/copy", "", nil, 204, ""},
		{"delete again", "DELETE", "/stuff/copy", "", nil, 404, "NoSuchKey"},
		{"several", "POST", "/stuff?delete", "<Delete><Object><Key>o</Key></Object><Object><Key>none</Key></Object></Delete>", nil, 200, "<Deleted><Key>none</Key></Deleted>"},
		{"not XML", "POST", "/stuff?delete", "<Delete", nil, 400, "MalformedXML"},
		{"bucket", "PUT", "/more", "", nil, 200, ""},
		{"bucket again", "PUT", "/more", "", nil, 409, "BucketAlreadyExists"},
		{"a bad name", "PUT", "/No", "", nil, 400, "InvalidBucketName"},
		{"its head", "HEAD", "/more", "", nil, 200, ""},
		{"all of them", "GET", "/", "", nil, 200, "<Name>more</Name>"},
		{"location", "GET", "/more?location", "", nil, 200, "<LocationConstraint>LOCAL</LocationConstraint>"},
		{"versioning", "GET", "/more?versioning", "", nil, 200, "VersioningConfiguration"},
		{"one with objects", "DELETE", "/stuff", "", nil, 409, "BucketNotEmpty"},
		{"an empty one", "DELETE", "/more", "", nil, 204, ""},
	} {
		res, got := s.do(t, tt.method, tt.path, tt.body, tt.header...)
		if res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s %s, want %d %s", tt.what, res.Status, got, tt.status, tt.want)
		}
	}
	res, _ := s.do(t, "HEAD", "/stuff/a/b%20c", "")
	for name, want := range map[string]string{"Content-Type": "text/q", "X-Goog-Meta-Color": "red", "Cache-Control": "no-cache",
		"Etag": `"5d41402abc4b2a76b9719d911017c592"`, "X-Goog-Hash": "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	res, _ = s.do(t, "GET", "/stuff/a/b%20c?response-content-disposition=attachment&response-content-type=text/z", "")
	if res.Header.Get("Content-Disposition") != "attachment" || res.Header.Get("Content-Type") != "text/z" {
		t.Errorf("asked for its own headers: %v", res.Header)
	}
}

func TestList(t *testing.T) {
	s := serve(t)
	for _, name := range []string{"a", "b/1", "b/2", "c&d", "e"} {
		s.put(t, name, name)
	}
	keys := regexp.MustCompile(`<(?:Key|CommonPrefixes><Prefix)>([^<]*)<`)
	for _, tt := range []struct{ query, want string }{
		{"", "a b/1 b/2 c&amp;d e"},
		{"?prefix=b/", "b/1 b/2"},
		{"?delimiter=/", "a c&amp;d e b/"},
		{"?marker=b/1", "b/2 c&amp;d e"},
		{"?delimiter=/&marker=b/", "c&amp;d e"},
		{"?list-type=2&start-after=b/2", "c&amp;d e"},
		{"?encoding-type=url&prefix=c", "c%26d"},
		{"?max-keys=0", ""},
	} {
		_, got := s.do(t, "GET", "/stuff"+tt.query, "")
		var names []string
		for _, m := range keys.FindAllStringSubmatch(got, -1) {
			names = append(names, m[1])
		}
		if strings.Join(names, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.query, names, tt.want)
		}
	}
	for _, first := range []string{"?max-keys=2", "?list-type=2&max-keys=2", "?max-keys=2&delimiter=/", "?list-type=2&max-keys=2&delimiter=/"} {
		seen, query := []string{}, first
		for range 4 {
			_, got := s.do(t, "GET", "/stuff"+query, "")
			for _, m := range keys.FindAllStringSubmatch(got, -1) {
				seen = append(seen, m[1])
			}
			next := regexp.MustCompile(`<Next(Marker|ContinuationToken)>([^<]*)<`).FindStringSubmatch(got)
			if next == nil {
				break
			}
			query = first + map[string]string{"Marker": "&marker=", "ContinuationToken": "&continuation-token="}[next[1]] + strings.ReplaceAll(next[2], "&amp;", "%26")
		}
		want := 5
		if strings.Contains(first, "delimiter") {
			want = 4
		}
		if len(seen) != want {
			t.Errorf("pages of %s: %q", first, seen)
		}
	}
}

func TestResumable(t *testing.T) {
	s := serve(t)
	res, got := s.do(t, "POST", "/stuff/dir/o", "", "x-goog-resumable", "start", "Content-Type", "text/q")
	if res.StatusCode != 201 {
		t.Fatalf("%s %s", res.Status, got)
	}
	path := strings.TrimPrefix(res.Header.Get("Location"), s.url)
	res, _ = s.do(t, "PUT", path, "", "Content-Range", "bytes */*")
	if res.StatusCode != 308 || res.Header.Get("Range") != "" {
		t.Errorf("nothing yet: %s %v", res.Status, res.Header)
	}
	chunk := strings.Repeat("x", objects.ChunkUnit)
	res, _ = s.do(t, "PUT", path, chunk, "Content-Range", fmt.Sprintf("bytes 0-%d/*", len(chunk)-1))
	if res.StatusCode != 308 || res.Header.Get("Range") != fmt.Sprintf("bytes=0-%d", len(chunk)-1) {
		t.Errorf("a chunk: %s %v", res.Status, res.Header)
	}
	if res, _ := s.do(t, "PUT", strings.Replace(path, "dir", "other", 1), "y"); res.StatusCode != 404 {
		t.Errorf("another object's: %s", res.Status)
	}
	res, got = s.do(t, "PUT", path, "end", "Content-Range", fmt.Sprintf("bytes %d-%d/%d", len(chunk), len(chunk)+2, len(chunk)+3))
	if res.StatusCode != 200 || res.Header.Get("X-Goog-Generation") == "" {
		t.Errorf("the end: %s %s", res.Status, got)
	}
	if res, got := s.do(t, "GET", "/stuff/dir/o", ""); got != chunk+"end" || res.Header.Get("Content-Type") != "text/q" {
		t.Errorf("%d bytes of %s", len(got), res.Header.Get("Content-Type"))
	}
	res, _ = s.do(t, "POST", "/stuff/gone", "", "x-goog-resumable", "start")
	path = strings.TrimPrefix(res.Header.Get("Location"), s.url)
	if res, _ := s.do(t, "DELETE", path, ""); res.StatusCode != 499 {
		t.Errorf("cancel: %s", res.Status)
	}
	if res, _ := s.do(t, "PUT", path, "x"); res.StatusCode != 404 {
		t.Errorf("after that: %s", res.Status)
	}
}

func TestMultipart(t *testing.T) {
	s := serve(t)
	_, got := s.do(t, "POST", "/stuff/big?uploads", "", "Content-Type", "text/q")
	id := regexp.MustCompile(`<UploadId>(.*)</UploadId>`).FindStringSubmatch(got)
	if id == nil {
		t.Fatal(got)
	}
	query := "/stuff/big?uploadId=" + id[1]
	first, second := strings.Repeat("1", 5<<20), "2"
	tags := map[string]string{}
	for number, body := range map[string]string{"2": second, "1": first, "3": "unwanted"} {
		res, got := s.do(t, "PUT", query+"&partNumber="+number, body)
		if res.StatusCode != 200 {
			t.Fatalf("part %s: %s %s", number, res.Status, got)
		}
		tags[number] = res.Header.Get("Etag")
	}
	if res, got := s.do(t, "GET", query+"&max-parts=2", ""); res.StatusCode != 200 || strings.Count(got, "<Part>") != 2 || !strings.Contains(got, "<IsTruncated>true") {
		t.Errorf("parts: %s %s", res.Status, got)
	}
	if _, got := s.do(t, "GET", "/stuff?uploads", ""); !strings.Contains(got, id[1]) {
		t.Errorf("uploads: %s", got)
	}
	list := func(numbers ...string) string {
		out := "<CompleteMultipartUpload>"
		for _, n := range numbers {
			out += "<Part><PartNumber>" + n + "</PartNumber><ETag>" + strings.ReplaceAll(tags[n], `"`, "&quot;") + "</ETag></Part>"
		}
		return out + "</CompleteMultipartUpload>"
	}
	tags["4"] = tags["1"]
	for want, body := range map[string]string{"InvalidPartOrder": list("2", "1"), "InvalidPart": list("1", "4"), "MalformedXML": list()} {
		if res, got := s.do(t, "POST", query, body); res.StatusCode != 400 || !strings.Contains(got, "<Code>"+want+"</Code>") {
			t.Errorf("%s: %s %s", want, res.Status, got)
		}
	}
	if _, got := s.do(t, "POST", query, list("3", "2")); !strings.Contains(got, "InvalidPart") {
		t.Errorf("a small part first: %s", got)
	}
	for name, value := range map[string]string{"If-None-Match": "*", "x-goog-if-generation-match": "1"} {
		s.do(t, "PUT", "/stuff/big", "there already")
		if res, got := s.do(t, "POST", query, list("1", "2"), name, value); res.StatusCode != 412 || !strings.Contains(got, "PreconditionFailed") {
			t.Errorf("%s: %s %s", name, res.Status, got)
		}
	}
	if res, got := s.do(t, "POST", query, list("1", "2")); res.StatusCode != 200 || !strings.Contains(got, "<Key>big</Key>") {
		t.Fatalf("%s %s", res.Status, got)
	}
	if res, got := s.do(t, "GET", "/stuff/big", ""); got != first+second || res.Header.Get("Content-Type") != "text/q" {
		t.Errorf("%d bytes of %s", len(got), res.Header.Get("Content-Type"))
	}
	if res, got := s.do(t, "PUT", query+"&partNumber=1", "x"); res.StatusCode != 404 || !strings.Contains(got, "NoSuchUpload") {
		t.Errorf("after the end: %s %s", res.Status, got)
	}
	_, got = s.do(t, "POST", "/stuff/big?uploads", "")
	id = regexp.MustCompile(`<UploadId>(.*)</UploadId>`).FindStringSubmatch(got)
	if res, got := s.do(t, "PUT", "/stuff/big?partNumber=1&uploadId="+id[1], "", "x-amz-copy-source", "/stuff/big", "x-amz-copy-source-range", "bytes=0-9"); res.StatusCode != 200 {
		t.Errorf("copy: %s %s", res.Status, got)
	}
	if res, _ := s.do(t, "DELETE", "/stuff/big?uploadId="+id[1], ""); res.StatusCode != 204 {
		t.Errorf("abort: %s", res.Status)
	}
	if _, got := s.do(t, "GET", "/stuff?uploads", ""); strings.Contains(got, "<Upload>") {
		t.Errorf("left: %s", got)
	}
}

func TestCORS(t *testing.T) {
	s := serve(t)
	_, err := s.UpdateBucket(t.Context(), "stuff", objects.Conditions{}, func(b *objects.Bucket) error {
		b.Document = []byte(`{"cors":[{"origin":["https://app.example","https://*.dev.example"],"method":["GET","PUT"],"responseHeader":["Content-Type","x-goog-*"],"maxAgeSeconds":60}]}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "o", "x")
	for _, tt := range []struct {
		origin, method, headers string
		want                    string
	}{
		{"https://app.example", "PUT", "content-type", "https://app.example"},
		{"https://a.dev.example", "PUT", "x-goog-resumable, Content-Type", "https://a.dev.example"},
		{"https://app.example", "DELETE", "", ""},
		{"https://app.example", "PUT", "authorization", ""},
		{"https://evil.example", "GET", "", ""},
		{"https://app.example.evil", "GET", "", ""},
	} {
		res, _ := s.do(t, "OPTIONS", "/stuff/o", "", "Origin", tt.origin, "Access-Control-Request-Method", tt.method, "Access-Control-Request-Headers", tt.headers)
		if got := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != 200 || got != tt.want {
			t.Errorf("%v: %s %q", tt, res.Status, got)
		}
		if age := res.Header.Get("Access-Control-Max-Age"); tt.want != "" && age != "60" {
			t.Errorf("%v: age %q", tt, age)
		}
	}
	res, _ := s.do(t, "GET", "/stuff/o", "", "Origin", "https://app.example")
	if res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || res.Header.Get("Access-Control-Expose-Headers") == "" || res.Header.Get("Vary") != "Origin" {
		t.Errorf("GET: %v", res.Header)
	}
	res, _ = s.do(t, "GET", "/stuff/o", "", "Origin", "https://evil.example")
	if res.StatusCode != http.StatusOK || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("GET of another: %v", res.Header)
	}
}
