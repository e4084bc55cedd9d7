package functions

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

var envNameRE = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// reservedEnv are the variables that the platform sets.
var reservedEnv = []string{
	"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "CLOUD_RUN_TIMEOUT_SECONDS",
}

const maxEnvValue = 32 << 10 // bytes

// checkEnv holds for variables of functions and of their builds.
func checkEnv(field string, env map[string]string, reserved ...string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !envNameRE.MatchString(name):
			return sunya.Invalid(field, "%q is not the name of a variable: use letters, digits and _, not beginning with a digit", name)
		case slices.Contains(reserved, name) || strings.HasPrefix(name, "X_GOOGLE_"):
			return sunya.Invalid(field, "%s is reserved: the platform sets it", name)
		case strings.ContainsRune(env[name], 0) || len(env[name]) > maxEnvValue:
			return sunya.Invalid(field, "the value of %s has more than %v, or a NUL", name, sunya.Bytes(maxEnvValue))
		}
	}
	return nil
}

// environment returns the variables of an instance: the container contract's,
// the functions frameworks', the user's.
func environment(k Key, s *Spec, revision string) []sunya.EnvVar {
	env := []sunya.EnvVar{
		{Name: "PORT", Value: strconv.Itoa(port)},
		{Name: "K_SERVICE", Value: k.ID},
		{Name: "K_REVISION", Value: ShortRevision(revision)},
		{Name: "K_CONFIGURATION", Value: k.ID},
		{Name: "FUNCTION_TARGET", Value: s.EntryPoint},
		{Name: "FUNCTION_SIGNATURE_TYPE", Value: string(s.Signature)},
		{Name: "CLOUD_RUN_TIMEOUT_SECONDS", Value: strconv.Itoa(int(s.Timeout.Seconds()))},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, sunya.EnvVar{Name: name, Value: s.Env[name]})
	}
	return env
}
