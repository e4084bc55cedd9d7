package sunya

import (
	"hash/fnv"
	"regexp"
)

var projectRE = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckProject reports whether id can be a project id: a DNS label that starts
// with a letter. Google asks for six characters or more; Sunya's default,
// "sunya", shows why a self-hosted platform does not.
func CheckProject(id string) error {
	if !projectRE.MatchString(id) {
		return Invalid("project", "%q is not a project id: use 1 to 63 lower-case letters, digits and dashes, beginning with a letter", id)
	}
	return nil
}

// ProjectNumber returns the number of a project: twelve digits that never
// change. Google gives numbers out; here they follow from the id.
func ProjectNumber(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return 100_000_000_000 + int64(h.Sum64()%900_000_000_000)
}
