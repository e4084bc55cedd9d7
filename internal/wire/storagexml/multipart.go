package storagexml

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// partsNamespace is that of documents about uploads in parts, which is another
// one at Google, too.
const partsNamespace = "http://s3.amazonaws.com/doc/2006-03-01/"

type initiateResult struct {
	XMLName   xml.Name `xml:"InitiateMultipartUploadResult"`
	Namespace string   `xml:"xmlns,attr"`
	Bucket    string
	Key       string
	UploadID  string `xml:"UploadId"`
}

// startParts answers POST ?uploads.
func (h *handler) startParts(w http.ResponseWriter, r *http.Request, t target) error {
	n, err := h.asked(r, t)
	if err != nil {
		return err
	}
	n.Expect = objects.Checksums{}
	u, err := h.Objects.StartParts(r.Context(), n)
	if err != nil {
		return err
	}
	return reply(w, r, http.StatusOK, initiateResult{Namespace: partsNamespace, Bucket: t.bucket, Key: t.object, UploadID: u.ID})
}

// parts returns the upload of a request if it is one of the object's.
func (h *handler) parts(r *http.Request, t target) (*objects.Upload, error) {
	id := r.URL.Query().Get("uploadId")
	u, err := h.Objects.Parts(r.Context(), id)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, noSuchUpload(id)
	}
	if err != nil {
		return nil, err
	}
	if u.Object.Bucket != t.bucket || u.Object.Name != t.object {
		return nil, noSuchUpload(id)
	}
	return u, nil
}

// partNumber reads the number of a part.
func partNumber(q url.Values) (int, error) {
	n, err := strconv.Atoi(q.Get("partNumber"))
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, sunya.Invalid("partNumber", "%q: 1 to %d", q.Get("partNumber"), objects.MaxParts)
	}
	return n, nil
}

