package run

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Key names a service.
type Key struct {
	Project  string
	Location string
	ID       string
}

// Name returns the resource name of the service, which is also its name in the
// serving core.
func (k Key) Name() string { return sunya.LocationName(k.Project, k.Location) + "/services/" + k.ID }

// RevisionName returns the resource name of a revision by its short name, which
// is also its name in the serving core.
func (k Key) RevisionName(id string) string { return k.Name() + "/revisions/" + id }

// Limits on names (Cloud Run). A tag and its service's host make one DNS label.
const (
	maxID       = 49
	maxRevision = 63
	maxTag      = 46
	maxLabel    = 63
)

var (
	nameRE = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
)

// Check reports whether a service can have this name.
func (k Key) Check() error {
	if err := sunya.CheckLocation(k.Project, k.Location); err != nil {
		return err
	}
	if !nameRE.MatchString(k.ID) || len(k.ID) > maxID || ambiguous(k.ID) {
		return sunya.Invalid("service_id", "%q is not the name of a service: use 1 to %d lower-case letters, digits and dashes, beginning with a letter, without -dot- and ---", k.ID, maxID)
	}
	return nil
}

// ambiguous reports whether a name reads as the host of something else.
func ambiguous(id string) bool {
	return strings.Contains("-"+id+"-", "-dot-") || strings.Contains(id, "---")
}

// checkRevision holds for the name that a user gives to a revision.
func (k Key) checkRevision(id string) error {
	switch {
	case !strings.HasPrefix(id, k.ID+"-"):
		return sunya.Invalid("service.template.revision", "%q must begin with the service's name and a dash: %s-…", id, k.ID)
	case !nameRE.MatchString(id) || len(id) > maxRevision:
		return sunya.Invalid("service.template.revision", "%q is not the name of a revision: use 1 to %d lower-case letters, digits and dashes", id, maxRevision)
	}
	return nil
}

// TagLabel is the host of a tag of the service whose host is label.
func TagLabel(tag, label string) string { return tag + "---" + label }
