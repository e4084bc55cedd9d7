package storagev1

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

type grant = media.Grant

// The fields of documents that hold lists.
const (
	aclField        = "acl"
	defaultACLField = "defaultObjectAcl"
)

// acl answers the methods of access control lists; nil for every other part.
func (h *handler) acl(t target) map[string]endpoint {
	if t.part != aclField && t.part != defaultACLField {
		return nil
	}
	if t.id == "" {
		return map[string]endpoint{"GET": h.listGrants, "POST": h.insertGrant}
	}
	return map[string]endpoint{"GET": h.getGrant, "PATCH": h.setGrant, "PUT": h.setGrant, "DELETE": h.deleteGrant}
}

// grants reads a list out of a document; own is what stands where there is none.
func grants(doc fields, field string, own []grant) ([]grant, error) {
	raw, ok := doc[field]
	if !ok {
		return own, nil
	}
	var d struct{ List []grant }
	if err := (fields{"List": raw}).into(&d); err != nil {
		return nil, sunya.Invalid(field, "not a list of entities and roles")
	}
	return d.List, nil
}

func owners(project string) []grant {
	return []grant{{Entity: fmt.Sprintf("project-owners-%d", sunya.ProjectNumber(project)), Role: "OWNER"}}
}

// projectPrivate is the list of what has none of its own: whoever owns or edits
// the project, and those who may read it.
func projectPrivate(project string) []grant {
	number := sunya.ProjectNumber(project)
	return append(owners(project), grant{Entity: fmt.Sprintf("project-editors-%d", number), Role: "OWNER"},
		grant{Entity: fmt.Sprintf("project-viewers-%d", number), Role: "READER"})
}

// withGrants reads and, when change says so, writes the list that a request
// means.
func (h *handler) withGrants(r *http.Request, t target, change func([]grant) ([]grant, error)) ([]grant, error) {
	b, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return nil, err
	}
	if b.Rules.Uniform {
		return nil, uniform("use", b.Name)
	}
	var out []grant
	next := func(document *[]byte) error {
		doc, err := decodeFields(*document)
		if err != nil {
			return err
		}
		have, err := grants(doc, t.part, projectPrivate(b.Project))
		if err != nil {
			return err
		}
		if out, err = change(slices.Clone(have)); err != nil {
			return err
		}
		if err := doc.set(t.part, out); err != nil {
			return err
		}
		*document, err = doc.encode()
		return err
	}
	if t.kind == kindBucketPart {
		_, err = h.objects.UpdateBucket(r.Context(), t.bucket, objects.Conditions{}, func(b *objects.Bucket) error { return next(&b.Document) })
		return out, err
	}
	gen, err := generation(r.URL.Query())
	if err != nil {
		return nil, err
	}
	_, err = h.objects.Update(r.Context(), t.bucket, t.object, gen, objects.Conditions{}, func(o *objects.Object) error { return next(&o.Document) })
	return out, err
}

// readGrants returns a list without changing anything.
func (h *handler) readGrants(r *http.Request, t target) ([]grant, error) {
	b, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return nil, err
	}
	if t.kind != kindObjectPart {
		return grantsOf(b, b.Document, t.part)
	}
	gen, err := generation(r.URL.Query())
	if err != nil {
		return nil, err
	}
	o, err := h.objects.Get(r.Context(), t.bucket, t.object, gen, objects.Conditions{})
	if err != nil {
		return nil, err
	}
	return grantsOf(b, o.Document, t.part)
}

func uniform(verb, bucket string) error {
	return sunya.Errorf(sunya.InvalidArgument, bucket, "cannot %s legacy ACL for a bucket that has uniform bucket-level access", verb)
}

func (h *handler) listGrants(w http.ResponseWriter, r *http.Request, t target) error {
	found, err := h.readGrants(r, t)
	if err != nil {
		return err
	}
	items := make([]map[string]string, len(found))
	for i, g := range found {
		items[i] = showGrant(r, t, g)
	}
	return reply(w, r, map[string]any{"kind": grantKind(t) + "s", "items": items})
}

func (h *handler) getGrant(w http.ResponseWriter, r *http.Request, t target) error {
	found, err := h.readGrants(r, t)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found, func(g grant) bool { return g.Entity == t.id })
	if i < 0 {
		return noGrant(t)
	}
	return reply(w, r, showGrant(r, t, found[i]))
}

func noGrant(t target) error {
	return sunya.Errorf(sunya.NotFound, t.bucket+"/"+t.object, "the list has no entry of %s", t.id)
}

func (h *handler) insertGrant(w http.ResponseWriter, r *http.Request, t target) error {
	var g grant
	if err := decodeInto(r, &g); err != nil {
		return err
	}
	if g.Entity == "" {
		return required("entity")
	}
	return h.writeGrant(w, r, t, g)
}

func (h *handler) setGrant(w http.ResponseWriter, r *http.Request, t target) error {
	var g grant
	if err := decodeInto(r, &g); err != nil {
		return err
	}
	g.Entity = t.id
	return h.writeGrant(w, r, t, g)
}

func (h *handler) writeGrant(w http.ResponseWriter, r *http.Request, t target, g grant) error {
	if g.Role == "" {
		return required("role")
	}
	if err := checkGrant(g, t.part == aclField && t.kind == kindBucketPart); err != nil {
		return err
	}
	_, err := h.withGrants(r, t, func(have []grant) ([]grant, error) {
		have = slices.DeleteFunc(have, func(old grant) bool { return old.Entity == g.Entity })
		return append(have, g), nil
	})
	if err != nil {
		return err
	}
	return reply(w, r, showGrant(r, t, g))
}

