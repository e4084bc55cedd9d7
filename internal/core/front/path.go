package front

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// CanonicalPath returns the one form of an escaped path: unreserved characters
// bare, all others that were escaped in upper-case hex (RFC 3986 §6.2.2).
//
// A path that servers are known to read differently is InvalidArgument instead
// of being repaired: empty and dot segments, also behind an escaped slash or
// dot, backslashes and control characters. An escaped slash as such is data (the
// name of a storage object).
func CanonicalPath(escaped string) (string, error) {
	if !strings.HasPrefix(escaped, "/") {
		return "", badPath(escaped)
	}
	var b strings.Builder
	b.Grow(len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			v, ok := unhex(escaped[i+1:])
			if !ok {
				return "", badPath(escaped)
			}
			i += 2
			if !unreserved(v) {
				if control(v) {
					return "", badPath(escaped)
				}
				b.WriteString(escapeByte(v))
				continue
			}
			c = v
		}
		if control(c) || c == '\\' {
			return "", badPath(escaped)
		}
		b.WriteByte(c)
	}
	path := b.String()
	if ambiguous(path) {
		return "", badPath(escaped)
	}
	return path, nil
}

func badPath(path string) error {
	return sunya.Invalid("path", "%.200q has empty, dot or control parts, or a broken escape", path)
}

// ambiguous says whether a canonical path has segments that some server would
// resolve or join.
func ambiguous(path string) bool {
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "" && i < len(segments)-1 {
			return true
		}
		if !strings.Contains(s, ".") {
			continue
		}
		s = strings.ReplaceAll(strings.ReplaceAll(s, "%2F", "/"), "%5C", "/")
		for part := range strings.SplitSeq(s, "/") {
			if part == "." || part == ".." {
				return true
			}
		}
	}
	return false
}

// unhex reads two hexadecimal digits.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := digit(s[0]), digit(s[1])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// digit is the value of a hexadecimal digit, or 255.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func escapeByte(c byte) string {
	const hex = "0123456789ABCDEF"
	return string([]byte{'%', hex[c>>4], hex[c&15]})
}

// unreserved is RFC 3986 §2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func control(c byte) bool { return c < 0x20 || c == 0x7f }

// withPath returns r as it is seen under a canonical path, so that a handler
// cannot read another one out of it.
func withPath(r *http.Request, path string) *http.Request {
	if r.URL.Path == path && r.URL.RawPath == "" {
		return r
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path // cannot be: CanonicalPath wrote the escapes
	}
	u := *r.URL
	u.Path, u.RawPath = plain, path
	out := *r
	out.URL = &u
	return &out
}
