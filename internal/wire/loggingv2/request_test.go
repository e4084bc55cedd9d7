package loggingv2

import (
	"testing"
	"time"

	gaelog "google.golang.org/genproto/googleapis/appengine/logging/v1"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

func TestRequestsHaveAppEnginesForm(t *testing.T) {
	e := logs.Entry{
		LogName: "projects/p/logs/appengine.googleapis.com%2Frequest_log", Timestamp: time.Unix(100, 0),
		Resource: logs.Resource{Type: "gae_app", Labels: map[string]string{"project_id": "p", "module_id": "m", "version_id": "v"}},
		Labels:   map[string]string{"request_id": "r", "instance_id": "i", "cold_start": "true"},
		Trace:    "projects/p/traces/t", Severity: logs.Error, Text: "no instance",
		HTTP: &logs.HTTPRequest{Method: "GET", URL: "http://m-dot-p.localhost:8080/a?b=c", Status: 503, Protocol: "HTTP/1.1", Latency: time.Second},
	}
	out := toProto(&e)
	var r gaelog.RequestLog
	if err := out.GetProtoPayload().UnmarshalTo(&r); err != nil {
		t.Fatal(err)
	}
	if r.GetMethod() != "GET" || r.GetResource() != "/a?b=c" || r.GetHost() != "m-dot-p.localhost:8080" || r.GetStatus() != 503 ||
		r.GetHttpVersion() != "HTTP/1.1" || r.GetModuleId() != "m" || r.GetVersionId() != "v" || r.GetRequestId() != "r" ||
		r.GetTraceId() != "t" || !r.GetWasLoadingRequest() || r.GetEndTime().AsTime() != time.Unix(101, 0).UTC() ||
		len(r.GetLine()) != 1 || r.GetLine()[0].GetLogMessage() != "no instance" {
		t.Errorf("request = %v", &r)
	}
	if out.GetHttpRequest().GetStatus() != 503 {
		t.Error("httpRequest is lost")
	}

	e.LogName = "projects/p/logs/stderr" // a program's own entry about a request
	if got := toProto(&e).GetTextPayload(); got != "no instance" {
		t.Errorf("text = %q", got)
	}
}
