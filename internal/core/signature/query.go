package signature

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pair is one parameter of a query, decoded.
type pair struct{ name, value string }

// query is all parameters in the order in which they were sent.
type query []pair

// parseQuery reads a raw query. A plus is a space to net/url and to browsers'
// forms, but a plus to those who sign; they escape both, so it may be either.
func parseQuery(raw string) (query, error) {
	var out query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return nil, refuse("InvalidArgument", "the query %q is not well-formed", part)
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, refuse("InvalidArgument", "the query %q is not well-formed", part)
		}
		out = append(out, pair{n, v})
	}
	return out, nil
}

func (q query) has(name string) bool {
	return slices.ContainsFunc(q, func(p pair) bool { return p.name == name })
}

// get returns the first value of a parameter. Names of V4 are compared as they
// are: a second spelling could hide what another program sees.
func (q query) get(name string) string {
	for _, p := range q {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// canonical is the query as V4 signs it: every byte escaped that is not
// unreserved, in order of the escaped names and values, without one parameter.
func (q query) canonical(without string) string {
	var parts []string
	for _, p := range q {
		if p.name != without {
			parts = append(parts, escape(p.name, false)+"="+escape(p.value, false))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// escape writes unreserved characters as they are (RFC 3986 §2.3), and the slash
// where it separates segments, everything else in upper-case hex.
func escape(s string, slashes bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && slashes:
			b.WriteByte(c)
		default:
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}

// authorization splits the Authorization header.
func authorization(h http.Header) (scheme, credentials string) {
	scheme, credentials, _ = strings.Cut(h.Get("Authorization"), " ")
	return scheme, strings.TrimSpace(credentials)
}

// squeeze is the value of a header as it is signed: trimmed, and every run of
// blanks one.
func squeeze(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(out, ",")
}
