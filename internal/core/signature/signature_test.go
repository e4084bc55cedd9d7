package signature_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/signature"
)

// code is the name of why a signature does not count; empty if there is none.
func code(err error) string {
	var e *signature.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

var now = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

func sum(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// signV4 signs as the documentation of Google, or of S3, says it is done.
func signV4(secret, prefix, scope, stamp, canonical string) string {
	key := []byte(prefix + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = sum(key, part)
	}
	hashed := sha256.Sum256([]byte(canonical))
	toSign := prefix + "-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(hashed[:])
	return hex.EncodeToString(sum(key, toSign))
}

var hmacKeys = keys{secrets: map[string]string{"GOOG1ID": "secret"}}

// TestHMACURL is a signed URL by an HMAC key, signed with and without the port.
func TestHMACURL(t *testing.T) {
	for _, host := range []string{"localhost", "localhost:8080"} {
		query := "X-Goog-Algorithm=GOOG4-HMAC-SHA256&X-Goog-Credential=GOOG1ID%2F20261201%2Fauto%2Fstorage%2Fgoog4_request" +
			"&X-Goog-Date=20261201T095900Z&X-Goog-Expires=604800&X-Goog-SignedHeaders=host"
		canonical := "GET\n/b/a%20b/c\n" + query + "\nhost:" + host + "\n\nhost\nUNSIGNED-PAYLOAD"
		good := signature.Request{Method: "GET", Host: "localhost:8080", Path: "/b/a%20b/c", Header: http.Header{}}
		good.Query = query + "&X-Goog-Signature=" + signV4("secret", "GOOG4", "20261201/auto/storage/goog4_request", "20261201T095900Z", canonical)
		signed, err := signature.Verify(t.Context(), good, hmacKeys, now)
		if err != nil || signed.Signer != "GOOG1ID" || signed.Payload != "" {
			t.Fatalf("signed for %s: %+v, %v", host, signed, err)
		}
		for what, tt := range map[string]struct {
			change func(*signature.Request)
			want   string
		}{
			"too long a life":    {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "604800", "604801", 1) }, "InvalidArgument"},
			"no life":            {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "604800", "0", 1) }, "InvalidArgument"},
			"another key":        {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "GOOG1ID", "GOOG1XX", 1) }, "InvalidAccessKeyId"},
			"another day":        {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "%2F20261201", "%2F20261202", 1) }, "InvalidArgument"},
			"the future":         {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "T095900Z", "T103000Z", 1) }, "AccessDenied"},
			"another algorithm":  {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "GOOG4-HMAC", "GOOG5-HMAC", 1) }, "InvalidArgument"},
			"host not signed":    {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "Headers=host", "Headers=date", 1) }, "InvalidArgument"},
			"a header more":      {func(r *signature.Request) { r.Header = http.Header{"X-Goog-Copy-Source": {"/b/o"}} }, "AccessDenied"},
			"not hexadecimal":    {func(r *signature.Request) { r.Query += "x" }, "InvalidArgument"},
			"a scope of nothing": {func(r *signature.Request) { r.Query = strings.Replace(r.Query, "goog4_request", "request", 1) }, "InvalidArgument"},
		} {
			r := good
			tt.change(&r)
			if _, err := signature.Verify(t.Context(), r, hmacKeys, now); code(err) != tt.want {
				t.Errorf("%s: %v, want %s", what, err, tt.want)
			}
		}
	}
}

// TestS3Header is what S3's clients send with an HMAC key.
func TestS3Header(t *testing.T) {
	const body = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	header := http.Header{"X-Amz-Date": {"20261201T100000Z"}, "X-Amz-Content-Sha256": {body}, "X-Amz-Meta-A": {" x   y "}}
	canonical := "PUT\n/b/o\npartNumber=1&uploadId=x\nhost:localhost:8080\nx-amz-content-sha256:" + body + "\nx-amz-date:20261201T100000Z\nx-amz-meta-a:x y\n\n" +
		"host;x-amz-content-sha256;x-amz-date;x-amz-meta-a\n" + body
	header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=GOOG1ID/20261201/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a, Signature="+
		signV4("secret", "AWS4", "20261201/us-east-1/s3/aws4_request", "20261201T100000Z", canonical))
	r := signature.Request{Method: "PUT", Host: "localhost:8080", Path: "/b/o", Query: "uploadId=x&partNumber=1", Header: header, Length: 5}
	signed, err := signature.Verify(t.Context(), r, hmacKeys, now)
	if err != nil || signed.Payload != body {
		t.Fatalf("%+v, %v", signed, err)
	}
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now.Add(16*time.Minute)); code(err) != "RequestTimeTooSkewed" {
		t.Errorf("late: %v", err)
	}
	header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now); sunya.CodeOf(err) != sunya.Unimplemented {
		t.Errorf("signed by chunks: %v", err)
	}
}

