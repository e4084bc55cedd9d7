package storagev1

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// objectServerOnly are the fields of an object that only the server sets.
func objectServerOnly() []string {
	return []string{"kind", "id", "selfLink", "mediaLink", "name", "bucket", "generation", "metageneration", "size", "etag",
		"crc32c", "md5Hash", "timeCreated", "updated", "timeFinalized", "timeDeleted", "storageClass", "timeStorageClassUpdated",
		"componentCount", "owner"}
}

// checkObject refuses what would have to protect or hide the object.
func checkObject(f fields) error {
	return f.unsupported("eventBasedHold", "temporaryHold", "retention", "kmsKeyName", "customerEncryption")
}

func (h *handler) getObject(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	gen, cond, err := which(q)
	if err != nil {
		return err
	}
	if t.media || q.Get("alt") == "media" {
		return h.media.Download(w, r, media.Target{Bucket: t.bucket, Object: t.object, Generation: gen, Conditions: cond})
	}
	o, err := h.objects.Get(r.Context(), t.bucket, t.object, gen, cond)
	if err != nil {
		return err
	}
	return replyObject(w, r, o)
}

func (h *handler) listObjects(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	// includeFoldersAsPrefixes asks for nothing here: there are no folders
	// apart from names.
	if err := refuse(q, "matchGlob", "softDeleted", "filter", "includeTrailingDelimiter"); err != nil {
		return err
	}
	lq := objects.ListQuery{Bucket: t.bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"),
		StartOffset: q.Get("startOffset"), EndOffset: q.Get("endOffset")}
	query := []string{"objects", lq.Bucket, lq.Prefix, lq.Delimiter, lq.StartOffset, lq.EndOffset}
	var err error
	if lq.Limit, lq.Cursor, err = paging(q, query...); err != nil {
		return err
	}
	found, err := h.objects.List(r.Context(), lq)
	if err != nil {
		return err
	}
	doc := listDocument{Kind: "storage#objects", Prefixes: found.Prefixes, NextPageToken: page.Token(found.Next, query...)}
	for i := range found.Items {
		item, err := objectResource(r, &found.Items[i])
		if err != nil {
			return err
		}
		doc.Items = append(doc.Items, item)
	}
	return reply(w, r, doc)
}

func (h *handler) patchObject(w http.ResponseWriter, r *http.Request, t target) error {
	patch, err := document(r.Body)
	if err != nil {
		return err
	}
	gen, cond, err := which(r.URL.Query())
	if err != nil {
		return err
	}
	change, err := objectPatch(patch)
	if err != nil {
		return err
	}
	o, err := h.objects.Update(r.Context(), t.bucket, t.object, gen, cond, change)
	if err != nil {
		return err
	}
	return replyObject(w, r, o)
}

// objectPatch turns a patch document into the change it means.
func objectPatch(patch fields) (func(*objects.Object) error, error) {
	if err := checkObject(patch); err != nil {
		return nil, err
	}
	clearsMetadata := string(patch["metadata"]) == "null"
	metadata, err := patch.takeMap("metadata")
	if err != nil {
		return nil, err
	}
	_, setsType := patch["contentType"]
	contentType, err := patch.take("contentType")
	if err != nil {
		return nil, err
	}
	patch.without(objectServerOnly())
	return func(o *objects.Object) (err error) {
		if setsType {
			o.ContentType = contentType
		}
		o.Metadata = mergeMetadata(o.Metadata, metadata, clearsMetadata)
		o.Document, err = mergeDocument(o.Document, patch)
		return err
	}, nil
}

func mergeMetadata(old map[string]string, patch map[string]*string, clears bool) map[string]string {
	if clears {
		return nil
	}
	out := maps.Clone(old)
	for k, v := range patch {
		switch {
		case v == nil:
			delete(out, k)
		case out == nil:
			out = map[string]string{k: *v}
		default:
			out[k] = *v
		}
	}
	return out
}

func (h *handler) deleteObject(w http.ResponseWriter, r *http.Request, t target) error {
	gen, cond, err := which(r.URL.Query())
	if err != nil {
		return err
	}
	if err := h.objects.Delete(r.Context(), t.bucket, t.object, gen, cond); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func replyObject(w http.ResponseWriter, r *http.Request, o *objects.Object) error {
	doc, err := objectResource(r, o)
	if err != nil {
		return err
	}
	return reply(w, r, doc)
}

// Encode returns an object's resource as the API answers with it on the server
// that is at base (https://HOST).
func Encode(base string, o *objects.Object) ([]byte, error) {
	f, err := resourceOf(base, o)
	if err != nil {
		return nil, err
	}
	return f.encode()
}

func objectResource(r *http.Request, o *objects.Object) (fields, error) {
	return resourceOf(media.Base(r), o)
}

func resourceOf(base string, o *objects.Object) (fields, error) {
	rel := "/storage/v1/b/" + o.Bucket + "/o/" + url.PathEscape(o.Name)
	return resource(o.Document, &storage.Object{
		Kind: "storage#object", Id: fmt.Sprintf("%s/%s/%d", o.Bucket, o.Name, o.Generation), Bucket: o.Bucket, Name: o.Name,
		SelfLink: base + rel, MediaLink: fmt.Sprintf("%s/download%s?generation=%d&alt=media", base, rel, o.Generation),
		Generation: o.Generation, Metageneration: o.Metageneration, Etag: media.ETag(o.Generation, o.Metageneration),
		Size: uint64(o.Size), ForceSendFields: []string{"Size"}, ContentType: o.ContentType, Metadata: o.Metadata, StorageClass: "STANDARD",
		Crc32c: media.CRC32C(o), Md5Hash: base64.StdEncoding.EncodeToString(o.MD5),
		TimeCreated: stamp(o.CreateTime), TimeFinalized: stamp(o.CreateTime), Updated: stamp(o.UpdateTime),
		TimeStorageClassUpdated: stamp(o.CreateTime),
	})
}
