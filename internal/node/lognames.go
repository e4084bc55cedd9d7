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
	one              string // the log of both streams; empty: each has its own
	resource         func(*sunya.Revision) logs.Resource
	labels           map[string]string // of what instances print
}

func logsOf(rev *sunya.Revision) logNames {
	switch rev.Product {
	case sunya.CloudFunctions:
		if functions.IsFirstGen(rev) {
			return logNames{requests: functions.RequestLog, system: functions.FirstLog, one: functions.FirstLog, resource: functions.LogResource}
		}
		return logNames{requests: functions.RequestLog, system: functions.SystemLog, streams: functions.StreamPrefix, resource: functions.LogResource, labels: functions.LogLabels()}
	case sunya.CloudRun:
		return logNames{requests: run.RequestLog, system: run.SystemLog, streams: run.StreamPrefix, resource: run.LogResource}
	}
	return logNames{requests: appengine.RequestLog, system: appengine.SystemLog, resource: appengine.LogResource}
}

// stream is the log of stdout or stderr.
func (n logNames) stream(name string) string {
	if n.one != "" {
		return n.one
	}
	return n.streams + name
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
