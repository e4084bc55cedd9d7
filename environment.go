package sunya

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var envNameRE = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// Bounds on variables. Linux allows 128 KiB for one string of an environment.
const (
	maxEnvValue = 32 << 10
	maxEnvTotal = 256 << 10
)

// CheckEnv holds for the environment variables that users give; field is named
// in errors.
func CheckEnv(field string, env map[string]string) error {
	total := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value := env[name]
		total += len(name) + len(value) + 2
		switch {
		case !envNameRE.MatchString(name):
			return Invalid(field, "%q is not the name of a variable: use letters, digits and _, not beginning with a digit", name)
		case strings.ContainsRune(value, 0):
			return Invalid(field, "the value of %s holds a NUL byte", name)
		case len(value) > maxEnvValue:
			return Invalid(field, "the value of %s has %d bytes, more than %v", name, len(value), Bytes(maxEnvValue))
		}
	}
	if total > maxEnvTotal {
		return Invalid(field, "the variables have %d bytes together, more than %v", total, Bytes(maxEnvTotal))
	}
	return nil
}
