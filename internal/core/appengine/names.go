package appengine

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// DefaultService is the service that every application has first.
const DefaultService = "default"

// AppName returns the resource name of a project's application.
func AppName(project string) string { return "apps/" + project }

// ServiceName returns the resource name of a service, which is also its name
// in the serving core.
func ServiceName(project, service string) string {
	return AppName(project) + "/services/" + service
}

// Key names a version.
type Key struct {
	Project string
	Service string
	ID      string
}

// Name returns the resource name of the version.
func (k Key) Name() string { return ServiceName(k.Project, k.Service) + "/versions/" + k.ID }

// idRE is what ids of services and versions consist of: app.yaml's rule, which
// is that of a DNS label.
var idRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

const idRule = "use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit"

// checkID holds for services and versions. The separators of host names may
// not be part of an id, since such a host could be read in two ways.
func checkID(field, id string) error {
	if !idRE.MatchString(id) {
		return sunya.Invalid(field, "%q is not an id: %s", id, idRule)
	}
	if separates(id) {
		return sunya.Invalid(field, "%q is not an id: -dot- and --- separate the parts of a host name", id)
	}
	return nil
}

// separates reports whether an id could be taken for several ones in a host
// name; "a-dot" is one of these, too, since another id follows it after "-dot-".
func separates(id string) bool {
	return strings.Contains("-"+id+"-", "-dot-") || strings.Contains(id, "---")
}

// CheckService reports whether id can be a service.
func CheckService(id string) error { return checkID("service", id) }

// CheckVersion reports whether id can be a version. The reserved names are
// those of google.appengine.v1.Version.id.
func CheckVersion(id string) error {
	if err := checkID("version.id", id); err != nil {
		return err
	}
	if id == "default" || id == "latest" || strings.HasPrefix(id, "ah-") {
		return sunya.Invalid("version.id", "%q is reserved: choose a name other than default, latest and ah-…", id)
	}
	return nil
}

// CheckApp reports whether a project can have an application: its id is a host
// name, too.
func CheckApp(project string) error {
	if err := sunya.CheckProject(project); err != nil {
		return sunya.InField("name", err)
	}
	if separates(project) {
		return sunya.Invalid("name", "project %q cannot have an application: -dot- and --- separate the parts of a host name", project)
	}
	if serving.Reserved(project) {
		return sunya.Invalid("name", "project %q cannot have an application: the host name belongs to the platform", project)
	}
	return nil
}

// check holds for every request that names a version.
func (k Key) check() error {
	if err := CheckApp(k.Project); err != nil {
		return err
	}
	if err := CheckService(k.Service); err != nil {
		return err
	}
	return CheckVersion(k.ID)
}

// maxLabel is the length of one part of a DNS name (RFC 1035 §2.3.4).
const maxLabel = 63

// label joins the parts of a host name. One that is too long for DNS keeps its
// beginning and ends in a hash of the whole.
func label(parts ...string) string {
	l := strings.Join(parts, "-dot-")
	if len(l) <= maxLabel {
		return l
	}
	sum := sha256.Sum256([]byte(l))
	tail := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(l[:maxLabel-len(tail)], "-") + tail
}

// ServiceLabel is the host of a service: PROJECT for the default service,
// SERVICE-dot-PROJECT for others.
func ServiceLabel(project, service string) string {
	if service == DefaultService {
		return label(project)
	}
	return label(service, project)
}

// Label is the host of the version: VERSION-dot-SERVICE-dot-PROJECT.
func (k Key) Label() string { return label(k.ID, k.Service, k.Project) }

// shortLabel is the second host of a version of the default service:
// VERSION-dot-PROJECT.
func (k Key) shortLabel() string { return label(k.ID, k.Project) }

// hosts returns the names under which a version and its service are found. A
// version of the default service has a short name as well, unless a service
// has that name: "if the first label matches no service, it is a version".
func hosts(k Key, revision string, shortTaken bool) []sunya.Host {
	svc := ServiceName(k.Project, k.Service)
	out := []sunya.Host{
		{Label: ServiceLabel(k.Project, k.Service), Service: svc},
		{Label: k.Label(), Service: svc, Revision: revision},
	}
	if k.Service != DefaultService {
		return out
	}
	out = append(out, sunya.Host{Label: label(DefaultService, k.Project), Service: svc})
	if !shortTaken {
		out = append(out, sunya.Host{Label: k.shortLabel(), Service: svc, Revision: revision})
	}
	return out
}
