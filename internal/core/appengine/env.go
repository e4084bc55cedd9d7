package appengine

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// port is what programs listen on, as in Google's buildpacks.
const port = 8080

// checkReserved refuses names that App Engine keeps for itself.
func checkReserved(field string, env map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, "GAE") || strings.HasPrefix(name, "X_GOOGLE_") {
			return sunya.Invalid(field, "%s is reserved: names that begin with GAE and X_GOOGLE_ belong to App Engine", name)
		}
	}
	return nil
}

// environment returns the variables of an instance: the platform's, then the
// user's in alphabetical order. ignored names those of the user's that cannot
// be changed; NODE_ENV is the only one that can.
func environment(v *Version, deployment string, memoryMB int) (env []sunya.EnvVar, ignored []string) {
	env = []sunya.EnvVar{
		{Name: "PORT", Value: strconv.Itoa(port)},
		{Name: "GAE_APPLICATION", Value: "s~" + v.Project},
		{Name: "GAE_DEPLOYMENT_ID", Value: deployment},
		{Name: "GAE_ENV", Value: "standard"},
		{Name: "GAE_INSTANCE", Field: sunya.FieldInstanceID},
		{Name: "GAE_MEMORY_MB", Value: strconv.Itoa(memoryMB)},
		{Name: "GAE_RUNTIME", Value: v.Runtime},
		{Name: "GAE_SERVICE", Value: v.Service},
		{Name: "GAE_VERSION", Value: v.ID},
		{Name: "GOOGLE_CLOUD_PROJECT", Value: v.Project},
	}
	if _, own := v.Env["NODE_ENV"]; !own && strings.HasPrefix(v.Runtime, "nodejs") {
		env = append(env, sunya.EnvVar{Name: "NODE_ENV", Value: "production"})
	}
	fixed := len(env)
	for _, name := range slices.Sorted(maps.Keys(v.Env)) {
		if slices.ContainsFunc(env[:fixed], func(e sunya.EnvVar) bool { return e.Name == name }) {
			ignored = append(ignored, name)
			continue
		}
		env = append(env, sunya.EnvVar{Name: name, Value: v.Env[name]})
	}
	return env, ignored
}
