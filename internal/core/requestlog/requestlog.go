// Package requestlog writes one log entry for each request that is over, in
// the form of Google's load balancers: an httpRequest, and a text where
// something went wrong.
package requestlog

import (
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// Name gives the log and the resource of a revision's requests.
type Name func(rev *sunya.Revision) (log string, res logs.Resource)

// Log is the observer that writes the request log.
type Log struct {
	sink logs.Sink
	name Name
}

var _ served.Observer = (*Log)(nil)

// New returns a Log that writes into sink.
func New(sink logs.Sink, name Name) *Log { return &Log{sink: sink, name: name} }

// Observe implements served.Observer.
func (l *Log) Observe(r *served.Request) {
	name, resource := l.name(r.Revision)
	l.sink.Write(logs.Entry{
		LogName:   name,
		InsertID:  strings.Clone(r.ID),
		Timestamp: r.Begin,
		Severity:  severity(r),
		Resource:  resource,
		Labels:    labels(r),
		Text:      text(r.Problem),
		Trace:     "projects/" + r.Revision.Project + "/traces/" + r.TraceID,
		SpanID:    fmt.Sprintf("%016x", r.SpanID),
		HTTP: &logs.HTTPRequest{
			Method:       text(r.Method),
			URL:          text(r.Scheme + "://" + r.Host + r.Target),
			RequestSize:  r.Received,
			Status:       r.Status,
			ResponseSize: r.Sent,
			UserAgent:    text(r.UserAgent),
			RemoteIP:     strings.Clone(r.RemoteIP),
			Referer:      text(r.Referer),
			Latency:      r.Latency,
			Protocol:     strings.Clone(r.Protocol),
		},
	})
}

// text is what a client sent as the log takes it: who follows the log gets
// entries as protobuf, which has no bytes that are not UTF-8.
func text(s string) string { return strings.Clone(strings.ToValidUTF8(s, "\uFFFD")) }

func labels(r *served.Request) map[string]string {
	out := map[string]string{"request_id": strings.Clone(r.ID)}
	if r.Instance != "" {
		out["instance_id"] = strings.Clone(r.Instance)
	}
	if r.ColdStart {
		out["cold_start"] = "true"
	}
	return out
}

func severity(r *served.Request) logs.Severity {
	switch {
	case r.Status >= 500:
		return logs.Error
	case r.Status >= 400 || r.Problem != "":
		return logs.Warning
	}
	return logs.Info
}
