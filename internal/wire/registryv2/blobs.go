package registryv2

import (
	"net/http"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// getBlob sends a blob, or the part of it that was asked for.
func (h *handler) getBlob(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.haveBlob(r, &t); err != nil {
		return err
	}
	b, body, err := h.Registry.OpenBlob(r.Context(), t.repository, t.item)
	if err != nil {
		return err
	}
	describeBlob(w, b)
	http.ServeContent(w, r, "", time.Time{}, body)
	return body.Close()
}

// headBlob is also how clients ask what need not be pushed.
func (h *handler) headBlob(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.haveBlob(r, &t); err != nil {
		return err
	}
	b, err := h.Registry.Offer(r.Context(), t.repository, t.item)
	if err != nil {
		return err
	}
	describeBlob(w, b)
	w.Header().Set("Content-Length", strconv.FormatInt(b.Size, 10))
	return nil
}

// haveBlob brings a blob of another registry here when it is not yet, and finds
// the repository that has it.
func (h *handler) haveBlob(r *http.Request, t *target) (err error) {
	if t.host != "" {
		t.repository, err = h.Upstream.Blob(r.Context(), t.host, t.name, t.item, t.own)
	}
	return err
}

func describeBlob(w http.ResponseWriter, b *registry.Blob) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", b.Digest)
	w.Header().Set("Etag", `"`+b.Digest+`"`)
}

func (h *handler) deleteBlob(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.Registry.DeleteBlob(r.Context(), t.repository, t.item); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
