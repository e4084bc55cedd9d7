package images

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// below adds variables of an image that are not set already: its own, and those
// of its configuration (NAME=VALUE).
func below(set, own []sunya.EnvVar, image []string) []sunya.EnvVar {
	has := map[string]bool{}
	for _, v := range set {
		has[v.Name] = true
	}
	for _, v := range own {
		if !has[v.Name] {
			has[v.Name] = true
			set = append(set, v)
		}
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
