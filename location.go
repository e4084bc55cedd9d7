package sunya

import (
	"regexp"
	"strings"
)

var locationRE = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// LocationName returns the resource name of a location of a project:
// projects/P/locations/L.
func LocationName(project, location string) string {
	return "projects/" + project + "/locations/" + location
}

// ParseLocation reads projects/P/locations/L; field is what an error names.
func ParseLocation(field, name string) (project, location string, err error) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[2] != "locations" || parts[1] == "" || parts[3] == "" {
		return "", "", Invalid(field, "%q is not a name of the form projects/*/locations/*", name)
	}
	return parts[1], parts[3], nil
}

// CheckLocation reports whether a project and a location can have resources. Any
// location is accepted: all of them are here.
func CheckLocation(project, location string) error {
	if err := CheckProject(project); err != nil {
		return err
	}
	if !locationRE.MatchString(location) {
		return Invalid("parent", "%q is not a location: use one such as us-central1 or local", location)
	}
	return nil
}
