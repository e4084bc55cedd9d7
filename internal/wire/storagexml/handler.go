// Package storagexml speaks Cloud Storage's XML API: what clients read objects
// with, signed URLs and forms in browsers, and tools that were made for S3
// (cloud.google.com/storage/docs/xml-api/reference-methods).
package storagexml

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// Deps is what the API stands on.
type Deps struct {
	Objects *objects.Service
	Model   Model
	Auth    *Auth
	Project string // of buckets that a request makes without naming one
	Log     *slog.Logger
}

// Model knows the settings and lists of buckets and objects as the JSON API has
// them, and what of them is allowed.
type Model interface {
	// BucketFields is all that clients may set of a bucket, by the keys of its
	// resource; PatchBucket changes it, as buckets.patch does.
	BucketFields(b *objects.Bucket) (map[string]json.RawMessage, error)
	PatchBucket(b *objects.Bucket, patch map[string]json.RawMessage, now time.Time) error
	// A bucket has a list of its own and one for its new objects.
	BucketGrants(b *objects.Bucket, ofObjects bool) ([]media.Grant, error)
	SetBucketGrants(b *objects.Bucket, ofObjects bool, list []media.Grant) error
	ObjectGrants(b *objects.Bucket, o *objects.Object) ([]media.Grant, error)
	SetObjectGrants(b *objects.Bucket, o *objects.Object, list []media.Grant) error
	// Predefined is the list that has this name in a project: publicRead.
	Predefined(name, project string) ([]media.Grant, error)
}

// handler answers requests whose caller has been checked already, but for forms.
type handler struct {
	Deps
	media *media.Server
}

// New returns the API.
func New(d Deps) http.Handler {
	d.Log = d.Log.With("component", "storagexml")
	return &handler{Deps: d, media: media.New(d.Objects, d.Log)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := parseTarget(r)
	if err == nil {
		err = h.share(w, r, t)
	}
	if err == nil && r.Method != http.MethodOptions {
		err = h.dispatch(w, r, t)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// fail is the one place where an error becomes an answer.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := media.Classify(err, r.Method == http.MethodGet || r.Method == http.MethodHead)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		h.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	if f.Status == http.StatusNotModified {
		w.WriteHeader(f.Status)
		return
	}
	f.WriteXML(w, r)
}

// endpoint answers one kind of request.
type endpoint func(w http.ResponseWriter, r *http.Request, t target) error

func (h *handler) dispatch(w http.ResponseWriter, r *http.Request, t target) error {
	if err := media.CustomerKeys(r.Header); err != nil {
		return err
	}
	q := r.URL.Query()
	var table map[string]endpoint
	switch {
	case t.bucket == "":
		table = map[string]endpoint{"GET": h.listBuckets, "HEAD": h.listBuckets}
	case t.object == "":
		table = h.ofBucket(q)
	default:
		table = h.ofObject(r, q)
	}
	if do, ok := table[r.Method]; ok {
		return do(w, r, t)
	}
	return sunya.Errorf(sunya.Unimplemented, "", "%s %s is not implemented in the XML API: see docs/storage-xml.md", r.Method, subresource(q))
}

// ofBucket is what may be done with a bucket.
func (h *handler) ofBucket(q url.Values) map[string]endpoint {
	name := subresource(q)
	switch name {
	case "":
		return map[string]endpoint{"GET": h.listObjects, "HEAD": h.headBucket, "PUT": h.createBucket, "DELETE": h.deleteBucket, "POST": h.form}
	case "versions":
		return map[string]endpoint{"GET": h.listObjects}
	case "uploads":
		return map[string]endpoint{"GET": h.listUploads}
	case "delete":
		return map[string]endpoint{"POST": h.deleteObjects}
	case "acl", "defaultObjectAcl":
		return map[string]endpoint{"GET": h.bucketACL(name), "PUT": h.putBucketACL(name)}
	}
	return h.setting(name)
}

// ofObject is what may be done with an object.
func (h *handler) ofObject(r *http.Request, q url.Values) map[string]endpoint {
	switch subresource(q) {
	case "acl":
		return map[string]endpoint{"GET": h.objectACL, "PUT": h.putObjectACL}
	case "compose":
		return map[string]endpoint{"PUT": h.compose}
	case "uploads":
		return map[string]endpoint{"POST": h.startParts}
	case "uploadId":
		put := h.putPart
		if r.Header.Get("X-Goog-Copy-Source")+r.Header.Get("X-Amz-Copy-Source") != "" {
			put = h.copyPart
		}
		return map[string]endpoint{"PUT": put, "POST": h.completeParts, "DELETE": h.abortParts, "GET": h.listParts}
	case "upload_id":
		return map[string]endpoint{"PUT": h.appendUpload, "POST": h.appendUpload, "DELETE": h.cancelUpload}
	case "":
	default:
		return nil
	}
	put := h.putObject
	if r.Header.Get("X-Goog-Copy-Source")+r.Header.Get("X-Amz-Copy-Source") != "" {
		put = h.copyObject
	}
	return map[string]endpoint{"GET": h.getObject, "HEAD": h.getObject, "PUT": put, "DELETE": h.deleteObject, "POST": h.startUpload}
}

// subresource is the parameter that says what of a bucket or object is meant.
func subresource(q url.Values) string {
	for _, name := range []string{"uploadId", "upload_id", "uploads", "delete", "acl", "defaultObjectAcl", "location", "versioning", "cors", "lifecycle",
		"logging", "website", "websiteConfig", "storageClass", "compose", "tagging", "billing", "encryption", "encryptionConfig", "policy", "notification", "requestPayment", "replication",
		"retention", "legal-hold", "object-lock", "versions", "restore", "select", "torrent", "attributes"} {
		if _, ok := q[name]; ok {
			return name
		}
	}
	return ""
}

// header returns a header that has one name of Google's and one of S3's:
// x-goog-NAME or x-amz-NAME.
func header(h http.Header, name string) string {
	if v := h.Get("X-Goog-" + name); v != "" {
		return v
	}
	return h.Get("X-Amz-" + name)
}

// metadata reads x-goog-meta-* and x-amz-meta-*.
func metadata(h http.Header) map[string]string {
	var out map[string]string
	for name, values := range h {
		lower := strings.ToLower(name)
		for _, prefix := range []string{"x-goog-meta-", "x-amz-meta-"} {
			key, ok := strings.CutPrefix(lower, prefix)
			if !ok || key == "" {
				continue
			}
			if out == nil {
				out = map[string]string{}
			}
			out[key] = strings.Join(values, ",")
		}
	}
	return out
}
