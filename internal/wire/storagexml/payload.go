package storagexml

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/signature"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// payload returns the body of an upload, which ends in an error unless it has the
// hash and the length that the headers announce.
func payload(r *http.Request) (io.Reader, error) {
	var body io.Reader = media.Body{Reader: r.Body}
	if limits := r.Header.Get("X-Goog-Content-Length-Range"); limits != "" {
		least, most, err := lengthRange(limits)
		if err != nil {
			return nil, err
		}
		if r.ContentLength >= 0 && (r.ContentLength < least || r.ContentLength > most) {
			return nil, outside(r.ContentLength, least, most)
		}
		body = &ranged{Reader: body, least: least, most: most}
	}
	want := header(r.Header, "Content-Sha256")
	if strings.HasPrefix(want, "STREAMING-") {
		return nil, sunya.Errorf(sunya.Unimplemented, "", "bodies in chunks with trailers (%s) are not implemented: send the object as it is", want)
	}
	if _, err := hex.DecodeString(want); err != nil || len(want) != 2*sha256.Size {
		return body, nil // UNSIGNED-PAYLOAD, or nothing
	}
	return &hashed{Reader: body, want: strings.ToLower(want), sum: sha256.New()}, nil
}

// lengthRange reads MIN,MAX.
func lengthRange(s string) (least, most int64, err error) {
	a, b, _ := strings.Cut(s, ",")
	least, err = strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	if err == nil {
		most, err = strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	}
	if err != nil || least < 0 || most < least {
		return 0, 0, sunya.Invalid("x-goog-content-length-range", "%q is not MIN,MAX", s)
	}
	return least, most, nil
}

// outside is the error of an object that is too small or too large for what was
// signed.
func outside(n, least, most int64) error {
	code, word := "EntityTooSmall", "at least"
	if n > most {
		code, word, least = "EntityTooLarge", "at most", most
	}
	return &sunya.Error{Code: sunya.InvalidArgument, Message: "the object has " + word + " " + strconv.FormatInt(least, 10) + " bytes", Err: &signature.Error{Code: code}}
}

// ranged ends in an error outside its limits.
type ranged struct {
	io.Reader
	n, least, most int64
}

// Read implements io.Reader.
func (r *ranged) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += int64(n)
	if r.n > r.most || err == io.EOF && r.n < r.least {
		return 0, outside(r.n, r.least, r.most)
	}
	return n, err
}

// hashed ends in an error unless the bytes are those that were signed.
type hashed struct {
	io.Reader
	want string
	sum  hash.Hash
}

// Read implements io.Reader.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.sum.Write(p[:n])
	if err != io.EOF {
		return n, err
	}
	if got := hex.EncodeToString(h.sum.Sum(nil)); got != h.want {
		return 0, &sunya.Error{Code: sunya.InvalidArgument, Message: "the body's SHA-256 is " + got + ", not the " + h.want + " that was announced",
			Err: &signature.Error{Code: "XAmzContentSHA256Mismatch"}}
	}
	return n, err
}
