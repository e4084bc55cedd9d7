package loggingv2

import (
	"net/url"
	"strings"

	gaelog "google.golang.org/genproto/googleapis/appengine/logging/v1"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// requestLog is how the log of App Engine's requests ends.
var requestLog = "/logs/" + url.PathEscape(appengine.RequestLog)

// isRequest reports whether an entry is about one request to an app.
func isRequest(e *logs.Entry) bool {
	return e.HTTP != nil && e.JSON == nil && strings.HasSuffix(e.LogName, requestLog)
}

// requestPayload is App Engine's own form of a request, beside httpRequest:
// gcloud app logs shows nothing else of it.
func requestPayload(e *logs.Entry) (*anypb.Any, error) {
	h := e.HTTP
	out := &gaelog.RequestLog{
		AppId:     e.Resource.Labels["project_id"],
		ModuleId:  e.Resource.Labels["module_id"],
		VersionId: e.Resource.Labels["version_id"],

		RequestId:         e.Labels["request_id"],
		InstanceId:        e.Labels["instance_id"],
		WasLoadingRequest: e.Labels["cold_start"] == "true",

		Ip: h.RemoteIP, Method: h.Method, HttpVersion: h.Protocol, Status: int32(h.Status),
		Referrer: h.Referer, UserAgent: h.UserAgent, ResponseSize: h.ResponseSize,
		Latency:   durationpb.New(h.Latency),
		StartTime: timestamppb.New(e.Timestamp),
		EndTime:   timestamppb.New(e.Timestamp.Add(h.Latency)),
		TraceId:   e.Trace[strings.LastIndexByte(e.Trace, '/')+1:],
		First:     true, Finished: true,
	}
	if u, err := url.Parse(h.URL); err == nil {
		out.Host, out.Resource = u.Host, u.RequestURI()
	}
	if e.Text != "" {
		out.Line = []*gaelog.LogLine{{Time: out.EndTime, Severity: ltype.LogSeverity(e.Severity), LogMessage: e.Text}}
	}
	return anypb.New(out)
}
