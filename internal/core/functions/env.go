package functions

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// reservedEnv are the variables that the platform sets.
var reservedEnv = []string{
	"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "CLOUD_RUN_TIMEOUT_SECONDS",
}

// checkReserved refuses the names of variables that the platform sets.
func checkReserved(field string, env map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(reservedEnv, name) || strings.HasPrefix(name, "X_GOOGLE_") {
			return sunya.Invalid(field, "%s is reserved: the platform sets it", name)
		}
	}
	return nil
}

// environment returns the variables of an instance: the container contract's
// and the user's. What tells the framework which function of which kind it
// serves comes from the build, which has read the source.
func environment(k Key, s *Spec, revision string) []sunya.EnvVar {
	env := []sunya.EnvVar{
		{Name: "PORT", Value: strconv.Itoa(port)},
		{Name: "K_SERVICE", Value: k.ID},
		{Name: "K_REVISION", Value: ShortRevision(revision)},
		{Name: "K_CONFIGURATION", Value: k.ID},
		{Name: "CLOUD_RUN_TIMEOUT_SECONDS", Value: strconv.Itoa(int(s.Timeout.Seconds()))},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, sunya.EnvVar{Name: name, Value: s.Env[name]})
	}
	return env
}
