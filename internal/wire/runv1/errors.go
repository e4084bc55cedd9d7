package runv1

import (
	"errors"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// fields are v2's names of fields, in this API's words; the first that fits
// counts.
var fields = []struct{ v2, v1 string }{
	{"service.template.containers", "spec.template.spec.containers"},
	{"service.template.volumes", "spec.template.spec.volumes"},
	{"service.template.revision", "spec.template.metadata.name"},
	{"service.template.labels", "spec.template.metadata.labels"},
	{"service.template.annotations", "spec.template.metadata.annotations"},
	{"service.template.timeout", "spec.template.spec.timeoutSeconds"},
	{"service.template.service_account", "spec.template.spec.serviceAccountName"},
	{"service.template.max_instance_request_concurrency", "spec.template.spec.containerConcurrency"},
	{"service.template.scaling.min_instance_count", "spec.template.metadata.annotations[" + autoscaling + "minScale]"},
	{"service.template.scaling.max_instance_count", "spec.template.metadata.annotations[" + autoscaling + "maxScale]"},
	{"service.template", "spec.template.spec"},
	{"service.traffic", "spec.traffic"},
	{"service.labels", "metadata.labels"},
	{"service.annotations", "metadata.annotations"},
	{"service.scaling.min_instance_count", "metadata.annotations[" + runPrefix + "minScale]"},
	{"service.scaling.max_instance_count", "metadata.annotations[" + runPrefix + "maxScale]"},
	{"service.scaling", "metadata.annotations[" + runPrefix + "scalingMode]"},
	{"service.custom_audiences", "metadata.annotations[" + runPrefix + "custom-audiences]"},
	{"service.description", "metadata.annotations[" + runPrefix + "description]"},
	{"service.ingress", "metadata.annotations[" + runPrefix + "ingress]"},
	{"job.template.template.containers", "spec.template.spec.template.spec.containers"},
	{"job.template.template.volumes", "spec.template.spec.template.spec.volumes"},
	{"job.template.template.timeout", "spec.template.spec.template.spec.timeoutSeconds"},
	{"job.template.template.service_account", "spec.template.spec.template.spec.serviceAccountName"},
	{"job.template.template", "spec.template.spec.template.spec"},
	{"job.template.task_count", "spec.template.spec.taskCount"},
	{"job.template.parallelism", "spec.template.spec.parallelism"},
	{"job.start_execution_token", "spec.startExecutionToken"},
	{"overrides.container_overrides", "overrides.containerOverrides"},
	{"job_id", "metadata.name"},
	{"service_id", "metadata.name"},
	{"parent", "metadata.namespace"},
}

// inKnative names the field of an error as this API does.
func inKnative(err error) error {
	var e *sunya.Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	out := *e
	out.Field = fieldName(e.Field)
	return &out
}

func fieldName(v2 string) string {
	for _, f := range fields {
		rest, ok := strings.CutPrefix(v2, f.v2)
		switch {
		case !ok, rest != "" && rest[0] != '.' && rest[0] != '[':
		case f.v1 == "spec.traffic":
			return f.v1 + strings.Replace(rest, "].revision", "].revisionName", 1)
		default:
			return f.v1 + camelPath(rest)
		}
	}
	return v2
}

// camelPath is a path of names with underscores as one of names without; what
// is in brackets stays as it is.
func camelPath(path string) string {
	var b strings.Builder
	up, inside := false, false
	for _, r := range path {
		switch {
		case r == '[' || r == ']':
			inside = r == '['
			b.WriteRune(r)
		case r == '_' && !inside:
			up = true
		case up:
			b.WriteString(strings.ToUpper(string(r)))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
