package storagexml_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// signedForm returns a form whose policy has these conditions, and its content
// type. fields are names and values in turn.
func signedForm(t *testing.T, conditions, file string, fields ...string) (body, contentType string) {
	t.Helper()
	now := time.Now().UTC()
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	credential := "GOOG1ID/" + day + "/auto/storage/goog4_request"
	policy := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(
		`{"expiration":%q,"conditions":[{"x-goog-algorithm":"GOOG4-HMAC-SHA256"},{"x-goog-date":%q},{"x-goog-credential":%q},%s]}`,
		now.Add(time.Minute).Format(time.RFC3339), stamp, credential, conditions)))
	key := []byte("GOOG4secret")
	for _, part := range []string{day, "auto", "storage", "goog4_request"} {
		key = mac(key, part)
	}
	fields = append(fields, "x-goog-algorithm", "GOOG4-HMAC-SHA256", "x-goog-date", stamp, "x-goog-credential", credential,
		"policy", policy, "x-goog-signature", hex.EncodeToString(mac(key, policy)))
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		w.WriteField(fields[i], fields[i+1])
	}
	if file != "" {
		part, err := w.CreateFormFile("file", `C:\dir\photo.png`)
		if err != nil {
			t.Fatal(err)
		}
		part.Write([]byte(file))
	}
	w.WriteField("submit", "Upload") // behind the file, as browsers send buttons
	w.Close()
	return b.String(), w.FormDataContentType()
}

func TestForm(t *testing.T) {
	const any = `{"bucket":"stuff"},["starts-with","$key","user/"]`
	s := serve(t)
	for _, tt := range []struct {
		what, conditions, file string
		fields                 []string
		status                 int
		want                   string
	}{
		{"plain", any, "hello", []string{"key", "user/a"}, 204, ""},
		{"the file's name", any, "hello", []string{"key", "user/${filename}"}, 204, ""},
		{"answered with a document", any + `,{"success_action_status":"201"}`, "hello", []string{"key", "user/b", "success_action_status", "201"}, 201, "<Key>user/b</Key>"},
		{"redirected", any + `,["starts-with","$success_action_redirect","http://app.example/"]`, "hello",
			[]string{"key", "user/c", "success_action_redirect", "http://app.example/done?a=b"}, 303, ""},
		{"metadata", any + `,["eq","$x-goog-meta-color","red"],["starts-with","$content-type","text/"]`, "hello",
			[]string{"key", "user/d", "Content-Type", "text/q", "x-goog-meta-color", "red"}, 204, ""},
		{"another prefix", any, "hello", []string{"key", "other/a"}, 403, "AccessDenied"},
		{"another bucket", `{"bucket":"other"},["starts-with","$key",""]`, "hello", []string{"key", "user/a"}, 403, "AccessDenied"},
		{"a field without a condition", any, "hello", []string{"key", "user/a", "x-goog-meta-a", "b"}, 403, "AccessDenied"},
		{"too large", any + `,["content-length-range",1,4]`, "hello", []string{"key", "user/no"}, 400, "EntityTooLarge"},
		{"too small", any + `,["content-length-range",6,9]`, "hello", []string{"key", "user/no"}, 400, "EntityTooSmall"},
		{"no file", any, "", []string{"key", "user/no"}, 400, "MalformedPOSTRequest"},
		{"a field twice", any, "hello", []string{"key", "user/no", "key", "user/x"}, 400, "MalformedPOSTRequest"},
	} {
		body, kind := signedForm(t, tt.conditions, tt.file, tt.fields...)
		res, got := s.do(t, "POST", "/stuff", body, "Content-Type", kind, "Origin", "http://app.example")
		if res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s %s, want %d %s", tt.what, res.Status, got, tt.status, tt.want)
		}
		if tt.status == 303 && !strings.HasPrefix(res.Header.Get("Location"), "http://app.example/done?a=b&bucket=stuff&etag=%22") {
			t.Errorf("%s: to %s", tt.what, res.Header.Get("Location"))
		}
	}
	for path, want := range map[string]int{"/stuff/user/a": 200, "/stuff/user/photo.png": 200, "/stuff/user/no": 404, "/stuff/other/a": 404} {
		if res, _ := s.do(t, "GET", path, ""); res.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, res.Status, want)
		}
	}
	if res, _ := s.do(t, "HEAD", "/stuff/user/d", ""); res.Header.Get("Content-Type") != "text/q" || res.Header.Get("X-Goog-Meta-Color") != "red" {
		t.Errorf("metadata: %v", res.Header)
	}
	body, kind := signedForm(t, any, "hello", "key", "user/a")
	if res, got := s.do(t, "POST", "/stuff", strings.Replace(body, "\r\n\r\nGOOG1ID/", "\r\n\r\nGOOG1XX/", 1), "Content-Type", kind); res.StatusCode != 403 || !strings.Contains(got, "InvalidAccessKeyId") {
		t.Errorf("another's key: %s %s", res.Status, got)
	}
	if res, got := s.do(t, "POST", "/stuff", "--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--B--", "Content-Type", "multipart/form-data; boundary=B"); res.StatusCode != 403 {
		t.Errorf("no policy: %s %s", res.Status, got)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\no\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--B--")
	f.Add("--B--")
	f.Add("--B\r\n\r\n\r\n--B\r\nContent-Disposition: form-data; name=file\r\n\r\n")
	s := serve(f)
	f.Fuzz(func(t *testing.T, body string) {
		res, got := s.do(t, "POST", "/stuff", body, "Content-Type", "multipart/form-data; boundary=B")
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%q: %s %s", body, res.Status, got)
		}
	})
}
