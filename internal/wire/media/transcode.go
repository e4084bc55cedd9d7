package media

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// transcoded reports whether an object that is stored compressed is sent plain:
// to clients that do not take gzip, unless the object says no-transform
// (cloud.google.com/storage/docs/transcoding).
func transcoded(header http.Header, o *objects.Object) bool {
	var doc fields
	if len(o.Document) == 0 || json.Unmarshal(o.Document, &doc) != nil || doc.ContentEncoding != "gzip" {
		return false
	}
	for directive := range strings.SplitSeq(doc.CacheControl, ",") {
		if strings.EqualFold(strings.TrimSpace(directive), "no-transform") {
			return false
		}
	}
	return !accepts(header, "gzip")
}

// accepts reports whether Accept-Encoding names a coding and does not exclude it
// (RFC 9110 §12.5.3).
func accepts(header http.Header, coding string) bool {
	for _, line := range header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
			if !strings.EqualFold(strings.TrimSpace(name), coding) {
				continue
			}
			weight, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			return !weighted || strings.Trim(weight, "0.") != ""
		}
	}
	return false
}

// sendPlain sends all of an object decompressed. A range would be one of bytes
// that are not stored, so it is not looked at, as at Google.
func (s *Server) sendPlain(w http.ResponseWriter, r *http.Request, t *Target, o *objects.Object, body io.Reader) error {
	plain, err := gzip.NewReader(body)
	if err != nil {
		if sunya.CodeOf(err) == sunya.DataLoss {
			return err
		}
		return sunya.Errorf(sunya.FailedPrecondition, o.Bucket+"/"+o.Name, "its content encoding is gzip, but its bytes are not: read it with Accept-Encoding: gzip")
	}
	header := w.Header()
	if err := t.headers(header, o); err != nil {
		return err
	}
	for _, name := range []string{"Content-Encoding", "Accept-Ranges"} {
		header.Del(name)
	}
	header.Set("Warning", `214 UploadServer gunzipped`)
	header.Add("Vary", "Accept-Encoding")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, plain); err != nil {
		s.log.WarnContext(r.Context(), "download ended early", "path", r.URL.Path, "err", err)
		// There is no length that the client could miss the rest by.
		panic(http.ErrAbortHandler)
	}
	return nil
}
