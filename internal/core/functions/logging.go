package functions

import (
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The logs of a function, by the names that Cloud Run gives them.
const (
	RequestLog   = "run.googleapis.com/requests"
	SystemLog    = "run.googleapis.com/varlog/system" // starts, stops and ends of instances
	StreamPrefix = "run.googleapis.com/"              // of stdout and stderr
)

// FirstLog is the log of a function of the first generation: all that it prints,
// and what the platform says.
const FirstLog = "cloudfunctions.googleapis.com/cloud-functions"

// IsFirstGen reports whether a revision is a function of the first generation.
func IsFirstGen(rev *sunya.Revision) bool { return rev.Labels[functionLabel] != "" }

// functionLabel names a function of the first generation among the labels of
// its revision.
const functionLabel = "function_name"

// LogLabels are those of what instances print: by them Google's tools tell a
// function's log from that of another service.
func LogLabels() map[string]string { return map[string]string{"goog-managed-by": "cloudfunctions"} }

// LogResource is what a revision's log entries are about.
func LogResource(rev *sunya.Revision) logs.Resource {
	kind := "cloud_run_revision"
	if IsFirstGen(rev) {
		kind = "cloud_function"
	}
	return logs.Resource{Type: kind, Labels: rev.Labels}
}
