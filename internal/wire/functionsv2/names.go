package functionsv2

import (
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// parseFunction reads projects/P/locations/L/functions/F, or the name of the
// function's service.
func parseFunction(field, name string) (functions.Key, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "locations" || parts[4] != "functions" && parts[4] != "services" {
		return functions.Key{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/functions/*", name)
	}
	return functions.Key{Project: parts[1], Location: parts[3], ID: parts[5]}, nil
}
