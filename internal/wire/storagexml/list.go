package storagexml

import (
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// maxKeys is the size of a page unless the request asks for less.
const maxKeys = 1000

// namespace is that of documents which S3's clients read as well.
const namespace = "http://doc.s3.amazonaws.com/2006-03-01"

// listBucketResult is a page of objects, in both versions of the request.
type listBucketResult struct {
	XMLName               xml.Name       `xml:"ListBucketResult"`
	Namespace             string         `xml:"xmlns,attr"`
	Name                  string         `xml:"Name"`
	Prefix                string         `xml:"Prefix"`
	Delimiter             string         `xml:"Delimiter,omitempty"`
	EncodingType          string         `xml:"EncodingType,omitempty"`
	Marker                *string        `xml:"Marker"` // version 1
	NextMarker            string         `xml:"NextMarker,omitempty"`
	KeyCount              *int           `xml:"KeyCount"` // version 2
	StartAfter            string         `xml:"StartAfter,omitempty"`
	ContinuationToken     string         `xml:"ContinuationToken,omitempty"`
	NextContinuationToken string         `xml:"NextContinuationToken,omitempty"`
	MaxKeys               int            `xml:"MaxKeys"`
	IsTruncated           bool           `xml:"IsTruncated"`
	Contents              []content      `xml:"Contents"`
	GenerationMarker      string         `xml:"GenerationMarker,omitempty"` // of a list of versions
	NextGenerationMarker  string         `xml:"NextGenerationMarker,omitempty"`
	Versions              []version      `xml:"Version"`
	CommonPrefixes        []commonPrefix `xml:"CommonPrefixes"`
}

type content struct {
	Key            string
	Generation     int64
	MetaGeneration int64
	LastModified   string
	ETag           string
	Size           int64
	StorageClass   string
}

type version struct {
	content
	IsLatest bool
}

type commonPrefix struct{ Prefix string }

// stamp is a time as S3 and Storage write it in documents.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// listObjects answers GET of a bucket.
func (h *handler) listObjects(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	limit, err := pageSize(q, "max-keys")
	if err != nil {
		return err
	}
	lq := objects.ListQuery{Bucket: t.bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), Limit: max(limit, 1)}
	doc := listBucketResult{Namespace: namespace, Name: t.bucket, MaxKeys: limit}
	encode, err := encoding(q)
	if err != nil {
		return err
	}
	second, versions := q.Get("list-type") == "2", q.Has("versions")
	switch {
	case versions:
		marker := encode(q.Get("marker"))
		doc.Marker, lq.Which = &marker, objects.AllVersions
		if doc.GenerationMarker = q.Get("generation-marker"); doc.GenerationMarker == "" {
			lq.StartOffset = afterPrefix(q.Get("marker"), lq.Prefix, lq.Delimiter)
		}
		if lq.Cursor, err = page.Cursor(doc.GenerationMarker, t.bucket, lq.Prefix, lq.Delimiter, "versions"); err != nil {
			return err
		}
	case second:
		doc.StartAfter, doc.ContinuationToken = encode(q.Get("start-after")), q.Get("continuation-token")
		lq.StartOffset = after(q.Get("start-after"))
		if lq.Cursor, err = page.Cursor(doc.ContinuationToken, t.bucket, lq.Prefix, lq.Delimiter); err != nil {
			return err
		}
	default:
		marker := encode(q.Get("marker"))
		doc.Marker, lq.StartOffset = &marker, afterPrefix(q.Get("marker"), lq.Prefix, lq.Delimiter)
	}
	found, err := h.Objects.List(r.Context(), lq)
	if err != nil {
		return err
	}
	if limit == 0 {
		found = &objects.Listing{}
	}
	doc.Prefix, doc.Delimiter, doc.EncodingType, doc.IsTruncated = encode(lq.Prefix), encode(lq.Delimiter), q.Get("encoding-type"), found.Next != ""
	for i := range found.Items {
		o := &found.Items[i]
		c := content{Key: encode(o.Name), Generation: o.Generation, MetaGeneration: o.Metageneration,
			LastModified: stamp(o.UpdateTime), ETag: hexETag(o), Size: o.Size, StorageClass: media.StorageClass(o)}
		if versions {
			doc.Versions = append(doc.Versions, version{c, o.Live()})
		} else {
			doc.Contents = append(doc.Contents, c)
		}
	}
	for _, p := range found.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, commonPrefix{encode(p)})
	}
	switch count := len(found.Items) + len(found.Prefixes); {
	case second:
		doc.KeyCount = &count
		doc.NextContinuationToken = page.Token(found.Next, t.bucket, lq.Prefix, lq.Delimiter)
	case doc.IsTruncated:
		doc.NextMarker = encode(last(found))
		if versions { // the next page begins among those of one name: the list's own place
			doc.NextGenerationMarker = page.Token(found.Next, t.bucket, lq.Prefix, lq.Delimiter, "versions")
		}
	}
	return reply(w, r, http.StatusOK, doc)
}

// last is the greatest name or prefix of a page.
func last(l *objects.Listing) string {
	name := ""
	if n := len(l.Items); n > 0 {
		name = l.Items[n-1].Name
	}
	if n := len(l.Prefixes); n > 0 {
		name = max(name, l.Prefixes[n-1])
	}
	return name
}

// after is the first name behind one; empty for the beginning.
func after(name string) string {
	if name == "" {
		return ""
	}
	return name + "\x00"
}

// afterPrefix is after, but behind all that a common prefix stands for when the
// name is one.
func afterPrefix(name, prefix, delimiter string) string {
	if delimiter != "" && len(name) > len(prefix) && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, delimiter) {
		return name[:len(name)-1] + string([]byte{name[len(name)-1] + 1})
	}
	return after(name)
}

// encoding returns how names are written: as they are, or escaped where the
// request asks for encoding-type=url.
func encoding(q url.Values) (func(string) string, error) {
	switch kind := q.Get("encoding-type"); kind {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }, nil
	default:
		return nil, sunya.Invalid("encoding-type", "%q: only url is known", kind)
	}
}

// pageSize reads how many entries a request wants.
func pageSize(q url.Values, name string) (int, error) {
	n, err := number(name, q.Get(name))
	if err != nil || n == nil {
		return maxKeys, err
	}
	return int(min(*n, maxKeys)), nil
}

// hexETag is the entity tag in S3's form, the MD5 in hex, where there is one.
func hexETag(o *objects.Object) string {
	if len(o.MD5) == 0 {
		return strconv.Quote(media.ETag(o.Generation, o.Metageneration))
	}
	return strconv.Quote(hex.EncodeToString(o.MD5))
}

// reply answers with a document.
func reply(w http.ResponseWriter, r *http.Request, status int, doc any) error {
	body, err := xml.Marshal(doc)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode answer: %v", err)
	}
	media.Write(w, r, status, "application/xml; charset=UTF-8", append([]byte(xml.Header), body...))
	return nil
}
