package served

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Subject is what a figure is about: a revision, in the short names that people
// use. It is unique for a revision.
type Subject struct {
	Project  string `json:"project"`
	Product  string `json:"product"`
	Location string `json:"location,omitempty"` // empty: App Engine, whose services have none
	Service  string `json:"service"`
	Revision string `json:"revision"` // App Engine: VERSION/DEPLOYMENT
}

// SubjectOf returns the subject of what is said about a revision.
func SubjectOf(rev *sunya.Revision) Subject {
	s := Subject{Project: rev.Project, Product: string(rev.Product), Service: after(rev.Service, "/services/")}
	if rest, ok := strings.CutPrefix(rev.Service, "projects/"); ok {
		_, rest, _ = strings.Cut(rest, "/locations/")
		s.Location, _, _ = strings.Cut(rest, "/")
	}
	s.Revision = strings.TrimPrefix(rev.Name, rev.Service+"/")
	if kind, name, ok := strings.Cut(s.Revision, "/"); ok && (kind == "versions" || kind == "revisions") {
		s.Revision = name
	}
	return s
}

// after returns what is behind sep, or all of s.
func after(s, sep string) string {
	if _, rest, ok := strings.Cut(s, sep); ok {
		return rest
	}
	return s
}
