package registry

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// maxName is the longest name of a repository.
const maxName = 255

// The grammar of the specification ("Pulling manifests").
var (
	nameRE = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagRE  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// CheckName reports whether a repository can have that name.
func CheckName(name string) error {
	switch {
	case len(name) > maxName:
		return fault(sunya.InvalidArgument, NameInvalid, "the name of the repository has %d characters, more than %d", len(name), maxName)
	case !nameRE.MatchString(name):
		return fault(sunya.InvalidArgument, NameInvalid, "%q is not the name of a repository: use lower-case letters and digits, with single dots, dashes and underscores between them, and slashes", name)
	}
	return nil
}

// CheckTag reports whether a tag can have that name.
func CheckTag(tag string) error {
	if !tagRE.MatchString(tag) {
		return fault(sunya.InvalidArgument, TagInvalid, "%.200q is not a tag: use up to 128 letters, digits, dots, dashes and underscores, not beginning with a dot or dash", tag)
	}
	return nil
}

// ProjectOf is the project that a repository belongs to.
func ProjectOf(repository string) string {
	project, _, _ := strings.Cut(repository, "/")
	return project
}
