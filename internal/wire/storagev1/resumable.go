package storagev1

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// startUpload answers with the Location where the bytes go.
func (h *handler) startUpload(w http.ResponseWriter, r *http.Request, t target) error {
	doc, err := document(r.Body)
	if err != nil {
		return err
	}
	n, err := newObject(t.bucket, r.URL.Query(), doc)
	if err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = r.Header.Get("X-Upload-Content-Type")
	}
	total := int64(-1)
	if s := r.Header.Get("X-Upload-Content-Length"); s != "" {
		var ok bool
		if total, ok = digits(s); !ok {
			return sunya.Invalid("X-Upload-Content-Length", "%q is not a number of bytes", s)
		}
	}
	u, err := h.objects.StartUpload(r.Context(), n, total)
	if err != nil {
		return err
	}
	q := url.Values{"uploadType": {"resumable"}, "upload_id": {u.ID}}
	w.Header().Set("Location", base(r)+"/upload/storage/v1/b/"+t.bucket+"/o?"+q.Encode())
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
	part, err := uploadPart(r)
	if err != nil {
		return err
	}
	u, o, err := h.objects.AppendUpload(r.Context(), id, part)
	if err != nil {
		return err
	}
	if o != nil {
		w.Header().Set("X-GUploader-UploadID", id)
		return replyObject(w, r, o)
	}
	incomplete(w, r, u)
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

// uploadPart reads what a request brings. Without Content-Range it is the whole
// object.
func uploadPart(r *http.Request) (objects.Part, error) {
	expect, err := headerChecksums(r.Header)
	if err != nil {
		return objects.Part{}, err
	}
	p := objects.Part{Size: r.ContentLength, Total: r.ContentLength, Body: client{r.Body}, Expect: expect}
	header := r.Header.Get("Content-Range")
	if header == "" {
		return p, nil
	}
	c, err := parseContentRange(header)
	if err != nil {
		return objects.Part{}, err
	}
	p.Start, p.Size, p.Total = c.start, c.size, c.total
	if c.size < 0 {
		p.Body, p.Size = nil, 0
	}
	if r.ContentLength >= 0 && r.ContentLength != p.Size {
		return objects.Part{}, sunya.Invalid("Content-Range", "%q, but the body has %d bytes", header, r.ContentLength)
	}
	return p, nil
}

// incomplete says how many bytes are stored. 308 means something else to
// clients that follow RFC 9110; they ask for another form of it.
func incomplete(w http.ResponseWriter, r *http.Request, u *objects.Upload) {
	header := w.Header()
	header.Set("X-GUploader-UploadID", u.ID)
	header.Set("Content-Length", "0")
	if n := u.Received(); n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=0-%d", n-1))
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		header.Set("X-Http-Status-Code-Override", strconv.Itoa(http.StatusPermanentRedirect))
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// statusCanceled is what Storage answers to a cancelled upload.
const statusCanceled = 499

func (h *handler) cancelUpload(w http.ResponseWriter, r *http.Request, t target) error {
	id, err := h.uploadID(r, t)
	if err != nil {
		return err
	}
	if err := h.objects.CancelUpload(r.Context(), id); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(statusCanceled)
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
