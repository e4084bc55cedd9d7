package logs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestStructuredLines(t *testing.T) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 4000, time.UTC)
	tests := []struct {
		rule, line string
		want       Entry
	}{
		{"message alone is text", `{"message":"hi","severity":"warn"}`, Entry{Text: "hi", Severity: Warning}},
		{"more than a message is JSON", `{"message":"hi","n":1.50}`, Entry{JSON: json.RawMessage(`{"message":"hi","n":1.50}`)}},
		{"a message that is no string stays", `{"message":{"a":1}}`, Entry{JSON: json.RawMessage(`{"message":{"a":1}}`)}},
		{"an empty object", `{}`, Entry{JSON: json.RawMessage(`{}`)}},
		{"severity as a number", `{"severity":500}`, Entry{Severity: Error, JSON: json.RawMessage(`{}`)}},
		{"an unknown severity stays", `{"severity":"LOUD"}`, Entry{JSON: json.RawMessage(`{"severity":"LOUD"}`)}},
		{"a severity of another type stays", `{"severity":{}}`, Entry{JSON: json.RawMessage(`{"severity":{}}`)}},
		{"time", `{"time":"2026-11-23T01:02:03.000004Z","message":"x"}`, Entry{Timestamp: at, Text: "x"}},
		{"timestamp of an offset", `{"timestamp":"2026-11-23T02:02:03.000004+01:00","message":"x"}`, Entry{Timestamp: at, Text: "x"}},
		{"timestamp as an object", `{"timestamp":{"seconds":1795395723,"nanos":4000},"message":"x"}`, Entry{Timestamp: at, Text: "x"}},
		{"timestampSeconds", `{"timestampSeconds":"1795395723","timestampNanos":4000,"message":"x"}`, Entry{Timestamp: at, Text: "x"}},
		{"a time that is none stays", `{"time":"noon"}`, Entry{JSON: json.RawMessage(`{"time":"noon"}`)}},
		{"a time out of range stays", `{"time":{"seconds":99999999999999}}`, Entry{JSON: json.RawMessage(`{"time":{"seconds":99999999999999}}`)}},
		{
			"trace", `{"message":"x","logging.googleapis.com/trace":"t","logging.googleapis.com/spanId":"s","logging.googleapis.com/trace_sampled":true,"logging.googleapis.com/insertId":"i"}`,
			Entry{Text: "x", Trace: "t", SpanID: "s", TraceSampled: true, InsertID: "i"},
		},
		{"labels join the stream's", `{"message":"x","logging.googleapis.com/labels":{"a":"b"}}`, Entry{Text: "x", Labels: map[string]string{"a": "b", "instance": "i"}}},
		{"labels of numbers stay", `{"logging.googleapis.com/labels":{"a":1}}`, Entry{JSON: json.RawMessage(`{"logging.googleapis.com/labels":{"a":1}}`)}},
		{
			"operation and place", `{"message":"x","logging.googleapis.com/operation":{"id":"o","last":true},"logging.googleapis.com/sourceLocation":{"file":"f","line":"7","function":"g"}}`,
			Entry{Text: "x", Operation: &Operation{ID: "o", Last: true}, Source: &SourceLocation{File: "f", Line: 7, Function: "g"}},
		},
		{
			"request", `{"message":"x","httpRequest":{"requestMethod":"GET","requestUrl":"/","status":503,"responseSize":"12","latency":"0.25s","cacheHit":true}}`,
			Entry{Text: "x", HTTP: &HTTPRequest{Method: "GET", URL: "/", Status: 503, ResponseSize: 12, Latency: 250 * time.Millisecond, Cache: &CacheUse{Hit: true}}},
		},
		{"a request of another shape stays", `{"httpRequest":"GET /"}`, Entry{JSON: json.RawMessage(`{"httpRequest":"GET /"}`)}},
		{"null is kept", `{"a":null,"message":null}`, Entry{JSON: json.RawMessage(`{"a":null,"message":null}`)}},
		{"invalid UTF-8 inside", "{\"message\":\"a\xffb\"}", Entry{Text: "a\uFFFDb"}},
		{"deep nesting is no reason to fail", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, Entry{Text: `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`}},
	}
	for _, tt := range tests {
		got := collect(t, tt.line+"\n")
		tt.want.LogName, tt.want.Resource = testMeta.LogName, testMeta.Resource
		if tt.want.Labels == nil {
			tt.want.Labels = testMeta.Labels
		}
		opt := cmp.Options{}
		if tt.want.Timestamp.IsZero() {
			opt = append(opt, cmpopts.IgnoreFields(Entry{}, "Timestamp"))
		}
		if diff := cmp.Diff([]Entry{tt.want}, got, opt); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.rule, diff)
		}
	}
}

func TestJSONLineEndsATrace(t *testing.T) {
	got := collect(t, "Traceback (most recent call last):\n  File \"x\", line 1\n{\"message\":\"m\"}\n")
	if len(got) != 2 || got[0].Severity != Error || got[1].Text != "m" {
		t.Errorf("got %s", golden(got))
	}
}

func TestSeverities(t *testing.T) {
	for s, name := range severityNames {
		got, err := ParseSeverity(strings.ToLower(name))
		if err != nil || got != s || s.String() != name {
			t.Errorf("ParseSeverity(%q) = %v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "-1", "801", "loud", "1e2"} {
		if s, err := ParseSeverity(bad); err == nil {
			t.Errorf("ParseSeverity(%q) = %v, want an error", bad, s)
		}
	}
}

func TestLogNames(t *testing.T) {
	name := LogName("p", "run.googleapis.com/stdout")
	if want := "projects/p/logs/run.googleapis.com%2Fstdout"; name != want {
		t.Errorf("LogName = %q, want %q", name, want)
	}
	if p, id, err := ParseLogName(name); p != "p" || id != "run.googleapis.com/stdout" || err != nil {
		t.Errorf("ParseLogName = %q, %q, %v", p, id, err)
	}
	for _, bad := range []string{"", "stdout", "projects/p", "projects/p/logs/", "projects/P!/logs/x", "projects/p/logs/a/b", "projects/p/logs/%zz", "projects/p/logs/%00", "folders/p/logs/x"} {
		if _, _, err := ParseLogName(bad); err == nil {
			t.Errorf("ParseLogName(%q) is no error", bad)
		}
	}
}

func FuzzParseLogName(f *testing.F) {
	f.Add("projects/p/logs/run.googleapis.com%2Fstdout")
	f.Fuzz(func(t *testing.T, s string) {
		project, id, err := ParseLogName(s)
		if err != nil {
			return
		}
		p, i, err := ParseLogName(LogName(project, id))
		if err != nil || p != project || i != id {
			t.Errorf("ParseLogName(%q): %q %q is not a round trip: %v", s, project, id, err)
		}
	})
}
