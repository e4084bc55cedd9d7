package storagev1

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
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
		return h.download(w, r, t, gen, cond)
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

func objectResource(r *http.Request, o *objects.Object) (fields, error) {
	rel := "/storage/v1/b/" + o.Bucket + "/o/" + url.PathEscape(o.Name)
	return resource(o.Document, &storage.Object{
		Kind: "storage#object", Id: fmt.Sprintf("%s/%s/%d", o.Bucket, o.Name, o.Generation), Bucket: o.Bucket, Name: o.Name,
		SelfLink: base(r) + rel, MediaLink: fmt.Sprintf("%s/download%s?generation=%d&alt=media", base(r), rel, o.Generation),
		Generation: o.Generation, Metageneration: o.Metageneration, Etag: etag(o.Generation, o.Metageneration),
		Size: uint64(o.Size), ForceSendFields: []string{"Size"}, ContentType: o.ContentType, Metadata: o.Metadata, StorageClass: "STANDARD",
		Crc32c: crc32c(o), Md5Hash: base64.StdEncoding.EncodeToString(o.MD5),
		TimeCreated: stamp(o.CreateTime), TimeFinalized: stamp(o.CreateTime), Updated: stamp(o.UpdateTime),
		TimeStorageClassUpdated: stamp(o.CreateTime),
	})
}

// etag changes with every generation and metageneration.
func etag(generation, metageneration int64) string {
	b := binary.AppendUvarint(nil, uint64(generation))
	return base64.StdEncoding.EncodeToString(binary.AppendUvarint(b, uint64(metageneration)))
}

// crc32c is the checksum as Storage writes it: big-endian, base64.
func crc32c(o *objects.Object) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, o.CRC32C))
}

// checksums reads what the uploader computed: the two fields of a resource.
func checksums(crc, md5 string) (objects.Checksums, error) {
	var c objects.Checksums
	if crc != "" {
		b, err := base64.StdEncoding.DecodeString(crc)
		if err != nil || len(b) != 4 {
			return c, sunya.Invalid("crc32c", "%q is not four bytes in base64", crc)
		}
		n := binary.BigEndian.Uint32(b)
		c.CRC32C = &n
	}
	if md5 != "" {
		b, err := decodeMD5(md5)
		if err != nil || len(b) != 16 {
			return c, sunya.Invalid("md5Hash", "%q is not sixteen bytes in base64", md5)
		}
		c.MD5 = b
	}
	return c, nil
}

// decodeMD5 takes hex too, which some old clients send.
func decodeMD5(s string) ([]byte, error) {
	if len(s) == 32 {
		return hex.DecodeString(s)
	}
	return base64.StdEncoding.DecodeString(s)
}

// headerChecksums reads X-Goog-Hash (crc32c=…,md5=…) and Content-MD5.
func headerChecksums(h http.Header) (objects.Checksums, error) {
	crc, md5 := "", h.Get("Content-Md5")
	for _, line := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name {
			case "crc32c":
				crc = value
			case "md5":
				md5 = value
			}
		}
	}
	return checksums(crc, md5)
}
