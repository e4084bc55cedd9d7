package appengine

import (
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The logs of an application besides its stdout and stderr, under the names
// that App Engine gives them.
const (
	RequestLog = "appengine.googleapis.com/request_log" // one entry a request
	SystemLog  = "varlog/system"                        // what the platform says about instances
)

// LogResource is what the log entries of a revision are about: the monitored
// resource gae_app with the labels project_id, module_id and version_id.
func LogResource(rev *sunya.Revision) logs.Resource {
	return logs.Resource{Type: "gae_app", Labels: rev.Labels}
}
