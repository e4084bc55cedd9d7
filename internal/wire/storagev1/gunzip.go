package storagev1

import (
	"compress/gzip"
	"io"
	"net/http"

	"github.com/sunya-cloud/sunya"
)

// unpackDocument makes the body of a request plain that has a document in it and
// that the client has compressed on the way, as Java's does. The bytes of an object
// that stand alone stay as they are.
func unpackDocument(r *http.Request, t target) error {
	if r.Header.Get("Content-Encoding") != "gzip" || r.Body == nil {
		return nil
	}
	var body io.Reader = r.Body
	if q := r.URL.Query(); t.kind != kindUpload || q.Get("uploadType") == "resumable" && q.Get("upload_id") == "" {
		body = io.LimitReader(body, maxDocument)
	} else if q.Get("uploadType") != "multipart" {
		return nil
	}
	plain, err := gzip.NewReader(body)
	if err != nil {
		return sunya.Invalid("Content-Encoding", "gzip, but the body is not: %v", err)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{plain, r.Body}
	r.ContentLength = -1
	r.Header.Del("Content-Encoding")
	return nil
}
