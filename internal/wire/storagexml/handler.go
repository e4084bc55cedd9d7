// Package storagexml speaks Cloud Storage's XML API: what clients read objects
// with, signed URLs and forms in browsers, and tools that were made for S3
// (cloud.google.com/storage/docs/xml-api/reference-methods).
package storagexml

import (
	"log/slog"
	"net/http"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// Deps is what the API stands on.
type Deps struct {
	Objects *objects.Service
	Log     *slog.Logger
}

// handler answers requests whose caller has been checked already.
type handler struct {
	Deps
	media *media.Server
}

// New returns the API.
func New(d Deps) http.Handler {
	d.Log = d.Log.With("component", "storagexml")
	return &handler{Deps: d, media: media.New(d.Objects, d.Log)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := parseTarget(r)
	if err == nil {
		err = h.dispatch(w, r, t)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// fail is the one place where an error becomes an answer.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := media.Classify(err, r.Method == http.MethodGet || r.Method == http.MethodHead)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		h.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	if f.Status == http.StatusNotModified {
		w.WriteHeader(f.Status)
		return
	}
	f.WriteXML(w, r)
}

// endpoint answers one kind of request.
type endpoint func(w http.ResponseWriter, r *http.Request, t target) error

func (h *handler) dispatch(w http.ResponseWriter, r *http.Request, t target) error {
	var table map[string]endpoint
	switch {
	case t.bucket == "":
		return sunya.Errorf(sunya.NotFound, "", "nothing is here")
	case t.object == "":
		table = map[string]endpoint{"GET": h.listObjects}
	default:
		table = map[string]endpoint{"GET": h.getObject, "HEAD": h.getObject}
	}
	if do, ok := table[r.Method]; ok {
		return do(w, r, t)
	}
	return sunya.Errorf(sunya.Unimplemented, "", "%s is not implemented in the XML API", r.Method)
}
