package identity

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Of reports whether a service account belongs to a project: one that was made
// in it, or one of the two that every project has.
func Of(email, project string) bool {
	name, own := strings.CutSuffix(email, "@"+project+".iam.gserviceaccount.com")
	return own && name != "" && !strings.Contains(name, "@") ||
		email == sunya.AppAccount(project) ||
		email == sunya.ComputeAccount(project)
}
