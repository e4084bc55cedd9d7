package signature

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subresources are the parameters that V2 signs, those of boto (gsutil) among them.
func subresources() []string {
	return []string{"acl", "billing", "compose", "cors", "defaultObjectAcl", "delete", "encryption", "encryptionConfig", "lifecycle",
		"location", "logging", "partNumber", "policy", "requestPayment", "restore", "storageClass", "tagging", "torrent", "upload_id",
		"uploadId", "uploads", "userProject", "versionId", "versioning", "versions", "website", "websiteConfig"}
}

// queryV2 checks a V2 signed URL: ?GoogleAccessId=…&Expires=…&Signature=….
func (v *verifier) queryV2(ctx context.Context) (*Signed, error) {
	id, ext := v.query.get("GoogleAccessId"), "x-goog-"
	if id == "" {
		id, ext = v.query.get("AWSAccessKeyId"), "x-amz-"
	}
	expires := v.query.get("Expires")
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return nil, refuse("InvalidArgument", "Expires is %.40q, not seconds since 1970", expires)
	}
	if v.now.Unix() > end {
		return nil, refuse("ExpiredToken", "the signature expired at %s", time.Unix(end, 0).UTC().Format(time.RFC3339))
	}
	return v.checkV2(ctx, id, v.query.get("Signature"), expires, ext)
}

// headerV2 checks an Authorization header: GOOG1 ID:SIGNATURE, or AWS.
func (v *verifier) headerV2(ctx context.Context, scheme, credentials string) (*Signed, error) {
	id, signature, _ := strings.Cut(credentials, ":")
	ext, date := "x-goog-", v.Header.Get("Date")
	if scheme == "AWS" {
		ext = "x-amz-"
	}
	sent, err := http.ParseTime(date)
	if own := v.Header.Get(ext + "Date"); own != "" {
		sent, err = http.ParseTime(own)
		date = "" // it is among the headers
	}
	if err != nil {
		return nil, refuse("AccessDenied", "a signed request needs a Date")
	}
	if v.now.Sub(sent).Abs() > maxSkew {
		return nil, refuse("RequestTimeTooSkewed", "the request is from %s, more than %v away from the server's time", sent.UTC().Format(time.RFC3339), maxSkew)
	}
	return v.checkV2(ctx, id, signature, date, ext)
}

func (v *verifier) checkV2(ctx context.Context, id, signature, date, ext string) (*Signed, error) {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil, refuse("InvalidArgument", "the signature is not base64")
	}
	good, err := v.keyV2(ctx, id, raw)
	if err != nil {
		return nil, err
	}
	why := &Error{Code: "SignatureDoesNotMatch"}
	for _, path := range v.pathsV2() {
		toSign := strings.Join([]string{v.Method, v.Header.Get("Content-Md5"), v.Header.Get("Content-Type"), date,
			v.extensions(ext) + v.resourceV2(path)}, "\n")
		if good(toSign) {
			return &Signed{Signer: id}, nil
		}
		why.ToSign = toSign
	}
	return nil, refused(why, "the signature is not that of this request: compare the string to sign with yours")
}

// keyV2 is an account's key where the signer is an address, else an HMAC key.
func (v *verifier) keyV2(ctx context.Context, id string, signature []byte) (func(string) bool, error) {
	if strings.Contains(id, "@") {
		return v.rsaKey(ctx, id, signature)
	}
	secret, err := v.secret(ctx, id)
	if err != nil {
		return nil, err
	}
	return func(toSign string) bool {
		h := hmac.New(sha1.New, []byte(secret)) // V2 knows no other
		h.Write([]byte(toSign))
		return hmac.Equal(h.Sum(nil), signature)
	}, nil
}

// pathsV2 are the forms of the path, with the bucket in front that the host names.
func (v *verifier) pathsV2() []string {
	out := []string{v.Path}
	if v.Bucket != "" {
		out = []string{"/" + v.Bucket + v.Path}
	}
	if plain, err := url.PathUnescape(out[0]); err == nil {
		out = append(out, escape(plain, true), plain)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// extensions are the headers of Google, or of S3, one a line. Keys of the
// caller's own are not signed.
func (v *verifier) extensions(prefix string) string {
	var lines []string
	for name, values := range v.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, prefix) && lower != "x-goog-encryption-key" && lower != "x-goog-encryption-key-sha256" {
			lines = append(lines, lower+":"+squeeze(values)+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// resourceV2 is the path with the parameters that are signed.
func (v *verifier) resourceV2(path string) string {
	var parts []string
	for _, p := range v.query {
		if !slices.Contains(subresources(), p.name) {
			continue
		}
		if p.value == "" {
			parts = append(parts, p.name)
			continue
		}
		parts = append(parts, p.name+"="+p.value)
	}
	if len(parts) == 0 {
		return path
	}
	slices.Sort(parts)
	return path + "?" + strings.Join(parts, "&")
}