// TestV2 is the older scheme, in the query and in a header.
func TestV2(t *testing.T) {
	h := hmac.New(sha1.New, []byte("secret"))
	expires := strconv.FormatInt(now.Add(time.Minute).Unix(), 10)
	h.Write([]byte("GET\n\n\n" + expires + "\n/b/o?acl"))
	mac := base64.StdEncoding.EncodeToString(h.Sum(nil))
	r := signature.Request{Method: "GET", Host: "b.storage.googleapis.com", Bucket: "b", Path: "/o", Header: http.Header{},
		Query: "acl&GoogleAccessId=GOOG1ID&Expires=" + expires + "&Signature=" + url.QueryEscape(mac)}
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now); err != nil {
		t.Error(err)
	}
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now.Add(2*time.Minute)); code(err) != "ExpiredToken" {
		t.Error(err)
	}
	r.Method = "DELETE"
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now); code(err) != "SignatureDoesNotMatch" {
		t.Error(err)
	}
	date := now.Format(http.TimeFormat)
	h.Reset()
	h.Write([]byte("PUT\n\ntext/plain\n" + date + "\nx-goog-acl:private\n/b/o"))
	r = signature.Request{Method: "PUT", Host: "localhost", Path: "/b/o", Header: http.Header{
		"Date": {date}, "Content-Type": {"text/plain"}, "X-Goog-Acl": {"private"},
		"Authorization": {"GOOG1 GOOG1ID:" + base64.StdEncoding.EncodeToString(h.Sum(nil))},
	}}
	if _, err := signature.Verify(t.Context(), r, hmacKeys, now); err != nil {
		t.Error(err)
	}
}

func TestUnsigned(t *testing.T) {
	for _, h := range []http.Header{{}, {"Authorization": {"Bearer token"}}, {"Authorization": {"Basic eDp5"}}} {
		r := signature.Request{Method: "GET", Host: "localhost", Path: "/b/o", Query: "prefix=a", Header: h}
		if signed, err := signature.Verify(t.Context(), r, hmacKeys, now); signed != nil || err != nil {
			t.Errorf("%v: %+v, %v", h, signed, err)
		}
	}
}

// form is one with this policy, signed with the key of hmacKeys.
func form(policy string, fields ...string) map[string]string {
	encoded := base64.StdEncoding.EncodeToString([]byte(policy))
	key := []byte("GOOG4secret")
	for _, part := range []string{"20261201", "auto", "storage", "goog4_request"} {
		key = sum(key, part)
	}
	out := map[string]string{"policy": encoded, "x-goog-algorithm": "GOOG4-HMAC-SHA256", "x-goog-date": "20261201T095900Z",
		"x-goog-credential": "GOOG1ID/20261201/auto/storage/goog4_request", "x-goog-signature": hex.EncodeToString(sum(key, encoded))}
	for i := 0; i+1 < len(fields); i += 2 {
		out[fields[i]] = fields[i+1]
	}
	return out
}

