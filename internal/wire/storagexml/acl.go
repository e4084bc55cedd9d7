package storagexml

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

type accessControlList struct {
	XMLName xml.Name `xml:"AccessControlList"`
	Owner   owner
	Entries []aclEntry `xml:"Entries>Entry"`
}

type aclEntry struct {
	Scope struct {
		Type   string `xml:"type,attr"`
		ID     string `xml:",omitempty"`
		Email  string `xml:"EmailAddress,omitempty"`
		Domain string `xml:",omitempty"`
	}
	Permission string
}

// permissions are the XML API's names of roles.
func permissions() map[string]string {
	return map[string]string{"READER": "READ", "WRITER": "WRITE", "OWNER": "FULL_CONTROL"}
}

// showACL is a list in XML. It says who was given what; access does not depend on
// it.
func showACL(project string, list []media.Grant) accessControlList {
	id := "project-owners-" + project
	out := accessControlList{Owner: owner{id, id}}
	for _, g := range list {
		e := aclEntry{Permission: permissions()[g.Role]}
		kind, who, _ := strings.Cut(g.Entity, "-")
		switch s := &e.Scope; {
		case g.Entity == "allUsers":
			s.Type = "AllUsers"
		case g.Entity == "allAuthenticatedUsers":
			s.Type = "AllAuthenticatedUsers"
		case kind == "domain":
			s.Type, s.Domain = "GroupByDomain", who
		case kind == "project": // whose owners, editors or viewers are a group
			s.Type, s.ID = "GroupById", g.Entity
		case kind == "user" && strings.Contains(who, "@"):
			s.Type, s.Email = "UserByEmail", who
		case kind == "user":
			s.Type, s.ID = "UserById", who
		case strings.Contains(who, "@"):
			s.Type, s.Email = "GroupByEmail", who
		default:
			s.Type, s.ID = "GroupById", who
		}
		out.Entries = append(out.Entries, e)
	}
	return out
}

// grants is the inverse of showACL.
func (l *accessControlList) grants() ([]media.Grant, error) {
	out := []media.Grant{}
	for _, e := range l.Entries {
		g := media.Grant{}
		for role, p := range permissions() {
			if p == e.Permission {
				g.Role = role
			}
		}
		if g.Role == "" {
			return nil, malformed(fmt.Sprintf("Permission is %q: use READ, WRITE or FULL_CONTROL", e.Permission))
		}
		switch s := e.Scope; s.Type {
		case "AllUsers":
			g.Entity = "allUsers"
		case "AllAuthenticatedUsers":
			g.Entity = "allAuthenticatedUsers"
		case "GroupByDomain":
			g.Entity = "domain-" + s.Domain
		case "UserByEmail":
			g.Entity = "user-" + s.Email
		case "UserById":
			g.Entity = "user-" + s.ID
		case "GroupByEmail":
			g.Entity = "group-" + s.Email
		case "GroupById":
			if g.Entity = s.ID; !strings.HasPrefix(s.ID, "project-") {
				g.Entity = "group-" + s.ID
			}
		default:
			return nil, malformed(fmt.Sprintf("the type of a Scope is %q: use AllUsers, AllAuthenticatedUsers, UserById, UserByEmail, GroupById, GroupByEmail or GroupByDomain", s.Type))
		}
		out = append(out, g)
	}
	return out, nil
}

// askedACL reads the list of a request: a document, or the name of a list.
func (h *handler) askedACL(r *http.Request, project string) ([]media.Grant, error) {
	if name := header(r.Header, "Acl"); name != "" {
		return h.named(name, project)
	}
	var doc accessControlList
	if err := decode(r, &doc); err != nil {
		return nil, err
	}
	return doc.grants()
}

// named is the list that x-goog-acl names: public-read.
func (h *handler) named(name, project string) ([]media.Grant, error) {
	words := strings.Split(name, "-")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return h.Model.Predefined(strings.Join(words, ""), project)
}

// withACL gives a new object of a bucket the list that a request names for it.
func (h *handler) withACL(r *http.Request, bucket string, n *objects.NewObject) error {
	name := header(r.Header, "Acl")
	if name == "" {
		return nil
	}
	b, err := h.Objects.GetBucket(r.Context(), bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	list, err := h.named(name, b.Project)
	if err != nil {
		return err
	}
	o := objects.Object{Document: n.Document}
	if err := h.Model.SetObjectGrants(b, &o, list); err != nil {
		return err
	}
	n.Document = o.Document
	return nil
}

func (h *handler) bucketACL(name string) endpoint {
	return func(w http.ResponseWriter, r *http.Request, t target) error {
		return h.showBucket(w, r, t, func(b *objects.Bucket) (any, error) {
			list, err := h.Model.BucketGrants(b, name == "defaultObjectAcl")
			return showACL(b.Project, list), err
		})
	}
}

func (h *handler) putBucketACL(name string) endpoint {
	return func(w http.ResponseWriter, r *http.Request, t target) error {
		b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
		if err != nil {
			return err
		}
		list, err := h.askedACL(r, b.Project)
		if err != nil {
			return err
		}
		return h.updateBucket(w, r, t, http.StatusOK, func(b *objects.Bucket) error {
			return h.Model.SetBucketGrants(b, name == "defaultObjectAcl", list)
		})
	}
}

func (h *handler) objectACL(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	gen, err := generation(r.URL.Query())
	if err != nil {
		return err
	}
	o, err := h.Objects.Get(r.Context(), t.bucket, t.object, gen, objects.Conditions{})
	if err != nil {
		return err
	}
	list, err := h.Model.ObjectGrants(b, o)
	if err != nil {
		return err
	}
	return reply(w, r, http.StatusOK, showACL(b.Project, list))
}

func (h *handler) putObjectACL(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	list, err := h.askedACL(r, b.Project)
	if err != nil {
		return err
	}
	gen, err := generation(r.URL.Query())
	if err != nil {
		return err
	}
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	_, err = h.Objects.Update(r.Context(), t.bucket, t.object, gen, cond, func(o *objects.Object) error {
		return h.Model.SetObjectGrants(b, o, list)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
