package storagev1

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// upload answers POST and PUT of /upload/storage/v1/b/BUCKET/o.
func (h *handler) upload(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	if q.Get("upload_id") != "" {
		return h.appendUpload(w, r, t)
	}
	if r.Header.Get("X-Goog-Upload-Protocol") != "" {
		return sunya.Errorf(sunya.Unimplemented, "", "the X-Goog-Upload protocol is not implemented: use uploadType=resumable")
	}
	switch kind := q.Get("uploadType"); kind {
	case "media":
		return h.uploadMedia(w, r, t)
	case "multipart":
		return h.uploadMultipart(w, r, t)
	case "resumable":
		return h.startUpload(w, r, t)
	default:
		return sunya.Invalid("uploadType", "%q: use media, multipart or resumable", kind)
	}
}

// uploadMedia takes the body as the bytes; what is known of them is in the
// query and the headers.
func (h *handler) uploadMedia(w http.ResponseWriter, r *http.Request, t target) error {
	n, err := h.newObject(r, t.bucket, fields{})
	if err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = r.Header.Get("Content-Type")
	}
	return h.put(w, r, n, r.Body, r.ContentLength)
}

// uploadMultipart takes a resource and the bytes as two parts of one body.
func (h *handler) uploadMultipart(w http.ResponseWriter, r *http.Request, t target) error {
	parts, err := related(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		return err
	}
	doc, err := parts.document()
	if err != nil {
		return err
	}
	n, err := h.newObject(r, t.bucket, doc)
	if err != nil {
		return err
	}
	media, contentType, err := parts.media()
	if err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = contentType
	}
	return h.put(w, r, n, media, -1)
}

// put stores an object that arrives in one request.
func (h *handler) put(w http.ResponseWriter, r *http.Request, n objects.NewObject, body io.Reader, size int64) error {
	said, err := media.HeaderChecksums(r.Header)
	if err != nil {
		return err
	}
	if said.CRC32C != nil {
		n.Expect.CRC32C = said.CRC32C
	}
	if said.MD5 != nil {
		n.Expect.MD5 = said.MD5
	}
	o, err := h.objects.Put(r.Context(), n, media.Body{Reader: body}, size)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}

// newObject reads a resource and the query of an upload.
func (h *handler) newObject(r *http.Request, bucket string, doc fields) (objects.NewObject, error) {
	q := r.URL.Query()
	n := objects.NewObject{Bucket: bucket, Name: q.Get("name")}
	if err := refuse(q, "kmsKeyName"); err != nil {
		return n, err
	}
	if err := readProperties(doc, &n.Properties); err != nil {
		return n, err
	}
	var err error
	if n.Conditions, err = conditions(q); err != nil {
		return n, err
	}
	if err := fromResource(&n, doc); err != nil {
		return n, err
	}
	doc.without(objectServerOnly())
	if enc := q.Get("contentEncoding"); enc != "" {
		if err := doc.merge(fields{"contentEncoding": quote(enc)}); err != nil {
			return n, err
		}
	}
	if err := h.predefineObject(r, doc, "predefinedAcl", bucket); err != nil {
		return n, err
	}
	n.Document, err = doc.encode()
	return n, err
}

// fromResource moves what has a place of its own from doc to n. The name in
// the query wins.
func fromResource(n *objects.NewObject, doc fields) error {
	var name, crc, md5 string
	for _, f := range []struct {
		key string
		to  *string
	}{{"name", &name}, {"contentType", &n.ContentType}, {"crc32c", &crc}, {"md5Hash", &md5}} {
		var err error
		if *f.to, err = doc.take(f.key); err != nil {
			return err
		}
	}
	if n.Name == "" {
		n.Name = name
	}
	metadata, err := doc.takeMap("metadata")
	if err != nil {
		return err
	}
	n.Metadata = withoutNull(metadata)
	n.Expect, err = media.Checksums(crc, md5)
	return err
}

// relatedParts is a multipart/related body: a JSON document, then bytes.
type relatedParts struct{ r *multipart.Reader }

func related(contentType string, body io.Reader) (relatedParts, error) {
	b := boundary(contentType)
	if b == "" {
		return relatedParts{}, sunya.Invalid("Content-Type", "%q: a multipart upload is multipart/related with a boundary", contentType)
	}
	return relatedParts{multipart.NewReader(body, b)}, nil
}

// boundary returns the boundary of a multipart/related body, "" of any other.
// gcloud and gsutil put it in single quotes, which is not how a parameter is
// quoted (RFC 2045 §5.1), and with characters that have to be.
func boundary(contentType string) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err == nil && kind == "multipart/related" {
		return strings.Trim(params["boundary"], "'")
	}
	rest, ok := strings.CutPrefix(contentType, "multipart/related; boundary='")
	if !ok {
		return ""
	}
	b, _, _ := strings.Cut(rest, "'")
	return b
}

func (p relatedParts) document() (fields, error) {
	part, err := p.r.NextRawPart()
	if err != nil {
		return nil, sunya.Invalid("", "the multipart body has no JSON part: %v", err)
	}
	return document(part)
}

func (p relatedParts) media() (io.Reader, string, error) {
	part, err := p.r.NextRawPart()
	if err != nil {
		return nil, "", sunya.Invalid("", "the multipart body has no media part: %v", err)
	}
	contentType := part.Header.Get("Content-Type")
	switch enc := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); enc {
	case "", "binary", "7bit", "8bit":
		return part, contentType, nil
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, part), contentType, nil
	default:
		return nil, "", sunya.Errorf(sunya.Unimplemented, "", "Content-Transfer-Encoding %q is not implemented: send binary", enc)
	}
}
