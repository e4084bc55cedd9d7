package objects

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
)

const (
	maxBucketName    = 222
	maxBucketLabel   = 63
	maxObjectName    = 1024
	maxMetadataBytes = 8 << 10
	maxContentType   = 1024
)

var (
	bucketRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*$`)
	ipv4RE   = regexp.MustCompile(`^[0-9]+(\.[0-9]+){3}$`)
)

// CheckBucketName reports whether name can be a bucket's
// (cloud.google.com/storage/docs/buckets#naming).
func CheckBucketName(name string) error {
	if err := checkBucketShape(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "goog") || strings.Contains(name, "google") {
		return sunya.Invalid("name", "%q: a bucket's name does not begin with goog or contain google", name)
	}
	return nil
}

// checkBucketShape is the part of the rule that a product's own buckets keep
// too, whatever the project is called.
func checkBucketShape(name string) error {
	limit := maxBucketLabel
	if strings.Contains(name, ".") {
		limit = maxBucketName
	}
	if len(name) < 3 || len(name) > limit {
		return sunya.Invalid("name", "%q: a bucket's name has 3 to 63 characters, 222 with dots", clip(name))
	}
	if !bucketRE.MatchString(name) || ipv4RE.MatchString(name) {
		return sunya.Invalid("name", "%q: a bucket's name consists of lower-case letters, digits, dashes, underscores and dots, begins and ends with a letter or digit, and is no IP address", name)
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > maxBucketLabel {
			return sunya.Invalid("name", "%q: each part of a bucket's name between dots has at most 63 characters", name)
		}
	}
	return nil
}

// CheckObjectName reports whether name can be an object's
// (cloud.google.com/storage/docs/objects#naming).
func CheckObjectName(name string) error {
	switch {
	case name == "":
		return sunya.Invalid("name", "an object needs a name")
	case len(name) > maxObjectName:
		return sunya.Invalid("name", "%q: an object's name has at most 1024 bytes", clip(name))
	case !utf8.ValidString(name):
		return sunya.Invalid("name", "%q: an object's name is UTF-8", clip(name))
	case strings.ContainsAny(name, "\r\n\x00"):
		return sunya.Invalid("name", "%q: an object's name has no line break and no zero byte", clip(name))
	case name == "." || name == "..", strings.HasPrefix(name, ".well-known/acme-challenge/"):
		return sunya.Invalid("name", "%q is reserved", clip(name))
	}
	return nil
}

// checkContentType holds for what is sent as a header with the object's bytes.
func checkContentType(s string) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case len(s) > maxContentType:
		return sunya.Invalid("contentType", "%q: a content type has at most %d bytes", clip(s), maxContentType)
	case strings.ContainsFunc(s, control):
		return sunya.Invalid("contentType", "%q: a content type has no control characters", clip(s))
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
		if strings.ContainsAny(k+v, "\r\n\x00") {
			return sunya.Invalid("metadata", "%q: keys and values have no line break", clip(k))
		}
	}
	if n > maxMetadataBytes {
		return sunya.Invalid("metadata", "%d bytes of custom metadata: at most %v are kept", n, sunya.Bytes(maxMetadataBytes))
	}
	return nil
}

// clip keeps what an error repeats of the input short.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