func TestPolicyConditions(t *testing.T) {
	const covered = `["starts-with","$x-goog-algorithm",""],["starts-with","$x-goog-date",""],["starts-with","$x-goog-credential",""],`
	for name, tt := range map[string]struct {
		conditions string
		fields     []string
		want       string // code, empty: all is well
	}{
		"exact":              {`{"key":"o"}`, []string{"key", "o"}, ""},
		"exact, another":     {`{"key":"o"}`, []string{"key", "p"}, "AccessDenied"},
		"eq":                 {`["eq","$Key","o"]`, []string{"key", "o"}, ""},
		"prefix":             {`["starts-with","$key","user/"]`, []string{"key", "user/o"}, ""},
		"prefix, another":    {`["starts-with","$key","user/"]`, []string{"key", "o"}, "AccessDenied"},
		"any":                {`["starts-with","$key",""]`, []string{"key", "o"}, ""},
		"a field more":       {`{"key":"o"}`, []string{"key", "o", "x-goog-meta-a", "b"}, "AccessDenied"},
		"a field to ignore":  {`{"key":"o"}`, []string{"key", "o", "x-ignore-a", "b"}, ""},
		"a field less":       {`{"key":"o"},{"acl":"private"}`, []string{"key", "o"}, "AccessDenied"},
		"number":             {`{"key":"o"},{"success_action_status":201}`, []string{"key", "o", "success_action_status", "201"}, ""},
		"several types":      {`{"key":"o"},["starts-with","$Content-Type","image/"]`, []string{"key", "o", "content-type", "image/png, text/html"}, "AccessDenied"},
		"length":             {`{"key":"o"},["content-length-range",1,5]`, []string{"key", "o"}, ""},
		"length backwards":   {`{"key":"o"},["content-length-range",5,1]`, nil, "InvalidPolicyDocument"},
		"unknown":            {`["matches","$key","o"]`, nil, "InvalidPolicyDocument"},
		"without its dollar": {`["eq","key","o"]`, nil, "InvalidPolicyDocument"},
	} {
		f := form(`{"expiration":"2026-12-01T10:01:00Z","conditions":[`+covered+tt.conditions+`]}`, tt.fields...)
		p, err := signature.VerifyForm(t.Context(), f, hmacKeys, now)
		if err == nil {
			err = p.Allows(f)
		}
		if code(err) != tt.want || (err != nil) != (tt.want != "") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if name == "length" && (p.Min != 1 || p.Max != 5) {
			t.Errorf("length: %d to %d", p.Min, p.Max)
		}
	}
	for name, f := range map[string]map[string]string{
		"unsigned":    {"policy": "e30="},
		"none at all": {},
		"broken":      form(`{"expiration":`),
		"no end":      form(`{"conditions":[]}`),
	} {
		if _, err := signature.VerifyForm(t.Context(), f, hmacKeys, now); code(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("GET", "localhost:80", "/b/o", "X-Goog-Signature=00&X-Goog-Credential=a/20261201/auto/storage/goog4_request&X-Goog-Date=20261201T100000Z&X-Goog-Expires=1&X-Goog-SignedHeaders=host&X-Goog-Algorithm=GOOG4-HMAC-SHA256", "")
	f.Add("GET", "[::1]:80", "/%zz", "Signature=%2B&GoogleAccessId=a@b&Expires=99999999999", "")
	f.Add("PUT", "h", "/", "a=%", "AWS4-HMAC-SHA256 Credential=GOOG1ID/20261201/r/s3/aws4_request,SignedHeaders=host;date,Signature=ff")
	f.Add("PUT", "h", "/", "", "GOOG1 GOOG1ID:x")
	f.Fuzz(func(t *testing.T, method, host, path, query, authorization string) {
		h := http.Header{"Authorization": {authorization}, "Date": {now.Format(http.TimeFormat)}, "X-Amz-Date": {"20261201T100000Z"}, "X-Goog-Date": {"20261201T100000Z"}}
		signed, err := signature.Verify(t.Context(), signature.Request{Method: method, Host: host, Path: path, Query: query, Header: h}, hmacKeys, now)
		if signed != nil {
			t.Errorf("signed without the secret: %+v", signed)
		}
		if err != nil && sunya.CodeOf(err) == sunya.Unknown {
			t.Error(err)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"expiration":"2026-12-01T10:01:00Z","conditions":[{"key":"o"},["eq","$a","b"],["content-length-range",1,2]]}`, "key", "o")
	f.Add(`{"conditions":[[],{},null,[1,2,3]]}`, "", "")
	f.Fuzz(func(t *testing.T, policy, field, value string) {
		fields := form(policy, field, value)
		p, err := signature.VerifyForm(t.Context(), fields, hmacKeys, now)
		if err == nil {
			err = p.Allows(fields)
		}
		if err != nil && sunya.CodeOf(err) == sunya.Unknown {
			t.Error(err)
		}
	})
}
