package storagexml

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// getObject answers GET and HEAD.
func (h *handler) getObject(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	gen, err := generation(q)
	if err != nil {
		return err
	}
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	return h.media.Download(w, r, media.Target{Bucket: t.bucket, Object: t.object, Generation: gen, Conditions: cond, ETag: hexETag, Override: overrides(q)})
}

// overrides are the headers of the answer that a request asks for itself:
// response-content-disposition and its kind, as signed URLs have them.
func overrides(q url.Values) http.Header {
	out := http.Header{}
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"} {
		if v := q.Get("response-" + strings.ToLower(name)); v != "" {
			out.Set(name, v)
		}
	}
	return out
}

// putObject answers PUT: the body is the object.
func (h *handler) putObject(w http.ResponseWriter, r *http.Request, t target) error {
	if r.Header.Get("X-Goog-Resumable") == "start" {
		return h.startUpload(w, r, t)
	}
	n, err := h.asked(r, t)
	if err != nil {
		return err
	}
	body, err := payload(r)
	if err != nil {
		return err
	}
	o, err := h.Objects.Put(r.Context(), n, body, r.ContentLength)
	if err != nil {
		return err
	}
	objectHeaders(w.Header(), o)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// asked is the object that a request is to make.
func (h *handler) asked(r *http.Request, t target) (objects.NewObject, error) {
	n, err := newObject(r.Header, t)
	if err != nil {
		return n, err
	}
	return n, h.withACL(r, t.bucket, &n)
}

// newObject reads what the headers of an upload say of the object.
func newObject(h http.Header, t target) (objects.NewObject, error) {
	n := objects.NewObject{Bucket: t.bucket, Name: t.object, ContentType: h.Get("Content-Type"), Metadata: metadata(h)}
	n.Properties.StorageClass = strings.ToUpper(header(h, "Storage-Class"))
	var err error
	if custom := h.Get("X-Goog-Custom-Time"); custom != "" {
		if n.Properties.CustomTime, err = time.Parse(time.RFC3339, custom); err != nil {
			return n, sunya.Invalid("x-goog-custom-time", "%q is not a time in RFC 3339", custom)
		}
	}
	if n.Conditions, err = writeConditions(h); err != nil {
		return n, err
	}
	if n.Expect, err = media.HeaderChecksums(h); err != nil {
		return n, err
	}
	encoding := strings.TrimSuffix(strings.TrimPrefix(h.Get("Content-Encoding"), "aws-chunked"), ",")
	n.Document, err = document(map[string]string{
		"cacheControl": h.Get("Cache-Control"), "contentDisposition": h.Get("Content-Disposition"), "contentEncoding": strings.TrimSpace(encoding),
		"contentLanguage": h.Get("Content-Language"),
	})
	return n, err
}

// writeConditions reads the preconditions of what makes an object, which S3's
// clients have a spelling of their own for.
func writeConditions(h http.Header) (objects.Conditions, error) {
	c, err := conditions(h)
	if h.Get("If-None-Match") == "*" { // there must not be one
		none := int64(0)
		c.GenerationMatch = &none
	}
	return c, err
}

// document is the fields of an object that are kept as they were sent.
func document(fields map[string]string) ([]byte, error) {
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode document: %v", err)
	}
	return out, nil
}