// putPart answers PUT ?uploadId&partNumber.
func (h *handler) putPart(w http.ResponseWriter, r *http.Request, t target) error {
	u, err := h.parts(r, t)
	if err != nil {
		return err
	}
	number, err := partNumber(r.URL.Query())
	if err != nil {
		return err
	}
	expect, err := media.HeaderChecksums(r.Header)
	if err != nil {
		return err
	}
	body, err := payload(r)
	if err != nil {
		return err
	}
	c, err := h.Objects.PutPart(r.Context(), u.ID, number, body, r.ContentLength, expect)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", partETag(c))
	w.Header().Set("X-Goog-Hash", media.Hash(&objects.Object{CRC32C: c.CRC32C, MD5: c.MD5}))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func partETag(c *objects.Chunk) string { return strconv.Quote(hex.EncodeToString(c.MD5)) }

// copyPart answers PUT ?uploadId&partNumber with a source in another object.
func (h *handler) copyPart(w http.ResponseWriter, r *http.Request, t target) error {
	u, err := h.parts(r, t)
	if err != nil {
		return err
	}
	number, err := partNumber(r.URL.Query())
	if err != nil {
		return err
	}
	from, gen, cond, err := copySource(r.Header)
	if err != nil {
		return err
	}
	source, body, err := h.Objects.Read(r.Context(), from.bucket, from.object, gen, cond)
	if err != nil {
		return err
	}
	defer body.Close()
	part, ok, err := media.ParseRange(header(r.Header, "Copy-Source-Range"), source.Size)
	if err != nil {
		return err
	}
	if !ok {
		part = media.Span{Length: source.Size}
	}
	c, err := h.Objects.PutPart(r.Context(), u.ID, number, part.Of(body), part.Length, objects.Checksums{})
	if err != nil {
		return err
	}
	return reply(w, r, http.StatusOK, copyResult{XMLName: xml.Name{Local: "CopyPartResult"}, LastModified: stamp(source.UpdateTime), ETag: partETag(c)})
}

type completeRequest struct {
	Part []struct {
		PartNumber int
		ETag       string
	}
}

type completeResult struct {
	XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
	Namespace                   string   `xml:"xmlns,attr"`
	Location, Bucket, Key, ETag string
}

// completeParts answers POST ?uploadId: the parts become the object.
func (h *handler) completeParts(w http.ResponseWriter, r *http.Request, t target) error {
	u, err := h.parts(r, t)
	if err != nil {
		return err
	}
	var asked completeRequest
	if err := decode(r, &asked); err != nil {
		return err
	}
	var want []objects.PartRef
	for _, p := range asked.Part {
		md5, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil {
			return invalidPart(p.PartNumber)
		}
		want = append(want, objects.PartRef{Number: p.PartNumber, MD5: md5})
	}
	if len(want) == 0 {
		return malformed("no parts")
	}
	cond, err := writeConditions(r.Header)
	if err != nil {
		return err
	}
	o, err := h.Objects.CompleteParts(r.Context(), u.ID, want, cond)
	var own *sunya.Error
	if errors.As(err, &own) && own.Code == sunya.InvalidArgument {
		code := "InvalidPart"
		if own.Field == "PartNumber" {
			code = "InvalidPartOrder"
		}
		return coded(code, "%s", own.Message)
	}
	if err != nil {
		return err
	}
	objectHeaders(w.Header(), o)
	return reply(w, r, http.StatusOK, completeResult{Namespace: partsNamespace, Location: media.Base(r) + r.URL.EscapedPath(),
		Bucket: t.bucket, Key: t.object, ETag: hexETag(o)})
}

// abortParts answers DELETE ?uploadId.
func (h *handler) abortParts(w http.ResponseWriter, r *http.Request, t target) error {
	u, err := h.parts(r, t)
	if err != nil {
		return err
	}
	if err := h.Objects.CancelUpload(r.Context(), u.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type listPartsResult struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Namespace            string   `xml:"xmlns,attr"`
	Bucket, Key          string
	UploadID             string `xml:"UploadId"`
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Part                 []partEntry
}

type partEntry struct {
	PartNumber int
	ETag       string
	Size       int64
}

// listParts answers GET ?uploadId.
func (h *handler) listParts(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	u, err := h.parts(r, t)
	if err != nil {
		return err
	}
	limit, err := pageSize(q, "max-parts")
	if err != nil {
		return err
	}
	after, err := number("part-number-marker", q.Get("part-number-marker"))
	if err != nil {
		return err
	}
	doc := listPartsResult{Namespace: partsNamespace, Bucket: t.bucket, Key: t.object, UploadID: u.ID, StorageClass: "STANDARD", MaxParts: limit}
	if after != nil {
		doc.PartNumberMarker = int(*after)
	}
	for i := range u.Chunks {
		c := &u.Chunks[i]
		switch {
		case c.PartNumber() <= doc.PartNumberMarker:
		case len(doc.Part) == limit:
			doc.IsTruncated = true
		default:
			doc.Part = append(doc.Part, partEntry{c.PartNumber(), partETag(c), c.Size})
			doc.NextPartNumberMarker = c.PartNumber()
		}
	}
	return reply(w, r, http.StatusOK, doc)
}

type listUploadsResult struct {
	XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
	Namespace   string   `xml:"xmlns,attr"`
	Bucket      string
	Prefix      string
	MaxUploads  int
	IsTruncated bool
	Upload      []uploadEntry
}

type uploadEntry struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

// listUploads answers GET ?uploads of a bucket.
func (h *handler) listUploads(w http.ResponseWriter, r *http.Request, t target) error {
	if _, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{}); err != nil {
		return err
	}
	q := r.URL.Query()
	limit, err := pageSize(q, "max-uploads")
	if err != nil {
		return err
	}
	for _, name := range []string{"key-marker", "upload-id-marker", "delimiter"} {
		if q.Get(name) != "" {
			return sunya.Errorf(sunya.Unimplemented, "", "%s of a list of uploads is not implemented", name)
		}
	}
	uploads, err := h.Objects.PartUploads(r.Context(), t.bucket, q.Get("prefix"), limit+1)
	if err != nil {
		return err
	}
	doc := listUploadsResult{Namespace: partsNamespace, Bucket: t.bucket, Prefix: q.Get("prefix"), MaxUploads: limit, IsTruncated: len(uploads) > limit}
	for _, u := range uploads[:min(limit, len(uploads))] {
		doc.Upload = append(doc.Upload, uploadEntry{u.Object.Name, u.ID, "STANDARD", stamp(u.CreateTime)})
	}
	return reply(w, r, http.StatusOK, doc)
}
