package storagev1

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// objectServerOnly are the fields of an object that only the server sets.
func objectServerOnly() []string {
	return []string{"kind", "id", "selfLink", "mediaLink", "name", "bucket", "generation", "metageneration", "size", "etag",
		"crc32c", "md5Hash", "timeCreated", "updated", "timeFinalized", "timeDeleted", "storageClass", "timeStorageClassUpdated",
		"componentCount", "owner", "retentionExpirationTime"}
}

// propertiesDocument is what of an object's resource this server understands.
type propertiesDocument struct {
	StorageClass   string             `json:"storageClass,omitempty"`
	CustomTime     *time.Time         `json:"customTime,omitempty"`
	TemporaryHold  bool               `json:"temporaryHold,omitempty"`
	EventBasedHold bool               `json:"eventBasedHold,omitempty"`
	Retention      *retentionDocument `json:"retention,omitempty"`
	KMSKey         string             `json:"kmsKeyName,omitempty"`
}

type retentionDocument struct {
	Mode  string    `json:"mode"`
	Until time.Time `json:"retainUntilTime"`
}

func propertyFields() []string {
	return []string{"storageClass", "customTime", "temporaryHold", "eventBasedHold", "retention", "kmsKeyName", "contexts"}
}

func showProperties(p *objects.Properties) propertiesDocument {
	d := propertiesDocument{StorageClass: cmp.Or(p.StorageClass, "STANDARD"), TemporaryHold: p.TemporaryHold, EventBasedHold: p.EventBasedHold}
	if !p.CustomTime.IsZero() {
		d.CustomTime = &p.CustomTime
	}
	if p.Retention != nil {
		d.Retention = &retentionDocument{p.Retention.Mode, p.Retention.Until}
	}
	return d
}

// readProperties takes the fields that are properties from f to p.
func readProperties(f fields, p *objects.Properties) error {
	var d propertiesDocument
	if err := f.into(&d); err != nil {
		return err
	}
	if d.KMSKey != "" {
		return &sunya.Error{Code: sunya.Unimplemented, Field: "kmsKeyName", Message: "keys of Cloud KMS are not implemented: leave it out"}
	}
	if _, ok := f["contexts"]; ok {
		return &sunya.Error{Code: sunya.Unimplemented, Field: "contexts", Message: "not implemented: leave it out"}
	}
	released := saidFalse(f, "temporaryHold", "eventBasedHold")
	f.without(propertyFields())
	maps.Copy(f, released)
	p.StorageClass, p.TemporaryHold, p.EventBasedHold = d.StorageClass, d.TemporaryHold, d.EventBasedHold
	p.CustomTime, p.Retention = time.Time{}, nil
	if d.CustomTime != nil {
		p.CustomTime = d.CustomTime.UTC()
	}
	if d.Retention != nil && *d.Retention != (retentionDocument{}) { // a client takes it away field by field
		p.Retention = &objects.ObjectRetention{Mode: d.Retention.Mode, Until: d.Retention.Until.UTC()}
	}
	return nil
}

