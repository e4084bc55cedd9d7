package logs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya"
)

// request and crash are the entries that filters are tried on.
func request() *Entry {
	return &Entry{
		LogName: LogName("sunya", "appengine.googleapis.com/request_log"), InsertID: "id7", Severity: Info,
		Timestamp: time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC), ReceiveTime: time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC),
		Resource: Resource{Type: "gae_app", Labels: map[string]string{"module_id": "default", "version_id": "v1"}},
		Labels:   map[string]string{"env": "Prod", "compute.googleapis.com/name": "vm-1"},
		Text:     "GET /Hello 200", Trace: "projects/sunya/traces/abc",
		HTTP: &HTTPRequest{Method: "GET", URL: "/Hello?q=1", Status: 200, Latency: 1500 * time.Millisecond, UserAgent: "curl"},
	}
}

func crash() *Entry {
	return &Entry{
		LogName: LogName("sunya", "stdout"), InsertID: "id8", Severity: Error,
		Timestamp: time.Date(2026, 11, 23, 12, 0, 0, 2, time.UTC),
		Resource:  Resource{Type: "build", Labels: map[string]string{"build_id": "b1"}},
		JSON:      json.RawMessage(`{"user":{"id":42,"name":"Ada","ok":true,"none":null},"tags":["a","b"],"n":"7","e":{},"a.b":1}`),
	}
}

func TestFilterMatches(t *testing.T) {
	tests := []struct {
		filter         string
		request, crash bool
	}{
		{"", true, true},
		{"severity>=ERROR", false, true},
		{`severity = "info"`, true, false},
		{"severity=(ERROR OR CRITICAL)", false, true},
		{"severity!=ERROR", true, false},
		{"NOT severity=ERROR", true, false},
		{"-severity=ERROR", true, false},
		{"severity>=200", true, true},
		{"severity:ERROR", false, true},
		{`timestamp>="2026-11-23T12:00:00.000000002Z"`, false, true},
		{`timestamp>2026-11-23T12:00:00.000000001Z`, false, true},
		{`timestamp<"2026-11-24"`, true, true},
		{`timestamp="2026-11-23T13:00:00.000000001+01:00"`, true, false},
		{`logName="projects/sunya/logs/stdout"`, false, true},
		{`logName:"stdout"`, false, true},
		{`log_id("appengine.googleapis.com/request_log")`, true, false},
		{`logName="projects/sunya/logs/appengine.googleapis.com%2Frequest_log"`, true, false},
		{`resource.type="gae_app" resource.labels.module_id="default"`, true, false},
		{`resource.type="gae_app" AND resource.labels.module_id="other"`, false, false},
		{`resource.type=gae_app OR resource.type=build`, true, true},
		{`resource.labels.build_id:*`, false, true},
		{`labels.env=prod`, true, false},
		{`labels."compute.googleapis.com/name"="vm-1"`, true, false},
		{`labels.env!="x"`, true, false}, // missing: every comparison is false
		{`NOT labels.env="x"`, true, true},
		{`httpRequest.status>=500`, false, false},
		{`httpRequest.status<500`, true, true}, // a field of LogEntry has its default
		{`httpRequest:*`, true, false},
		{`httpRequest.status:*`, true, false},
		{`httpRequest.latency>"1s"`, true, false},
		{`httpRequest.latency<=1500ms httpRequest:*`, true, false},
		{`http_request.request_url:"hello"`, true, false},
		{`httpRequest.requestUrl=~"^/H\w+\?q=\d$"`, true, false},
		{`httpRequest.requestUrl=~"^/h"`, false, false},
		{`httpRequest.userAgent!~"^c"`, false, true},
		{`textPayload:"hello"`, true, false},
		{`textPayload=~"GET"`, true, false},
		{`jsonPayload.user.id=42`, false, true},
		{`jsonPayload.user.id>41.5`, false, true},
		{`jsonPayload.user.id>50`, false, false},
		{`jsonPayload.user.id="x"`, false, false},
		{`jsonPayload.user.id!="x"`, false, true},
		{`jsonPayload.user.name="ada"`, false, true},
		{`jsonPayload.user.name=("bob" OR "ada")`, false, true},
		{`jsonPayload.user.ok=true`, false, true},
		{`jsonPayload.user.none:*`, false, false},
		{`jsonPayload.user:*`, false, true},
		{`jsonPayload.e:*`, false, true},
		{`jsonPayload.tags="b"`, false, true},
		{`jsonPayload.tags=("a" AND "b")`, false, true},
		{`jsonPayload.tags=("a" AND NOT "b")`, false, false},
		{`jsonPayload.n=7`, false, true},
		{`jsonPayload."a.b"=1`, false, true},
		{`jsonPayload:"ada"`, false, true},
		{`trace="projects/sunya/traces/abc"`, true, false},
		{`hello`, true, false},
		{`"ADA"`, false, true},
		{`SEARCH("ada")`, false, true},
		{`-hello`, false, true},
		{`hello 200`, true, false},
		{`nowhere OR ada`, false, true},
		{`(severity=INFO OR severity=ERROR) AND (ada)`, false, true},
		// NOT binds tightest, then OR, then AND.
		{`severity=INFO OR severity=ERROR AND ada`, false, true},
		{`ada -- a comment "
			AND severity=ERROR`, false, true},
		{`insertId='id7'`, true, false},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if got := f.Match(request()); got != tt.request {
			t.Errorf("%s matches the request: %v", tt.filter, got)
		}
		if got := f.Match(crash()); got != tt.crash {
			t.Errorf("%s matches the crash: %v", tt.filter, got)
		}
		checkRoundTrip(t, f)
		checkNarrow(t, f)
	}
}