// objectHeaders is what answers to writes say of the object.
func objectHeaders(h http.Header, o *objects.Object) {
	h.Set("ETag", hexETag(o))
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	h.Set("X-Goog-Metageneration", strconv.FormatInt(o.Metageneration, 10))
	h.Set("X-Goog-Hash", media.Hash(o))
	h.Set("X-Goog-Stored-Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("X-Goog-Stored-Content-Encoding", "identity")
}

// deleteObject answers DELETE.
func (h *handler) deleteObject(w http.ResponseWriter, r *http.Request, t target) error {
	gen, err := generation(r.URL.Query())
	if err != nil {
		return err
	}
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	if err := h.Objects.Delete(r.Context(), t.bucket, t.object, gen, cond); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// copyResult is the answer to a copy.
type copyResult struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
}

// copySource reads BUCKET/OBJECT and the conditions on it.
func copySource(h http.Header) (target, int64, objects.Conditions, error) {
	var t target
	var cond objects.Conditions
	source, query, _ := strings.Cut(header(h, "Copy-Source"), "?")
	bucket, object, ok := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	t.bucket = bucket
	var err error
	if t.object, err = unescape(object); err != nil || !ok || object == "" {
		return t, 0, cond, sunya.Invalid("x-goog-copy-source", "%q is not BUCKET/OBJECT", source)
	}
	gen, err := number("x-goog-copy-source-generation", h.Get("X-Goog-Copy-Source-Generation"))
	if err != nil {
		return t, 0, cond, err
	}
	if q, err := url.ParseQuery(query); err == nil && gen == nil {
		if gen, err = number("generation", q.Get("generation")); err != nil {
			return t, 0, cond, err
		}
	}
	if cond.GenerationMatch, err = number("x-goog-copy-source-if-generation-match", h.Get("X-Goog-Copy-Source-If-Generation-Match")); err != nil {
		return t, 0, cond, err
	}
	cond.MetagenerationMatch, err = number("x-goog-copy-source-if-metageneration-match", h.Get("X-Goog-Copy-Source-If-Metageneration-Match"))
	if gen == nil {
		return t, 0, cond, err
	}
	return t, *gen, cond, err
}

// copyObject answers PUT with a source in another object.
func (h *handler) copyObject(w http.ResponseWriter, r *http.Request, t target) error {
	from, gen, cond, err := copySource(r.Header)
	if err != nil {
		return err
	}
	n, err := h.asked(r, t)
	if err != nil {
		return err
	}
	c := objects.Copy{Bucket: from.bucket, Name: from.object, Generation: gen, SourceConditions: cond, ToBucket: t.bucket, ToName: t.object, Conditions: n.Conditions}
	switch {
	case strings.EqualFold(header(r.Header, "Metadata-Directive"), "REPLACE"):
		c.Replace = &n
	case n.Properties.StorageClass != "", header(r.Header, "Acl") != "":
		if err := h.likeSource(r, &c, n.Properties.StorageClass); err != nil {
			return err
		}
		if err := h.withACL(r, t.bucket, c.Replace); err != nil {
			return err
		}
	}
	o, err := h.Objects.Copy(r.Context(), c)
	if err != nil {
		return err
	}
	objectHeaders(w.Header(), o)
	return reply(w, r, http.StatusOK, copyResult{XMLName: xml.Name{Local: "CopyObjectResult"}, LastModified: stamp(o.UpdateTime), ETag: hexETag(o)})
}

// likeSource lets a copy have all that its source says but for the storage class, if
// there is one.
func (h *handler) likeSource(r *http.Request, c *objects.Copy, class string) error {
	source, err := h.Objects.Get(r.Context(), c.Bucket, c.Name, c.Generation, c.SourceConditions)
	if err != nil {
		return err
	}
	c.Generation = source.Generation
	c.Replace = &objects.NewObject{ContentType: source.ContentType, Metadata: source.Metadata, Document: source.Document,
		Properties: objects.Properties{CustomTime: source.Properties.CustomTime, StorageClass: cmp.Or(class, source.Properties.StorageClass)}}
	return nil
}

// conditions reads the preconditions in the headers of a request.
func conditions(h http.Header) (objects.Conditions, error) {
	var c objects.Conditions
	var err error
	if c.GenerationMatch, err = number("x-goog-if-generation-match", h.Get("X-Goog-If-Generation-Match")); err != nil {
		return c, err
	}
	c.MetagenerationMatch, err = number("x-goog-if-metageneration-match", h.Get("X-Goog-If-Metageneration-Match"))
	return c, err
}

// generation reads the generation that a request means; 0 is the live one.
func generation(q url.Values) (int64, error) {
	n, err := number("generation", q.Get("generation"))
	if n == nil {
		return 0, err
	}
	return *n, nil
}

// number reads an optional int64; nil when it is not there.
func number(name, s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return nil, sunya.Invalid(name, "%q is not a number of 0 or more", s)
	}
	return &n, nil
}
