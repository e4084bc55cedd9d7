package storagexml

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// getObject answers GET and HEAD.
func (h *handler) getObject(w http.ResponseWriter, r *http.Request, t target) error {
	gen, err := generation(r.URL.Query())
	if err != nil {
		return err
	}
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	return h.media.Download(w, r, media.Target{Bucket: t.bucket, Object: t.object, Generation: gen, Conditions: cond})
}

// conditions reads the preconditions in the headers of a request.
func conditions(h http.Header) (objects.Conditions, error) {
	var c objects.Conditions
	var err error
	if c.GenerationMatch, err = number("x-goog-if-generation-match", h.Get("X-Goog-If-Generation-Match")); err != nil {
		return c, err
	}
	c.MetagenerationMatch, err = number("x-goog-if-metageneration-match", h.Get("X-Goog-If-Metageneration-Match"))
	return c, err
}

// generation reads the generation that a request means; 0 is the live one.
func generation(q url.Values) (int64, error) {
	n, err := number("generation", q.Get("generation"))
	if n == nil {
		return 0, err
	}
	return *n, nil
}

// number reads an optional int64; nil when it is not there.
func number(name, s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return nil, sunya.Invalid(name, "%q is not a number of 0 or more", s)
	}
	return &n, nil
}
