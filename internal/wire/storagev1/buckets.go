package storagev1

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/scope"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// defaultLocation is the platform's default location, upper case as Storage
// writes them.
const defaultLocation = "LOCAL"

// bucketServerOnly are the fields of a bucket that only the server sets.
func bucketServerOnly() []string {
	return []string{"kind", "id", "selfLink", "name", "location", "locationType", "projectNumber", "metageneration",
		"generation", "etag", "timeCreated", "updated", "owner"}
}

// bucketFields is what of a bucket a client may write.
func bucketFields(b *objects.Bucket) (fields, error) {
	doc, err := decodeFields(b.Document)
	if err != nil {
		return nil, err
	}
	var prevention string
	if raw, ok := doc["publicAccessPrevention"]; ok {
		if err := json.Unmarshal(raw, &prevention); err != nil {
			return nil, sunya.Errorf(sunya.DataLoss, b.Name, "a stored document is damaged: %v", err)
		}
		delete(doc, "publicAccessPrevention")
	}
	rules, err := asFields(showRules(b, prevention))
	if err != nil {
		return nil, err
	}
	maps.Copy(doc, rules)
	return doc, nil
}

// setBucket makes a bucket what f says: all that a client may write.
func setBucket(b *objects.Bucket, f fields, now time.Time) error {
	f.without(bucketServerOnly())
	var err error
	if b.Rules, err = readRules(f, b.Rules, now); err != nil {
		return err
	}
	if err := checkClassName("storageClass", b.Rules.StorageClass); err != nil {
		return err
	}
	var d rulesDocument
	if err := f.into(&d); err != nil {
		return err
	}
	kept := saidFalse(f, "defaultEventBasedHold")
	if d.Versioning != nil && !d.Versioning.Enabled {
		kept["versioning"] = f["versioning"]
	}
	f.without(ruleFields())
	maps.Copy(f, kept)
	if delete(f, "cors"); len(d.CORS) > 0 {
		if err := f.set("cors", d.CORS); err != nil {
			return err
		}
	}
	if d.IAM != nil && d.IAM.Prevention == "enforced" {
		f["publicAccessPrevention"] = quote("enforced")
	}
	b.Document, err = f.encode()
	return err
}

// project is the one that a request names. Python's client says <none> where it has
// not been told of one, against emulators: inside an instance it is the instance's.
func project(r *http.Request) string {
	named := r.URL.Query().Get("project")
	if own, inside := scope.Of(r.Context()); inside && (named == "" || named == "<none>") {
		return own
	}
	return named
}

func (h *handler) insertBucket(w http.ResponseWriter, r *http.Request, _ target) error {
	f, err := document(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	b := objects.Bucket{Project: project(r)}
	if b.Project == "" {
		return required("project")
	}
	b.Rules.MayRetain = flag(q, "enableObjectRetention")
	if b.Name, err = f.take("name"); err != nil {
		return err
	}
	if b.Location, err = f.take("location"); err != nil {
		return err
	}
	if b.Location == "" {
		b.Location = defaultLocation
	}
	if b.Name == "" {
		return required("name")
	}
	if err := setBucket(&b, f, time.Now()); err != nil {
		return err
	}
	if err := predefineBucket(&b, q); err != nil {
		return err
	}
	made, err := h.objects.CreateBucket(r.Context(), b)
	if err != nil {
		return err
	}
	return replyBucket(w, r, made)
}

// predefineBucket gives a bucket the lists that a request names.
func predefineBucket(b *objects.Bucket, q url.Values) error {
	doc, err := decodeFields(b.Document)
	if err != nil {
		return err
	}
	if err := predefine(doc, aclField, q, "predefinedAcl", b); err != nil {
		return err
	}
	if err := predefine(doc, defaultACLField, q, "predefinedDefaultObjectAcl", b); err != nil {
		return err
	}
	b.Document, err = doc.encode()
	return err
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
		Kind: "storage#storageLayout", Bucket: b.Name, Location: strings.ToUpper(b.Location), LocationType: locationType(b, nil),
		HierarchicalNamespace: &storage.BucketStorageLayoutHierarchicalNamespace{ForceSendFields: []string{"Enabled"}},
	})
}

