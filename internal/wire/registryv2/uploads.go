package registryv2

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// beginUpload starts an upload, or ends it at once: with a blob of another
// repository (mount), or with the body (digest).
func (h *handler) beginUpload(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	if digest := q.Get("mount"); digest != "" {
		done, err := h.mount(w, r, t, q.Get("from"), digest)
		if done || err != nil {
			return err
		}
	}
	if digest := q.Get("digest"); digest != "" {
		b, err := h.Registry.Put(r.Context(), t.repository, digest, r.Body)
		if err != nil {
			return err
		}
		return uploaded(w, t, b.Digest)
	}
	id, err := h.Registry.BeginUpload(r.Context(), t.repository)
	if err != nil {
		return err
	}
	t.item = id
	return progress(w, t, 0, http.StatusAccepted)
}

// mount reports whether the blob was there to be mounted.
func (h *handler) mount(w http.ResponseWriter, r *http.Request, t target, from, digest string) (bool, error) {
	if from != "" {
		from = h.Names.InRegistry("", from)
		if err := h.permit(r, from); err != nil {
			return false, err
		}
	}
	err := h.Registry.Mount(r.Context(), t.repository, from, digest)
	if sunya.CodeOf(err) == sunya.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, uploaded(w, t, digest)
}

func uploaded(w http.ResponseWriter, t target, digest string) error {
	w.Header().Set("Location", "/v2/"+t.name+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// progress says how far an upload is and where it goes on.
func progress(w http.ResponseWriter, t target, size int64, status int) error {
	w.Header().Set("Location", "/v2/"+t.name+"/blobs/uploads/"+t.item)
	w.Header().Set("Docker-Upload-UUID", t.item)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	w.WriteHeader(status)
	return nil
}

func (h *handler) getUpload(w http.ResponseWriter, r *http.Request, t target) error {
	size, err := h.Registry.Uploaded(r.Context(), t.repository, t.item)
	if err != nil {
		return err
	}
	return progress(w, t, size, http.StatusNoContent)
}

func (h *handler) patchUpload(w http.ResponseWriter, r *http.Request, t target) error {
	size, err := h.append(w, r, t)
	if err != nil {
		return err
	}
	return progress(w, t, size, http.StatusAccepted)
}

// putUpload ends an upload, with a last chunk if there is a body.
func (h *handler) putUpload(w http.ResponseWriter, r *http.Request, t target) error {
	digest := r.URL.Query().Get("digest")
	if err := registry.CheckDigest(digest); err != nil {
		return err
	}
	if r.ContentLength != 0 {
		if _, err := h.append(w, r, t); err != nil {
			return err
		}
	}
	b, err := h.Registry.FinishUpload(r.Context(), t.repository, t.item, digest)
	if err != nil {
		return err
	}
	return uploaded(w, t, b.Digest)
}

// append adds the body to an upload. Where it does not fit, the answer says how
// far the upload is.
func (h *handler) append(w http.ResponseWriter, r *http.Request, t target) (int64, error) {
	at, err := chunkStart(r)
	if err != nil {
		return 0, err
	}
	size, err := h.Registry.Append(r.Context(), t.repository, t.item, at, r.Body)
	if sunya.CodeOf(err) == sunya.OutOfRange {
		w.Header().Set("Location", "/v2/"+t.name+"/blobs/uploads/"+t.item)
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	}
	return size, err
}

// chunkStart reads Content-Range: FIRST-LAST; -1 when it is not there.
func chunkStart(r *http.Request) (int64, error) {
	header := r.Header.Get("Content-Range")
	if header == "" {
		return -1, nil
	}
	text := strings.TrimPrefix(header, "bytes ")
	text, _, _ = strings.Cut(text, "/")
	a, b, ok := strings.Cut(text, "-")
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil || first < 0 || last < first-1 {
		return 0, because(sunya.InvalidArgument, registry.BlobUploadInvalid, "Content-Range %.100q is not FIRST-LAST", header)
	}
	if r.ContentLength >= 0 && r.ContentLength != last-first+1 {
		return 0, because(sunya.InvalidArgument, registry.SizeInvalid, "Content-Range %s has %d bytes, and the body %d", header, last-first+1, r.ContentLength)
	}
	return first, nil
}

func (h *handler) cancelUpload(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.Registry.CancelUpload(r.Context(), t.repository, t.item); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
