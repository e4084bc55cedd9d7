package storagev1

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// startUpload answers with the Location where the bytes go.
func (h *handler) startUpload(w http.ResponseWriter, r *http.Request, t target) error {
	doc, err := document(r.Body)
	if err != nil {
		return err
	}
	n, err := h.newObject(r, t.bucket, doc)
	if err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = r.Header.Get("X-Upload-Content-Type")
	}
	total := int64(-1)
	if s := r.Header.Get("X-Upload-Content-Length"); s != "" {
		var ok bool
		if total, ok = media.Digits(s); !ok {
			return sunya.Invalid("X-Upload-Content-Length", "%q is not a number of bytes", s)
		}
	}
	u, err := h.objects.StartUpload(r.Context(), n, total)
	if err != nil {
		return err
	}
	q := url.Values{"uploadType": {"resumable"}, "upload_id": {u.ID}}
	w.Header().Set("Location", media.Base(r)+"/upload/storage/v1/b/"+t.bucket+"/o?"+q.Encode())
	w.Header().Set("X-GUploader-UploadID", u.ID)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
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
	u, o, err := h.objects.AppendUpload(r.Context(), id, part)
	if err != nil {
		return err
	}
	if o != nil {
		w.Header().Set("X-GUploader-UploadID", id)
		return h.replyObject(w, r, o)
	}
	media.Incomplete(w, r, u)
	return nil
}

// uploadID returns the upload of a request if it is one of the bucket's.
func (h *handler) uploadID(r *http.Request, t target) (string, error) {
	id := r.URL.Query().Get("upload_id")
	u, _, err := h.objects.GetUpload(r.Context(), id)
	if err != nil {
		return "", err
	}
	if u.Object.Bucket != t.bucket {
		return "", sunya.Errorf(sunya.NotFound, id, "the upload does not exist")
	}
	return id, nil
}

func (h *handler) cancelUpload(w http.ResponseWriter, r *http.Request, t target) error {
	id, err := h.uploadID(r, t)
	if err != nil {
		return err
	}
	if err := h.objects.CancelUpload(r.Context(), id); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(media.StatusCanceled)
	return nil
}

// quote encodes a string as JSON; a string always can be.
func quote(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}