// listFolders answers what gcloud asks before it empties a bucket: it has no
// folders but in the names of its objects.
func (h *handler) listFolders(w http.ResponseWriter, r *http.Request, t target) error {
	if _, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{}); err != nil {
		return err
	}
	kind := "storage#" + t.part
	return reply(w, r, map[string]any{"kind": kind, "items": []any{}})
}

func (h *handler) listBuckets(w http.ResponseWriter, r *http.Request, _ target) error {
	q := r.URL.Query()
	project, prefix := project(r), q.Get("prefix")
	if project == "" {
		return required("project")
	}
	limit, after, err := paging(q, "buckets", project, prefix)
	if err != nil {
		return err
	}
	buckets, next, err := h.objects.ListBuckets(r.Context(), project, prefix, after, limit)
	if err != nil {
		return err
	}
	items := make([]any, len(buckets))
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
	Items         []any    `json:"items,omitempty"`
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
	return h.changeBucket(w, r, t, func(b *objects.Bucket, patch fields) (fields, error) {
		have, err := bucketFields(b)
		if err != nil {
			return nil, err
		}
		return have, have.merge(patch)
	})
}

// putBucket answers buckets.update: what the document leaves out is reset.
func (h *handler) putBucket(w http.ResponseWriter, r *http.Request, t target) error {
	return h.changeBucket(w, r, t, func(_ *objects.Bucket, f fields) (fields, error) { return maps.Clone(f), nil })
}

func (h *handler) changeBucket(w http.ResponseWriter, r *http.Request, t target, next func(*objects.Bucket, fields) (fields, error)) error {
	doc, err := document(r.Body)
	if err != nil {
		return err
	}
	cond, err := conditions(r.URL.Query())
	if err != nil {
		return err
	}
	doc.without(bucketServerOnly())
	b, err := h.objects.UpdateBucket(r.Context(), t.bucket, cond, func(b *objects.Bucket) error {
		f, err := next(b, doc)
		if err != nil {
			return err
		}
		if err := setBucket(b, f, time.Now()); err != nil {
			return err
		}
		return predefineBucket(b, r.URL.Query())
	})
	if err != nil {
		return err
	}
	return replyBucket(w, r, b)
}

// lockRetention answers buckets.lockRetentionPolicy, which says of which state of
// the bucket it is meant.
func (h *handler) lockRetention(w http.ResponseWriter, r *http.Request, t target) error {
	cond, err := conditions(r.URL.Query())
	if err != nil {
		return err
	}
	if cond.MetagenerationMatch == nil {
		return required("ifMetagenerationMatch")
	}
	b, err := h.objects.LockRetention(r.Context(), t.bucket, cond)
	if err != nil {
		return err
	}
	return replyBucket(w, r, b)
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

// locationType says what a location is at Google
// (cloud.google.com/storage/docs/locations); here all of them are this server.
func locationType(b *objects.Bucket, resource fields) string {
	_, custom := resource["customPlacementConfig"]
	switch name := strings.ToUpper(b.Location); {
	case custom || slices.Contains([]string{"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"}, name):
		return "dual-region"
	case slices.Contains([]string{"ASIA", "EU", "US"}, name):
		return "multi-region"
	}
	return "region"
}

func bucketResource(r *http.Request, b *objects.Bucket) (fields, error) {
	out, err := bucketFields(b)
	if err != nil {
		return nil, err
	}
	known, err := asFields(&storage.Bucket{
		Kind: "storage#bucket", Id: b.Name, Name: b.Name, SelfLink: media.Base(r) + "/storage/v1/b/" + b.Name,
		Location: strings.ToUpper(b.Location), LocationType: locationType(b, out), ProjectNumber: uint64(sunya.ProjectNumber(b.Project)),
		Metageneration: b.Metageneration, Etag: media.ETag(0, b.Metageneration),
		TimeCreated: stamp(b.CreateTime), Updated: stamp(b.UpdateTime),
	})
	if err != nil {
		return nil, err
	}
	maps.Copy(out, known)
	if _, ok := out["rpo"]; !ok && locationType(b, out) != "region" {
		out["rpo"] = quote("DEFAULT")
	}
	for _, field := range []string{aclField, defaultACLField} {
		at := target{kind: kindBucketPart, bucket: b.Name, part: field}
		if err := out.showGrants(r, at, projectPrivate(b.Project), b.Rules.Uniform); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stamp is a time in RFC 3339 with milliseconds, as Storage writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
