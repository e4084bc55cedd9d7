package storagexml

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/signature"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// startUpload answers POST, or PUT, with x-goog-resumable: start. Where the bytes
// go is a URL that needs no signature: its id is one.
func (h *handler) startUpload(w http.ResponseWriter, r *http.Request, t target) error {
	if r.Header.Get("X-Goog-Resumable") != "start" {
		return sunya.Invalid("x-goog-resumable", "a POST of an object begins a resumable upload with x-goog-resumable: start")
	}
	n, err := h.asked(r, t)
	if err != nil {
		return err
	}
	n.Expect.MD5, n.Expect.CRC32C = nil, nil // of this empty body
	if kind := r.Header.Get("X-Upload-Content-Type"); kind != "" {
		n.ContentType = kind
	}
	total, err := number("x-upload-content-length", r.Header.Get("X-Upload-Content-Length"))
	if err != nil {
		return err
	}
	if total == nil {
		unknown := int64(-1)
		total = &unknown
	}
	u, err := h.Objects.StartUpload(r.Context(), n, *total)
	if err != nil {
		return err
	}
	w.Header().Set("Location", media.Base(r)+r.URL.EscapedPath()+"?upload_id="+url.QueryEscape(u.ID))
	w.Header().Set("X-GUploader-UploadID", u.ID)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// appendUpload takes a part, or says how far the upload is.
func (h *handler) appendUpload(w http.ResponseWriter, r *http.Request, t target) error {
	id, err := h.uploadID(r, t)
	if err != nil {
		return err
	}
	part, err := media.Part(r)
	if err != nil {
		return err
	}
	u, o, err := h.Objects.AppendUpload(r.Context(), id, part)
	if err != nil {
		return err
	}
	if o == nil {
		media.Incomplete(w, r, u)
		return nil
	}
	objectHeaders(w.Header(), o)
	w.Header().Set("X-GUploader-UploadID", id)
	w.Header().Set("Content-Length", strconv.Itoa(0))
	w.WriteHeader(http.StatusOK)
	return nil
}

// uploadID returns the upload of a request if it is one of the object's.
func (h *handler) uploadID(r *http.Request, t target) (string, error) {
	id := r.URL.Query().Get("upload_id")
	u, _, err := h.Objects.GetUpload(r.Context(), id)
	if err != nil {
		return "", err
	}
	if u.Object.Bucket != t.bucket || u.Object.Name != t.object || u.Multipart {
		return "", noSuchUpload(id)
	}
	return id, nil
}

func noSuchUpload(id string) error {
	return &sunya.Error{Code: sunya.NotFound, Resource: id, Message: "the upload does not exist", Err: &signature.Error{Code: "NoSuchUpload"}}
}

// cancelUpload answers DELETE.
func (h *handler) cancelUpload(w http.ResponseWriter, r *http.Request, t target) error {
	id, err := h.uploadID(r, t)
	if err != nil {
		return err
	}
	if err := h.Objects.CancelUpload(r.Context(), id); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(media.StatusCanceled)
	return nil
}
