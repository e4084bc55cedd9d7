package runv2

import (
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// parseService reads projects/P/locations/L/services/S.
func parseService(field, name string) (run.Key, error) {
	p := strings.Split(name, "/")
	if len(p) != 6 || p[0] != "projects" || p[2] != "locations" || p[4] != "services" {
		return run.Key{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/services/*", name)
	}
	return run.Key{Project: p[1], Location: p[3], ID: p[5]}, nil
}

// parseRevision reads projects/P/locations/L/services/S/revisions/R.
func parseRevision(name string) (run.Key, string, error) {
	p := strings.Split(name, "/")
	if len(p) != 8 || p[0] != "projects" || p[2] != "locations" || p[4] != "services" || p[6] != "revisions" {
		return run.Key{}, "", sunya.Invalid("name", "%q is not a name of the form projects/*/locations/*/services/*/revisions/*", name)
	}
	return run.Key{Project: p[1], Location: p[3], ID: p[5]}, p[7], nil
}
