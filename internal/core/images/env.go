package images

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// below adds variables of an image (NAME=VALUE) that are not set already.
func below(set []sunya.EnvVar, image []string) []sunya.EnvVar {
	has := map[string]bool{}
	for _, v := range set {
		has[v.Name] = true
	}
	for _, line := range image {
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || has[name] {
			continue
		}
		has[name] = true
		set = append(set, sunya.EnvVar{Name: name, Value: value})
	}
	return set
}
