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
		{Name: "K_REVISION", Value: sunya.ShortRevision(revision)},
		{Name: "K_CONFIGURATION", Value: k.ID},
		{Name: "CLOUD_RUN_TIMEOUT_SECONDS", Value: strconv.Itoa(int(s.Timeout.Seconds()))},
	}
	if s.FirstGen {
		env = append(env, firstEnvironment(k, s)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, sunya.EnvVar{Name: name, Value: s.Env[name]})
	}
	return env
}

// firstEnvironment are the variables that functions of the first generation had
// before Knative's. Google sets them for its oldest runtimes only; ENTRY_POINT,
// by which Python's framework falls back to the ways of Python 3.7, here too.
func firstEnvironment(k Key, s *Spec) []sunya.EnvVar {
	env := []sunya.EnvVar{
		{Name: "GCP_PROJECT", Value: k.Project},
		{Name: "GCLOUD_PROJECT", Value: k.Project},
		{Name: "GOOGLE_CLOUD_PROJECT", Value: k.Project},
		{Name: "FUNCTION_TRIGGER_TYPE", Value: triggerKind(s)},
		{Name: "FUNCTION_NAME", Value: k.ID},
		{Name: "FUNCTION_REGION", Value: k.Location},
		{Name: "FUNCTION_IDENTITY", Value: s.Account},
		{Name: "FUNCTION_MEMORY_MB", Value: strconv.FormatInt(s.MemoryBytes>>20, 10)},
		{Name: "FUNCTION_TIMEOUT_SEC", Value: strconv.Itoa(int(s.Timeout.Seconds()))},
	}
	if s.Runtime == "python37" {
		env = append(env, sunya.EnvVar{Name: "ENTRY_POINT", Value: s.EntryPoint})
	}
	return slices.DeleteFunc(env, func(v sunya.EnvVar) bool { _, own := s.Env[v.Name]; return own })
}

// triggerKind is what the first generation called the kinds of its triggers.
func triggerKind(s *Spec) string {
	switch {
	case s.Event == nil:
		return "HTTP_TRIGGER"
	case s.Event.Topic != "":
		return "CLOUD_PUBSUB_TRIGGER"
	case s.Event.Filter("bucket") != "":
		return "CLOUD_STORAGE_TRIGGER"
	}
	return "OTHER_EVENT_TRIGGER"
}
