package storagev1

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// defaultLocation is the platform's default location, upper case as Storage
// writes them.
const defaultLocation = "LOCAL"

// serverOnly are the fields of a bucket that only the server sets.
func bucketServerOnly() []string {
	return []string{"kind", "id", "selfLink", "name", "location", "locationType", "projectNumber", "metageneration",
		"generation", "etag", "timeCreated", "updated", "storageClass"}
}

// checkBucket refuses what would have to change what happens to objects.
func checkBucket(f fields) error {
	return f.unsupported("versioning", "retentionPolicy", "objectRetention", "defaultEventBasedHold", "encryption",
		"lifecycle", "logging", "website", "hierarchicalNamespace")
}

func (h *handler) insertBucket(w http.ResponseWriter, r *http.Request, _ target) error {
	f, err := document(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if err := refuse(q, "enableObjectRetention"); err != nil {
		return err
	}
	b := objects.Bucket{Project: q.Get("project")}
	if b.Project == "" {
		return sunya.Invalid("project", "required parameter: add ?project=PROJECT")
	}
	if b.Name, err = f.take("name"); err != nil {
		return err
	}
	if b.Location, err = f.take("location"); err != nil {
		return err
	}
	if b.Location == "" {
		b.Location = defaultLocation
	}
	if err := checkBucket(f); err != nil {
		return err
	}
	f.without(bucketServerOnly())
	if b.Document, err = f.encode(); err != nil {
		return err
	}
	made, err := h.objects.CreateBucket(r.Context(), b)
	if err != nil {
		return err
	}
	return replyBucket(w, r, made)
}

func (h *handler) getBucket(w http.ResponseWriter, r *http.Request, t target) error {
	cond, err := conditions(r.URL.Query())
	if err != nil {
		return err
	}
	b, err := h.objects.GetBucket(r.Context(), t.bucket, cond)
	if err != nil {
		return err
	}
	return replyBucket(w, r, b)
}

// storageLayout answers what gcloud asks before it deletes a bucket: whether it
// has folders apart from names.
func (h *handler) storageLayout(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	return reply(w, r, &storage.BucketStorageLayout{
		Kind: "storage#storageLayout", Bucket: b.Name, Location: strings.ToUpper(b.Location), LocationType: "region",
		HierarchicalNamespace: &storage.BucketStorageLayoutHierarchicalNamespace{ForceSendFields: []string{"Enabled"}},
	})
}

func (h *handler) listBuckets(w http.ResponseWriter, r *http.Request, _ target) error {
	q := r.URL.Query()
	project, prefix := q.Get("project"), q.Get("prefix")
	if project == "" {
		return sunya.Invalid("project", "required parameter: add ?project=PROJECT")
	}
	limit, after, err := paging(q, "buckets", project, prefix)
	if err != nil {
		return err
	}
	buckets, next, err := h.objects.ListBuckets(r.Context(), project, prefix, after, limit)
	if err != nil {
		return err
	}
	items := make([]fields, len(buckets))
	for i := range buckets {
		if items[i], err = bucketResource(r, &buckets[i]); err != nil {
			return err
		}
	}
	return reply(w, r, listDocument{Kind: "storage#buckets", Items: items, NextPageToken: page.Token(next, "buckets", project, prefix)})
}

// listDocument is a page of buckets or objects.
type listDocument struct {
	Kind          string   `json:"kind"`
	NextPageToken string   `json:"nextPageToken,omitempty"`
	Prefixes      []string `json:"prefixes,omitempty"`
	Items         []fields `json:"items,omitempty"`
}

// maxResults is the size of a page unless the request asks for less.
const maxResults = 1000

func paging(q url.Values, query ...string) (limit int, cursor string, err error) {
	asked, err := number(q, "maxResults")
	if err != nil {
		return 0, "", err
	}
	n := int64(0)
	if asked != nil {
		n = min(*asked, maxResults)
	}
	if limit, err = page.Size(int(n), maxResults, maxResults); err != nil {
		return 0, "", err
	}
	cursor, err = page.Cursor(q.Get("pageToken"), query...)
	return limit, cursor, err
}

func (h *handler) patchBucket(w http.ResponseWriter, r *http.Request, t target) error {
	patch, err := document(r.Body)
	if err != nil {
		return err
	}
	cond, err := conditions(r.URL.Query())
	if err != nil {
		return err
	}
	if err := checkBucket(patch); err != nil {
		return err
	}
	patch.without(bucketServerOnly())
	b, err := h.objects.UpdateBucket(r.Context(), t.bucket, cond, func(b *objects.Bucket) error {
		b.Document, err = mergeDocument(b.Document, patch)
		return err
	})
	if err != nil {
		return err
	}
	return replyBucket(w, r, b)
}

func mergeDocument(doc []byte, patch fields) ([]byte, error) {
	f, err := decodeFields(doc)
	if err != nil {
		return nil, err
	}
	if err := f.merge(patch); err != nil {
		return nil, err
	}
	return f.encode()
}

func (h *handler) deleteBucket(w http.ResponseWriter, r *http.Request, t target) error {
	cond, err := conditions(r.URL.Query())
	if err != nil {
		return err
	}
	if err := h.objects.DeleteBucket(r.Context(), t.bucket, cond); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func replyBucket(w http.ResponseWriter, r *http.Request, b *objects.Bucket) error {
	doc, err := bucketResource(r, b)
	if err != nil {
		return err
	}
	return reply(w, r, doc)
}

func bucketResource(r *http.Request, b *objects.Bucket) (fields, error) {
	return resource(b.Document, &storage.Bucket{
		Kind: "storage#bucket", Id: b.Name, Name: b.Name, SelfLink: media.Base(r) + "/storage/v1/b/" + b.Name,
		Location: strings.ToUpper(b.Location), LocationType: "region", StorageClass: "STANDARD",
		Metageneration: b.Metageneration, Etag: media.ETag(0, b.Metageneration),
		TimeCreated: stamp(b.CreateTime), Updated: stamp(b.UpdateTime),
	})
}

// stamp is a time in RFC 3339 with milliseconds, as Storage writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
