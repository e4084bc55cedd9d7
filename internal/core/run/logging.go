package run

import (
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The logs of a service (Cloud Run, "Logging and viewing logs").
const (
	RequestLog   = "run.googleapis.com/requests"
	SystemLog    = "run.googleapis.com/varlog/system" // starts, stops and ends of instances
	StreamPrefix = "run.googleapis.com/"              // of stdout and stderr
)

// LogResource is what a revision's log entries are about.
func LogResource(rev *sunya.Revision) logs.Resource {
	return logs.Resource{Type: "cloud_run_revision", Labels: rev.Labels}
}
