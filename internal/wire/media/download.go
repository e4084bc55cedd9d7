package media

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Server sends the bytes of objects. It is safe for concurrent use.
type Server struct {
	objects *objects.Service
	log     *slog.Logger
}

// New returns a Server of objects.
func New(objects *objects.Service, log *slog.Logger) *Server { return &Server{objects, log} }

// Target is whose bytes are wanted.
type Target struct {
	Bucket, Object string
	Generation     int64 // 0: the live one
	Conditions     objects.Conditions
	// ETag is the entity tag in the form of the API; nil: the JSON API's.
	ETag func(*objects.Object) string
	// Override are headers of the answer that the request asks for itself.
	Override http.Header
}

func (t *Target) etag(o *objects.Object) string {
	if t.ETag == nil {
		return quoted(o)
	}
	return t.ETag(o)
}

// Download sends an object's bytes, or the range that is asked for.
func (s *Server) Download(w http.ResponseWriter, r *http.Request, t Target) error {
	o, body, err := s.objects.Read(r.Context(), t.Bucket, t.Object, t.Generation, t.Conditions)
	if err != nil {
		return err
	}
	defer body.Close()
	if done, err := cached(r.Header, o, t.etag(o)); done || err != nil {
		if done {
			w.Header().Set("ETag", t.etag(o))
			w.WriteHeader(http.StatusNotModified)
		}
		return err
	}
	if transcoded(r.Header, o) {
		return s.sendPlain(w, r, &t, o, body)
	}
	part, partial, err := ParseRange(r.Header.Get("Range"), o.Size)
	if err != nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return err
	}
	if !partial {
		part = Span{0, o.Size}
	}
	if err := t.headers(w.Header(), o); err != nil {
		return err
	}
	return s.send(w, r, o, body, part, partial)
}

// send writes headers and bytes. Once the headers are out, all that an error
// can do is end the answer short of its Content-Length, which clients notice.
func (s *Server) send(w http.ResponseWriter, r *http.Request, o *objects.Object, body io.ReadSeeker, part Span, partial bool) error {
	if _, err := body.Seek(part.Offset, io.SeekStart); err != nil {
		return fmt.Errorf("read %s/%s: %w", o.Bucket, o.Name, err)
	}
	header := w.Header()
	header.Set("Content-Length", strconv.FormatInt(part.Length, 10))
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.Offset, part.Offset+part.Length-1, o.Size))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := copyMedia(w, body, part.Length); err != nil && sunya.CodeOf(err) == sunya.DataLoss {
		s.log.ErrorContext(r.Context(), "download ended early", "path", r.URL.Path, "err", err)
	}
	return nil
}

// mediaBuffer is how much is sent at a time: net/http's own 32 KiB would cost a
// large object eight times the system calls.
const mediaBuffer = 256 << 10

// smallMedia is what is sent in one piece.
const smallMedia = 32 << 10

var mediaPool = sync.Pool{New: func() any { return new([mediaBuffer]byte) }}

// copyMedia sends the next n bytes of body.
func copyMedia(w io.Writer, body io.Reader, n int64) error {
	if n <= smallMedia {
		// In one piece, which goes with the head if it can: net/http's ReadFrom
		// sends the head first.
		buf := make([]byte, n)
		if _, err := io.ReadFull(body, buf); err != nil {
			return err
		}
		_, err := w.Write(buf)
		return err
	}
	buf := mediaPool.Get().(*[mediaBuffer]byte)
	defer mediaPool.Put(buf)
	// Without ReadFrom, which would not use the buffer.
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(body, n), buf[:])
	return err
}

// cached decides If-Match and If-None-Match (RFC 9110 §13.1).
func cached(header http.Header, o *objects.Object, tag string) (notModified bool, err error) {
	if want := header.Get("If-Match"); want != "" && !matches(want, o, tag) {
		return false, &sunya.Error{Code: sunya.FailedPrecondition, Reason: objects.ReasonConditionNotMet,
			Message: "If-Match does not name the object's ETag", Err: &objects.ConditionNotMet{Condition: "If-Match"}}
	}
	want := header.Get("If-None-Match")
	return want != "" && matches(want, o, tag), nil
}

func matches(list string, o *objects.Object, sent string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || strings.Trim(tag, `"`) == strings.Trim(sent, `"`) || strings.Trim(tag, `"`) == ETag(o.Generation, o.Metageneration) {
			return true
		}
	}
	return false
}

func quoted(o *objects.Object) string { return `"` + ETag(o.Generation, o.Metageneration) + `"` }

// fields are what an object's document says of how its bytes are sent.
type fields struct {
	CacheControl       string `json:"cacheControl"`
	ContentDisposition string `json:"contentDisposition"`
	ContentEncoding    string `json:"contentEncoding"`
	ContentLanguage    string `json:"contentLanguage"`
}

// headers describes an object's bytes. They are somebody's own, so a
// browser may neither guess their type nor run them with this origin's rights.
func (t *Target) headers(header http.Header, o *objects.Object) error {
	var doc fields
	if err := json.Unmarshal(o.Document, &doc); err != nil && len(o.Document) > 0 {
		return sunya.Errorf(sunya.DataLoss, o.Bucket+"/"+o.Name, "a stored document is damaged: %v", err)
	}
	for name, s := range map[string]string{
		"Cache-Control": doc.CacheControl, "Content-Disposition": doc.ContentDisposition,
		"Content-Encoding": doc.ContentEncoding, "Content-Language": doc.ContentLanguage,
	} {
		if s != "" {
			header.Set(name, s)
		}
	}
	stored := header.Get("Content-Encoding")
	if stored == "" {
		stored = "identity"
	}
	for name, value := range map[string]string{
		"Accept-Ranges": "bytes", "Content-Security-Policy": "sandbox", "Content-Type": o.ContentType, "ETag": t.etag(o),
		"Last-Modified": o.UpdateTime.UTC().Format(http.TimeFormat), "X-Content-Type-Options": "nosniff",
		"X-Goog-Generation": strconv.FormatInt(o.Generation, 10), "X-Goog-Metageneration": strconv.FormatInt(o.Metageneration, 10),
		"X-Goog-Hash":                    Hash(o),
		"X-Goog-Stored-Content-Encoding": stored, "X-Goog-Stored-Content-Length": strconv.FormatInt(o.Size, 10),
		"X-Goog-Storage-Class": StorageClass(o),
	} {
		header.Set(name, value)
	}
	for k, v := range o.Metadata {
		header.Set("X-Goog-Meta-"+k, v)
	}
	for name := range t.Override {
		header.Set(name, t.Override.Get(name))
	}
	return nil
}
