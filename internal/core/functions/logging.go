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

// LogLabels are those of what instances print: by them Google's tools tell a
// function's log from that of another service.
func LogLabels() map[string]string { return map[string]string{"goog-managed-by": "cloudfunctions"} }

// LogResource is what a revision's log entries are about.
func LogResource(rev *sunya.Revision) logs.Resource {
	return logs.Resource{Type: "cloud_run_revision", Labels: rev.Labels}
}
