package storagexml

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// target is what a request is about: the service, a bucket, or an object.
type target struct{ bucket, object string }

// storageHost is the API's name at Google.
const storageHost = "storage.googleapis.com"

// bucketOfHost returns the bucket that a host names: BUCKET.storage.googleapis.com,
// or BUCKET.storage.api.DOMAIN; "" if none.
func bucketOfHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	if bucket, ok := strings.CutSuffix(host, "."+storageHost); ok {
		return bucket
	}
	bucket, _, ok := strings.Cut(host, ".storage.api.")
	if !ok {
		return ""
	}
	return bucket
}

// parseTarget reads /BUCKET/OBJECT, or /OBJECT where the host names the bucket.
func parseTarget(r *http.Request) (target, error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	bucket, object := bucketOfHost(r.Host), path
	if bucket == "" {
		bucket, object, _ = strings.Cut(path, "/")
	}
	var t target
	var err error
	if t.bucket, err = unescape(bucket); err != nil {
		return t, err
	}
	t.object, err = unescape(object)
	return t, err
}

func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", sunya.Invalid("path", "%q is not a well-formed path", s)
	}
	return out, nil
}
