package gateway

import (
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// record writes the request's entry. A request for an unknown host belongs to
// no log.
func (x *exchange) record() {
	if x.rev == nil || x.g.Sink == nil || x.g.LogName == nil {
		return
	}
	now := x.g.Now()
	name, resource := x.g.LogName(x.rev)
	x.g.Sink.Write(logs.Entry{
		LogName:   name,
		InsertID:  x.id,
		Timestamp: x.begin,
		Severity:  severity(x.status, x.problem),
		Resource:  resource,
		Labels:    x.labels(),
		Text:      text(x.problem),
		Trace:     "projects/" + x.rev.Project + "/traces/" + x.trace.id,
		SpanID:    hexSpan(x.trace.span),
		HTTP: &logs.HTTPRequest{
			Method:       x.r.Method,
			URL:          text(x.client.scheme + "://" + x.r.Host + x.r.URL.RequestURI()),
			RequestSize:  x.received,
			Status:       x.status,
			ResponseSize: x.sent,
			UserAgent:    text(x.r.UserAgent()),
			RemoteIP:     x.client.ip,
			Referer:      text(x.r.Referer()),
			Latency:      now.Sub(x.begin),
			Protocol:     x.r.Proto,
		},
	})
}

// text is what a client sent as the log takes it: who follows the log gets
// entries as protobuf, which has no bytes that are not UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func (x *exchange) labels() map[string]string {
	out := map[string]string{"request_id": x.id}
	if x.instance != "" {
		out["instance_id"] = x.instance
	}
	if x.cold {
		out["cold_start"] = strconv.FormatBool(x.cold)
	}
	return out
}

func severity(status int, problem string) logs.Severity {
	switch {
	case status >= 500:
		return logs.Error
	case status >= 400 || problem != "":
		return logs.Warning
	}
	return logs.Info
}