func checkRoundTrip(t *testing.T, f *Filter) {
	t.Helper()
	again, err := ParseFilter(format(f))
	if err != nil {
		t.Fatalf("%s is not read back: %v", format(f), err)
	}
	if format(again) != format(f) {
		t.Errorf("%s is read back as %s", format(f), format(again))
	}
}

// checkNarrow makes sure that what is handed to the store never leaves out an
// entry that the filter wants.
func checkNarrow(t *testing.T, f *Filter) {
	t.Helper()
	q := Query{Projects: []string{"sunya"}}
	f.Narrow(&q)
	for _, e := range []*Entry{request(), crash()} {
		if f.Match(e) && !selected(q, e) {
			t.Errorf("%s: the narrowed query %+v leaves out %+v", f, q, e)
		}
	}
}

func selected(q Query, e *Entry) bool {
	ok := q.LogNames == nil
	for _, n := range q.LogNames {
		ok = ok || n == e.LogName
	}
	for k, v := range q.Resource.Labels {
		ok = ok && e.Resource.Labels[k] == v
	}
	return ok && (q.Resource.Type == "" || q.Resource.Type == e.Resource.Type) && e.Severity >= q.MinSeverity &&
		!e.Timestamp.Before(q.Since) && (q.Until.IsZero() || e.Timestamp.Before(q.Until))
}

func TestFilterNarrows(t *testing.T) {
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		filter string
		want   Query
	}{
		{`severity>WARNING hello`, Query{MinSeverity: Warning}},
		{`severity<WARNING`, Query{}},
		{`severity>=INFO severity=ERROR`, Query{MinSeverity: Error}},
		{`timestamp>="2026-11-23" timestamp<"2026-11-24"`, Query{Since: at, Until: at.Add(24 * time.Hour)}},
		{`timestamp>"2026-11-23" timestamp<="2026-11-24"`, Query{Since: at.Add(1), Until: at.Add(24*time.Hour + 1)}},
		{`resource.type=build (resource.labels.build_id="b1" ada)`, Query{Resource: Resource{Type: "build", Labels: map[string]string{"build_id": "b1"}}}},
		{`log_id("a/b") OR logName="projects/x/logs/c"`, Query{LogNames: []string{"projects/sunya/logs/a%2Fb", "projects/x/logs/c"}}},
		{`log_id("a") OR severity=ERROR`, Query{}},
		{`NOT resource.type=build`, Query{}},
		{`resource.type=build OR resource.type=gae_app`, Query{}},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Fatalf("%s: %v", tt.filter, err)
		}
		got := Query{Projects: []string{"sunya"}}
		f.Narrow(&got)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Query{}, "Match", "Projects")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.filter, diff)
		}
	}
}

