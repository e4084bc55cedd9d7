// Package page is what the lists of all APIs have in common: page sizes and
// page tokens (AIP-158).
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/sunya-cloud/sunya"
)

// Size returns how many items a page has: asked, but at most limit, and def
// when nothing was asked for. A negative size is InvalidArgument.
func Size(asked, def, limit int) (int, error) {
	switch {
	case asked < 0:
		return 0, sunya.Invalid("pageSize", "%d is negative: use 0 for the default or a positive number", asked)
	case asked == 0:
		return def, nil
	}
	return min(asked, limit), nil
}

// version is the first byte of a token, so that a later server can tell tokens
// of this form from its own.
const version = 1

// queryBytes is how much of the query's hash a token carries: enough to notice
// a mistake, which is all that it is for.
const queryBytes = 8

// maxToken is the longest token that is looked at.
const maxToken = 8 << 10

// Token makes the token of the page that begins behind cursor. query is
// everything that selects and orders the items (parent, filter, …) but not the
// page size, which may change from page to page. The token of an empty cursor
// is empty: there is no next page.
func Token(cursor string, query ...string) string {
	if cursor == "" {
		return ""
	}
	b := append([]byte{version}, digest(query)...)
	return base64.RawURLEncoding.EncodeToString(append(b, cursor...))
}

// Cursor returns the cursor in a token that Token made for the same query; the
// empty token stands for the first page. Any other token is InvalidArgument.
func Cursor(token string, query ...string) (string, error) {
	if token == "" {
		return "", nil
	}
	if len(token) > maxToken {
		return "", invalid()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= 1+queryBytes || b[0] != version {
		return "", invalid()
	}
	if string(b[1:1+queryBytes]) != string(digest(query)) {
		return "", sunya.Invalid("pageToken", "the token belongs to another list: repeat the first call's parameters, or leave the token out to begin again")
	}
	return string(b[1+queryBytes:]), nil
}

func invalid() error {
	return sunya.Invalid("pageToken", "not a token that this server gave out: pass nextPageToken as it came, or leave it out to begin again")
}

// digest hashes the parts of a query, each with its length, so that no two
// queries look alike.
func digest(query []string) []byte {
	h := sha256.New()
	for _, part := range query {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:queryBytes]
}