// writableDocument is what of an object's resource this server understands and a
// client may write.
type writableDocument struct {
	propertiesDocument
	ContentType string            `json:"contentType,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

func writable(o *objects.Object) writableDocument {
	return writableDocument{showProperties(&o.Properties), o.ContentType, o.Metadata}
}

// objectFields is what of an object a client may write.
func objectFields(o *objects.Object) (fields, error) {
	doc, err := decodeFields(o.Document)
	if err != nil {
		return nil, err
	}
	more, err := asFields(writable(o))
	if err != nil {
		return nil, err
	}
	maps.Copy(doc, more)
	return doc, nil
}

// setObject makes an object what f says: all that a client may write.
func setObject(o *objects.Object, f fields) error {
	f.without(objectServerOnly())
	class, had := o.Properties.StorageClass, o.Properties.Retention
	if err := readProperties(f, &o.Properties); err != nil {
		return err
	}
	o.Properties.StorageClass = class // a patch does not change it: rewrite does
	if had != nil && o.Properties.Retention != nil && *had == *o.Properties.Retention {
		o.Properties.Retention = had
	}
	var err error
	if o.ContentType, err = f.take("contentType"); err != nil {
		return err
	}
	metadata, err := f.takeMap("metadata")
	if err != nil {
		return err
	}
	o.Metadata = withoutNull(metadata)
	o.Document, err = f.encode()
	return err
}

func withoutNull(m map[string]*string) map[string]string {
	var out map[string]string
	for k, v := range m {
		if v == nil {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = *v
	}
	return out
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
	get := h.objects.Get
	if flag(q, "softDeleted") {
		if gen == 0 {
			return required("generation")
		}
		get = h.objects.GetSoftDeleted
	}
	o, err := get(r.Context(), t.bucket, t.object, gen, cond)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}

func (h *handler) listObjects(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	// includeFoldersAsPrefixes asks for nothing here: there are no folders
	// apart from names.
	if err := refuse(q, "filter"); err != nil {
		return err
	}
	lq := objects.ListQuery{Bucket: t.bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), Trailing: flag(q, "includeTrailingDelimiter"),
		StartOffset: q.Get("startOffset"), EndOffset: q.Get("endOffset"), Glob: q.Get("matchGlob")}
	switch {
	case flag(q, "versions") && flag(q, "softDeleted"):
		return sunya.Invalid("softDeleted", "use either versions or softDeleted")
	case flag(q, "versions"):
		lq.Which = objects.AllVersions
	case flag(q, "softDeleted"):
		lq.Which = objects.SoftDeleted
	}
	query := []string{"objects", lq.Bucket, lq.Prefix, lq.Delimiter, lq.StartOffset, lq.EndOffset, lq.Glob, strconv.Itoa(int(lq.Which)), strconv.FormatBool(lq.Trailing)}
	var err error
	if lq.Limit, lq.Cursor, err = paging(q, query...); err != nil {
		return err
	}
	found, err := h.objects.List(r.Context(), lq)
	if err != nil {
		return err
	}
	b, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	doc := listDocument{Kind: "storage#objects", Prefixes: found.Prefixes, NextPageToken: page.Token(found.Next, query...)}
	for i := range found.Items {
		item, err := resourceOf(media.Base(r), b, &found.Items[i])
		if err != nil {
			return err
		}
		doc.Items = append(doc.Items, item)
	}
	return reply(w, r, doc)
}

func (h *handler) patchObject(w http.ResponseWriter, r *http.Request, t target) error {
	return h.changeObject(w, r, t, func(o *objects.Object, patch fields) (fields, error) {
		have, err := objectFields(o)
		if err != nil {
			return nil, err
		}
		return have, have.merge(patch)
	})
}

// putObject answers objects.update: what the document leaves out is reset.
func (h *handler) putObject(w http.ResponseWriter, r *http.Request, t target) error {
	return h.changeObject(w, r, t, func(_ *objects.Object, f fields) (fields, error) { return maps.Clone(f), nil })
}

func (h *handler) changeObject(w http.ResponseWriter, r *http.Request, t target, next func(*objects.Object, fields) (fields, error)) error {
	doc, err := document(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	gen, cond, err := which(q)
	if err != nil {
		return err
	}
	doc.without(objectServerOnly())
	if err := h.predefineObject(r, doc, "predefinedAcl", t.bucket); err != nil {
		return err
	}
	override := flag(q, "overrideUnlockedRetention")
	o, err := h.objects.Update(r.Context(), t.bucket, t.object, gen, cond, func(o *objects.Object) error {
		f, err := next(o, doc)
		if err != nil {
			return err
		}
		had := o.Properties.Retention
		if err := setObject(o, f); err != nil {
			return err
		}
		now := o.Properties.Retention
		if had != nil && !override && (now == nil || now.Until.Before(had.Until)) {
			return &sunya.Error{Code: sunya.PermissionDenied, Field: "retention", Reason: objects.ReasonRetained,
				Message: "to end or to shorten it asks for overrideUnlockedRetention=true"}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
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

func (h *handler) replyObject(w http.ResponseWriter, r *http.Request, o *objects.Object) error {
	doc, err := h.objectResource(r, o)
	if err != nil {
		return err
	}
	return reply(w, r, doc)
}

// Encode returns an object's resource as the API answers with it on the server
// that is at base (https://HOST).
func Encode(base string, o *objects.Object) ([]byte, error) {
	doc, err := resourceOf(base, nil, o)
	if err != nil {
		return nil, err
	}
	if f, ok := doc.(fields); ok {
		delete(f, "acl")
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode resource: %v", err)
	}
	return out, nil
}

// resourceDocument is an object's resource, but for what this server keeps of it
// without understanding it.
type resourceDocument struct {
	Kind           string `json:"kind"`
	ID             string `json:"id"`
	SelfLink       string `json:"selfLink"`
	MediaLink      string `json:"mediaLink"`
	Name           string `json:"name"`
	Bucket         string `json:"bucket"`
	Generation     int64  `json:"generation,string"`
	Metageneration int64  `json:"metageneration,string"`
	writableDocument
	Size           int64  `json:"size,string"`
	CRC32C         string `json:"crc32c"`
	MD5            string `json:"md5Hash,omitempty"`
	ETag           string `json:"etag"`
	ComponentCount int64  `json:"componentCount,omitempty"`
	Created        string `json:"timeCreated"`
	Updated        string `json:"updated"`
	Finalized      string `json:"timeFinalized"`
	ClassUpdated   string `json:"timeStorageClassUpdated"`
	Deleted        string `json:"timeDeleted,omitempty"`
	SoftDeleted    string `json:"softDeleteTime,omitempty"`
	HardDeleted    string `json:"hardDeleteTime,omitempty"`
	Retained       string `json:"retentionExpirationTime,omitempty"`
}

func (h *handler) objectResource(r *http.Request, o *objects.Object) (any, error) {
	b, err := h.objects.GetBucket(r.Context(), o.Bucket, objects.Conditions{})
	if err != nil {
		return nil, err
	}
	return resourceOf(media.Base(r), b, o)
}

// resourceOf is a *resourceDocument, or with a stored document fields. b is the
// object's bucket, nil where its rules do not matter.
func resourceOf(base string, b *objects.Bucket, o *objects.Object) (any, error) {
	rel := "/storage/v1/b/" + o.Bucket + "/o/" + url.PathEscape(o.Name)
	generation := strconv.FormatInt(o.Generation, 10)
	created := stamp(o.CreateTime)
	doc := &resourceDocument{
		Kind: "storage#object", ID: o.Bucket + "/" + o.Name + "/" + generation, Bucket: o.Bucket, Name: o.Name,
		SelfLink: base + rel, MediaLink: base + "/download" + rel + "?generation=" + generation + "&alt=media",
		Generation: o.Generation, Metageneration: o.Metageneration, ETag: media.ETag(o.Generation, o.Metageneration),
		writableDocument: writable(o), Size: o.Size, CRC32C: media.CRC32C(o), MD5: base64.StdEncoding.EncodeToString(o.MD5),
		ComponentCount: o.Properties.Components, Created: created, Finalized: created, Updated: stamp(o.UpdateTime), ClassUpdated: created,
	}
	for _, t := range []struct {
		at time.Time
		to *string
	}{
		{o.Properties.ClassTime, &doc.ClassUpdated}, {o.DeleteTime, &doc.Deleted},
		{o.SoftDeleteTime, &doc.SoftDeleted}, {o.HardDeleteTime, &doc.HardDeleted},
	} {
		if !t.at.IsZero() {
			*t.to = stamp(t.at)
		}
	}
	if b != nil && b.Rules.Retention != nil {
		if until := o.RetainedUntil(b); !until.IsZero() {
			doc.Retained = stamp(until)
		}
	}
	if len(o.Document) == 0 {
		return doc, nil
	}
	out, err := decodeFields(o.Document)
	if err != nil {
		return nil, err
	}
	known, err := asFields(doc)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, known)
	return out, nil
}
