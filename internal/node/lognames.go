package node

import (
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// logNames is how a product calls the logs of its revisions.
type logNames struct {
	requests, system string
	streams          string // in front of stdout and stderr
	resource         func(*sunya.Revision) logs.Resource
	labels           map[string]string // of what instances print
}

func logsOf(rev *sunya.Revision) logNames {
	switch rev.Product {
	case sunya.CloudFunctions:
		return logNames{functions.RequestLog, functions.SystemLog, functions.StreamPrefix, functions.LogResource, functions.LogLabels()}
	case sunya.CloudRun:
		return logNames{run.RequestLog, run.SystemLog, run.StreamPrefix, run.LogResource, nil}
	}
	return logNames{appengine.RequestLog, appengine.SystemLog, "", appengine.LogResource, nil}
}

// logNamer names one log of every revision.
func logNamer(pick func(logNames) string) func(*sunya.Revision) (string, logs.Resource) {
	return func(rev *sunya.Revision) (string, logs.Resource) {
		names := logsOf(rev)
		return logs.LogName(rev.Project, pick(names)), names.resource(rev)
	}
}

func requestLog(n logNames) string { return n.requests }
func systemLog(n logNames) string  { return n.system }
