package appengine

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

var runtimeRE = regexp.MustCompile(`^[a-z][a-z0-9\-.]{0,29}$`) // app.yaml's rule

// firstGeneration names the runtimes that ran in Google's own sandbox, with
// what replaces them.
func firstGeneration() map[string]string {
	return map[string]string{
		"python":   "python311",
		"python27": "python311",
		"java7":    "java21",
		"java8":    "java21",
		"php55":    "php83",
		"go1.9":    "go122",
		"go111":    "go122",
		"go1":      "go122",
	}
}

// runtime checks a runtime id; the note is for the user.
func (a *Admin) runtime(id string) (note string, err error) {
	const field = "version.runtime"
	if id == "" {
		return "", sunya.Invalid(field, "is missing: name one of %s", a.runtimeNames())
	}
	if !runtimeRE.MatchString(id) {
		return "", sunya.Invalid(field, "%q is not a runtime: name one of %s", id, a.runtimeNames())
	}
	if next, old := firstGeneration()[id]; old {
		return "", sunya.Invalid(field, "%s is a first-generation runtime, which needs Google's own sandbox: move to a newer one, such as %s", id, next)
	}
	note, err = a.Runtimes.Resolve(id)
	if err != nil {
		return "", sunya.InField(field, err)
	}
	return note, nil
}

func (a *Admin) runtimeNames() string { return strings.Join(a.Runtimes.Names(), ", ") }
