package appengine

import (
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The logs of a version, by the names that App Engine gives them.
const (
	RequestLog = "appengine.googleapis.com/request_log"
	SystemLog  = "appengine.googleapis.com/varlog/system" // starts, stops and ends of instances
)

// LogResource is what a revision's log entries are about.
func LogResource(rev *sunya.Revision) logs.Resource {
	return logs.Resource{Type: "gae_app", Labels: rev.Labels}
}
