package storagev1

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// readXML answers GET and HEAD of /BUCKET/OBJECT.
func (h *handler) readXML(w http.ResponseWriter, r *http.Request, t target) error {
	if t.bucket == "" {
		return sunya.Errorf(sunya.NotFound, "", "nothing is here")
	}
	if t.object == "" {
		if _, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{}); err != nil {
			return err
		}
		return sunya.Errorf(sunya.Unimplemented, t.bucket, "listing through the XML API is not implemented: use /storage/v1/b/%s/o", t.bucket)
	}
	gen, err := generation(r.URL.Query())
	if err != nil {
		return err
	}
	cond, err := headerConditions(r.Header)
	if err != nil {
		return err
	}
	return h.download(w, r, t, gen, cond)
}

// download sends an object's bytes, or the range that is asked for.
func (h *handler) download(w http.ResponseWriter, r *http.Request, t target, gen int64, cond objects.Conditions) error {
	o, body, err := h.objects.Read(r.Context(), t.bucket, t.object, gen, cond)
	if err != nil {
		return err
	}
	defer body.Close()
	if done, err := cached(r.Header, o); done || err != nil {
		if done {
			w.Header().Set("ETag", quoted(o))
			w.WriteHeader(http.StatusNotModified)
		}
		return err
	}
	part, partial, err := parseRange(r.Header.Get("Range"), o.Size)
	if err != nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return err
	}
	if !partial {
		part = span{0, o.Size}
	}
	if err := mediaHeaders(w.Header(), o); err != nil {
		return err
	}
	return h.send(w, r, o, body, part, partial)
}

// send writes headers and bytes. Once the headers are out, all that an error
// can do is end the answer short of its Content-Length, which clients notice.
func (h *handler) send(w http.ResponseWriter, r *http.Request, o *objects.Object, body io.ReadSeeker, part span, partial bool) error {
	if _, err := body.Seek(part.offset, io.SeekStart); err != nil {
		return fmt.Errorf("read %s/%s: %w", o.Bucket, o.Name, err)
	}
	header := w.Header()
	header.Set("Content-Length", strconv.FormatInt(part.length, 10))
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.offset, part.offset+part.length-1, o.Size))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.CopyN(w, body, part.length); err != nil && sunya.CodeOf(err) == sunya.DataLoss {
		h.log.ErrorContext(r.Context(), "download ended early", "path", r.URL.Path, "err", err)
	}
	return nil
}

// cached decides If-Match and If-None-Match (RFC 9110 §13.1).
func cached(header http.Header, o *objects.Object) (notModified bool, err error) {
	if want := header.Get("If-Match"); want != "" && !matches(want, o) {
		return false, &sunya.Error{Code: sunya.FailedPrecondition, Reason: objects.ReasonConditionNotMet,
			Message: "If-Match does not name the object's ETag", Err: &objects.ConditionNotMet{Condition: "If-Match"}}
	}
	want := header.Get("If-None-Match")
	return want != "" && matches(want, o), nil
}

func matches(list string, o *objects.Object) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || strings.Trim(tag, `"`) == etag(o.Generation, o.Metageneration) {
			return true
		}
	}
	return false
}

func quoted(o *objects.Object) string { return `"` + etag(o.Generation, o.Metageneration) + `"` }

// mediaHeaders describes an object's bytes. They are somebody's own, so a
// browser may neither guess their type nor run them with this origin's rights.
func mediaHeaders(header http.Header, o *objects.Object) error {
	doc, err := decodeFields(o.Document)
	if err != nil {
		return err
	}
	for field, name := range map[string]string{
		"cacheControl": "Cache-Control", "contentDisposition": "Content-Disposition",
		"contentEncoding": "Content-Encoding", "contentLanguage": "Content-Language",
	} {
		var s string
		if json.Unmarshal(doc[field], &s) == nil && s != "" {
			header.Set(name, s)
		}
	}
	stored := header.Get("Content-Encoding")
	if stored == "" {
		stored = "identity"
	}
	for name, value := range map[string]string{
		"Accept-Ranges": "bytes", "Content-Security-Policy": "sandbox", "Content-Type": o.ContentType, "ETag": quoted(o),
		"Last-Modified": o.UpdateTime.UTC().Format(http.TimeFormat), "X-Content-Type-Options": "nosniff",
		"X-Goog-Generation": strconv.FormatInt(o.Generation, 10), "X-Goog-Metageneration": strconv.FormatInt(o.Metageneration, 10),
		"X-Goog-Hash":                    "crc32c=" + crc32c(o) + ",md5=" + base64.StdEncoding.EncodeToString(o.MD5),
		"X-Goog-Stored-Content-Encoding": stored, "X-Goog-Stored-Content-Length": strconv.FormatInt(o.Size, 10),
		"X-Goog-Storage-Class": "STANDARD",
	} {
		header.Set(name, value)
	}
	for k, v := range o.Metadata {
		header.Set("X-Goog-Meta-"+k, v)
	}
	return nil
}