func TestFilterErrorsNameTheColumn(t *testing.T) {
	tests := []struct {
		filter, want string
	}{
		{`severity>=`, "column 11: a value is missing behind >="},
		{`severity>=LOUD`, "column 11: \"LOUD\" is not a severity"},
		{`a AND`, "column 6: the filter ends where a comparison was expected"},
		{`a OR OR b`, "column 6: OR stands where"},
		{`(a`, "column 3: the parenthesis of column 1 is not closed"},
		{`a)`, "column 2: unexpected \")\""},
		{`ä "b`, "column 3: this string has no end"},
		{`foo.bar=1`, "column 1: there is no field \"foo.bar\""},
		{`timestamp>=yesterday`, "column 12: \"yesterday\" is not a time"},
		{`timestamp:"2026-01-01"`, "has no parts"},
		{`httpRequest.status=ok`, "column 20: \"ok\" is not a number"},
		{`httpRequest.latency>3`, "is not a duration"},
		{`textPayload=~"("`, "column 14: \"(\" is not a regular expression"},
		{`severity=~"E"`, "cannot be matched with a regular expression"},
		{`traceSampled=maybe`, "neither true nor false"},
		{`httpRequest=1`, "httpRequest:*"},
		{`labels=1`, "there is no field"},
		{`labels.=1`, "ends in a dot"},
		{`severity=()`, "no value between"},
		{`= 1`, "column 1: unexpected \"=\""},
		{`!`, "column 1: unexpected \"!\""},
		{`"a"b`, "column 4: a space or an operator is missing"},
		{`sample(insertId, 0.1)`, "sample"},
		{"a\xff", "not valid UTF-8"},
		{strings.Repeat("(", 60), "nested deeper"},
		{"severity=" + strings.Repeat("(", 60), "nested deeper"},
		{strings.Repeat("x", maxFilter+1), "longer than"},
	}
	for _, tt := range tests {
		_, err := ParseFilter(tt.filter)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: error %v, want %q", tt.filter, err, tt.want)
		}
		if code := sunya.CodeOf(err); code != sunya.InvalidArgument && code != sunya.Unimplemented {
			t.Errorf("%.40s: code %v", tt.filter, code)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{
		`severity>=ERROR AND NOT (a OR -b) labels."x/y".z:*`, `jsonPayload.a=("x" OR NOT 'y\u00e9')`,
		`log_id("x") timestamp>="2026-01-01"`, `httpRequest.latency>"1.5s" -- c`, `a."b".c "\d+"`, `labels..x=~"(?i)a"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFilter(s)
		if err != nil {
			if code := sunya.CodeOf(err); code != sunya.InvalidArgument && code != sunya.Unimplemented {
				t.Errorf("%q: code %v", s, code)
			}
			return
		}
		if len(format(got)) > maxFilter {
			return // quotes made it longer
		}
		checkRoundTrip(t, got)
		checkNarrow(t, got)
	})
}

func BenchmarkFilterMatch(b *testing.B) {
	f, err := ParseFilter(`resource.type="gae_app" severity>=INFO httpRequest.status>=200 textPayload:"hello"`)
	if err != nil {
		b.Fatal(err)
	}
	e := request()
	b.ReportAllocs()
	for b.Loop() {
		if !f.Match(e) {
			b.Fatal("no match")
		}
	}
}