func (h *handler) deleteGrant(w http.ResponseWriter, r *http.Request, t target) error {
	_, err := h.withGrants(r, t, func(have []grant) ([]grant, error) {
		left := slices.DeleteFunc(slices.Clone(have), func(g grant) bool { return g.Entity == t.id })
		if len(left) == len(have) {
			return nil, noGrant(t)
		}
		return left, nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkGrant reports whether an entry is well formed; only those of buckets
// themselves have writers.
func checkGrant(g grant, ofBucket bool) error {
	known := g.Entity == "allUsers" || g.Entity == "allAuthenticatedUsers"
	for _, p := range []string{"user-", "group-", "domain-", "project-"} {
		known = known || strings.HasPrefix(g.Entity, p) && len(g.Entity) > len(p)
	}
	if !known {
		return sunya.Invalid("entity", "%q: use allUsers, allAuthenticatedUsers, user-, group-, domain- or project-…", g.Entity)
	}
	if g.Role == "OWNER" || g.Role == "READER" || ofBucket && g.Role == "WRITER" {
		return nil
	}
	return sunya.Invalid("role", "%q: use OWNER or READER, of a bucket also WRITER", g.Role)
}

func grantKind(t target) string {
	if t.kind == kindBucketPart && t.part == aclField {
		return "storage#bucketAccessControl"
	}
	return "storage#objectAccessControl"
}

func showGrant(r *http.Request, t target, g grant) map[string]string {
	at := t.bucket
	path := "/storage/v1/b/" + t.bucket
	if t.kind == kindObjectPart {
		at += "/" + t.object
		path += "/o/" + url.PathEscape(t.object)
	}
	out := map[string]string{
		"kind": grantKind(t), "id": at + "/" + g.Entity, "selfLink": media.Base(r) + path + "/" + t.part + "/" + g.Entity,
		"bucket": t.bucket, "entity": g.Entity, "role": g.Role, "etag": "CAE=",
	}
	if t.kind == kindObjectPart {
		out["object"] = t.object
	}
	if _, email, ok := strings.Cut(g.Entity, "-"); ok && strings.Contains(email, "@") {
		out["email"] = email
	}
	return out
}

// predefined are the lists that have a name
// (cloud.google.com/storage/docs/access-control/lists#predefined-acl).
func predefined(field, name, project string) ([]grant, error) {
	number := sunya.ProjectNumber(project)
	owner := owners(project)
	switch name {
	case "private", "bucketOwnerFullControl":
		return owner, nil
	case "publicRead":
		return append(owner, grant{Entity: "allUsers", Role: "READER"}), nil
	case "publicReadWrite":
		return append(owner, grant{Entity: "allUsers", Role: "WRITER"}), nil
	case "authenticatedRead":
		return append(owner, grant{Entity: "allAuthenticatedUsers", Role: "READER"}), nil
	case "bucketOwnerRead":
		return append(owner, grant{Entity: fmt.Sprintf("project-editors-%d", number), Role: "READER"}), nil
	case "projectPrivate":
		return projectPrivate(project), nil
	}
	return nil, sunya.Invalid(field, "%q: use private, projectPrivate, publicRead, publicReadWrite, authenticatedRead, bucketOwnerRead or bucketOwnerFullControl", name)
}

// predefine puts the list that a parameter names into a document, unless the
// bucket has none.
func predefine(doc fields, field string, q url.Values, parameter string, b *objects.Bucket) error {
	name := q.Get(parameter)
	if name == "" {
		return nil
	}
	if b.Rules.Uniform {
		return uniform("use "+parameter+" as", b.Name)
	}
	list, err := predefined(parameter, name, b.Project)
	if err != nil {
		return err
	}
	return doc.set(field, list)
}

// Inherit gives a new object that has no list of its own the one that its bucket has
// for new objects.
func Inherit(bucket, object []byte) ([]byte, error) {
	if !bytes.Contains(bucket, []byte(quote(defaultACLField))) {
		return object, nil
	}
	from, err := decodeFields(bucket)
	if err != nil {
		return nil, err
	}
	list, ok := from[defaultACLField]
	if !ok {
		return object, nil
	}
	to, err := decodeFields(object)
	if err != nil {
		return nil, err
	}
	if _, own := to[aclField]; own {
		return object, nil
	}
	to[aclField] = list
	return to.encode()
}

// predefineObject does that for an object of a bucket that is not read yet.
func (h *handler) predefineObject(r *http.Request, doc fields, parameter, bucket string) error {
	if r.URL.Query().Get(parameter) == "" {
		return nil
	}
	b, err := h.objects.GetBucket(r.Context(), bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	return predefine(doc, aclField, r.URL.Query(), parameter, b)
}

// full reports whether a request wants access control lists with the rest.
func full(r *http.Request) bool { return r.URL.Query().Get("projection") == "full" }

// showGrants completes the list in a resource, or takes it away where it is not
// wanted.
func (f fields) showGrants(r *http.Request, t target, own []grant, isUniform bool) error {
	if !full(r) || isUniform {
		delete(f, t.part)
		return nil
	}
	found, err := grants(f, t.part, own)
	if err != nil {
		return err
	}
	items := make([]map[string]string, len(found))
	for i, g := range found {
		items[i] = showGrant(r, t, g)
	}
	return f.set(t.part, items)
}
