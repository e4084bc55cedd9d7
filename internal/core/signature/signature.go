// Package signature checks requests and forms that carry a signature instead of
// a token, as Cloud Storage has them: V4 and V2 signed URLs, signed headers of
// clients with HMAC keys, and POST policies.
//
// It knows nothing of buckets: whoever holds a key may what the request says.
package signature

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Keys knows whose signature may count.
type Keys interface {
	// RSA returns the public keys of a service account, by its e-mail address;
	// none for an account that has none.
	RSA(ctx context.Context, account string) ([]*rsa.PublicKey, error)
	// Secret returns the secret of an HMAC key that is active; NotFound.
	Secret(ctx context.Context, accessID string) (string, error)
}

// Request is what a signature covers of a request.
type Request struct {
	Method string
	Host   string // as it was sent
	Path   string // escaped, as it was sent
	Query  string // raw
	Bucket string // that the host names, for V2; or empty
	Header http.Header
	Length int64 // of the body; below 0 if unknown
}

// Signed is what a good signature says.
type Signed struct {
	Signer string // e-mail address of the account, or access id of the key
	// Payload is the SHA-256 of the body in hex, empty if it is not signed.
	Payload string
}

// Error is why a signature does not count, by the name that Storage's XML API
// has for it. It is the cause of a sunya.Error.
type Error struct {
	Code      string // SignatureDoesNotMatch, ExpiredToken, …
	Canonical string // the request as it was understood; empty if that is not why
	ToSign    string // the string whose signature was expected
}

// Error implements error.
func (e *Error) Error() string { return e.Code }

func refuse(code, format string, args ...any) error {
	return refused(&Error{Code: code}, format, args...)
}

func refused(cause *Error, format string, args ...any) error {
	status := sunya.PermissionDenied
	switch cause.Code {
	case "ExpiredToken", "InvalidArgument", "InvalidPolicyDocument", "MalformedSecurityHeader":
		status = sunya.InvalidArgument
	}
	return &sunya.Error{Code: status, Message: fmt.Sprintf(format, args...), Err: cause}
}

// maxSkew is how far the clock of a signer may be from ours.
const maxSkew = 15 * time.Minute

// maxLife is how long a V4 signed URL may count
// (cloud.google.com/storage/docs/access-control/signed-urls).
const maxLife = 7 * 24 * time.Hour

// Verify checks the signature of a request. Without one it returns nil, nil.
func Verify(ctx context.Context, r Request, keys Keys, now time.Time) (*Signed, error) {
	q, err := parseQuery(r.Query)
	if err != nil {
		return nil, err
	}
	v := &verifier{Request: r, query: q, keys: keys, now: now}
	scheme, credentials := authorization(r.Header)
	switch {
	case q.has("X-Goog-Signature"):
		return v.queryV4(ctx, googleV4)
	case q.has("X-Amz-Signature"):
		return v.queryV4(ctx, amazonV4)
	case q.has("Signature") && (q.has("GoogleAccessId") || q.has("AWSAccessKeyId")):
		return v.queryV2(ctx)
	case scheme == googleV4.hmac || scheme == googleV4.rsa:
		return v.headerV4(ctx, googleV4, scheme, credentials)
	case scheme == amazonV4.hmac:
		return v.headerV4(ctx, amazonV4, scheme, credentials)
	case scheme == "GOOG1", scheme == "AWS":
		return v.headerV2(ctx, scheme, credentials)
	}
	return nil, nil
}

// verifier checks one request.
type verifier struct {
	Request
	query query
	keys  Keys
	now   time.Time
}
