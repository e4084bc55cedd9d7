package loggingv2

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

const testLog = "projects/p/logs/app"

func textEntry(text string) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_TextPayload{TextPayload: text}}
}

func (f *fixture) write(t *testing.T, entries ...*loggingpb.LogEntry) {
	t.Helper()
	_, err := f.client.WriteLogEntries(t.Context(), &loggingpb.WriteLogEntriesRequest{
		LogName: testLog, Resource: &monitoredres.MonitoredResource{Type: "global"}, Entries: entries,
	})
	if err != nil {
		t.Fatalf("WriteLogEntries: %v", err)
	}
}

func (f *fixture) list(t *testing.T, r *loggingpb.ListLogEntriesRequest) []*loggingpb.LogEntry {
	t.Helper()
	r.ResourceNames = []string{"projects/p"}
	var all []*loggingpb.LogEntry
	it := f.client.ListLogEntries(t.Context(), r)
	for {
		e, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return all
		}
		if err != nil {
			t.Fatalf("ListLogEntries: %v", err)
		}
		all = append(all, e)
	}
}

func TestWriteThenListReturnsEveryField(t *testing.T) {
	f := newFixture(t)
	payload, err := structpb.NewStruct(map[string]any{"a": map[string]any{"b": []any{1.5, "x", nil, true}}})
	if err != nil {
		t.Fatal(err)
	}
	want := &loggingpb.LogEntry{
		LogName: "projects/p/logs/run.googleapis.com%2Fstdout", InsertId: "id1", Severity: ltype.LogSeverity_ERROR,
		Resource:  &monitoredres.MonitoredResource{Type: "gae_app", Labels: map[string]string{"module_id": "m", "project_id": "p"}},
		Timestamp: timestamppb.New(time.Now()), Labels: map[string]string{"k": "v"},
		Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: payload}, Trace: "t", SpanId: "s", TraceSampled: true,
		HttpRequest: &ltype.HttpRequest{
			RequestMethod: "GET", RequestUrl: "/", RequestSize: 1, Status: 200, ResponseSize: 2, UserAgent: "u", RemoteIp: "1.2.3.4",
			ServerIp: "5.6.7.8", Referer: "r", Latency: durationpb.New(time.Second), CacheLookup: true, CacheFillBytes: 3, Protocol: "HTTP/2",
		},
		Operation:      &loggingpb.LogEntryOperation{Id: "o", Producer: "p", First: true},
		SourceLocation: &loggingpb.LogEntrySourceLocation{File: "f.go", Line: 3, Function: "g"},
		Split:          &loggingpb.LogSplit{Uid: "u", Index: 1, TotalSplits: 2},
	}
	f.write(t, proto.CloneOf(want))
	got := f.list(t, &loggingpb.ListLogEntriesRequest{})
	if len(got) != 1 || got[0].GetReceiveTimestamp() == nil {
		t.Fatalf("got %v", got)
	}
	got[0].ReceiveTimestamp = nil
	if diff := cmp.Diff(want, got[0], protocmp.Transform()); diff != "" {
		t.Errorf("entry changed (-want +got):\n%s", diff)
	}
}

func TestListPagesInBothDirections(t *testing.T) {
	f := newFixture(t)
	start := time.Now().Add(-time.Hour)
	var entries []*loggingpb.LogEntry
	for i := range 25 {
		e := textEntry(fmt.Sprint(i))
		e.Timestamp = timestamppb.New(start.Add(time.Duration(i/2) * time.Second)) // two at a time
		entries = append(entries, e)
	}
	f.write(t, entries...)
	for order, want := range map[string]func(i int) int{
		"timestamp asc":  func(i int) int { return i },
		"timestamp desc": func(i int) int { return 24 - i },
	} {
		got := f.list(t, &loggingpb.ListLogEntriesRequest{OrderBy: order, PageSize: 7})
		if len(got) != 25 {
			t.Fatalf("%s: %d entries, want 25", order, len(got))
		}
		for i, e := range got {
			if e.GetTextPayload() != fmt.Sprint(want(i)) {
				t.Errorf("%s: entry %d is %s", order, i, e.GetTextPayload())
			}
		}
	}
}

func TestListRefusesWhatItCannotRead(t *testing.T) {
	f := newFixture(t)
	f.write(t, textEntry("a"), textEntry("b"))
	it := f.client.ListLogEntries(t.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, PageSize: 1})
	_, token, err := it.InternalFetch(1, "")
	if err != nil || token == "" {
		t.Fatalf("first page: token %q, %v", token, err)
	}
	tests := []struct {
		rule string
		r    *loggingpb.ListLogEntriesRequest
		want codes.Code
	}{
		{"no resource", &loggingpb.ListLogEntriesRequest{}, codes.InvalidArgument},
		{"an organization", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"organizations/1"}}, codes.Unimplemented},
		{"an odd project", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/\x00"}}, codes.InvalidArgument},
		{"a bad filter", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, Filter: "severity>"}, codes.InvalidArgument},
		{"an unknown order", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, OrderBy: "severity"}, codes.InvalidArgument},
		{"a negative page", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, PageSize: -1}, codes.InvalidArgument},
		{"another list's token", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, PageToken: token, Filter: "x"}, codes.InvalidArgument},
		{"a foreign token", &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, PageToken: "x"}, codes.InvalidArgument},
	}
	for _, tt := range tests {
		_, err := f.client.ListLogEntries(t.Context(), tt.r).Next()
		if got := gstatus.Code(err); got != tt.want {
			t.Errorf("%s: %v, want %v (%v)", tt.rule, got, tt.want, err)
		}
	}
}

func TestWriteChecksEntries(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		rule string
		edit func(*loggingpb.LogEntry)
		want codes.Code
	}{
		{"no log", func(e *loggingpb.LogEntry) { e.LogName = "" }, codes.InvalidArgument},
		{"an unescaped log", func(e *loggingpb.LogEntry) { e.LogName = "projects/p/logs/a/b" }, codes.InvalidArgument},
		{"no resource", func(e *loggingpb.LogEntry) { e.Resource = nil }, codes.InvalidArgument},
		{"a protobuf", func(e *loggingpb.LogEntry) { e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: &anypb.Any{}} }, codes.Unimplemented},
		{"too large", func(e *loggingpb.LogEntry) { e.Trace = string(make([]byte, 300<<10)) }, codes.InvalidArgument},
		{"from tomorrow's tomorrow", func(e *loggingpb.LogEntry) { e.Timestamp = timestamppb.New(time.Now().Add(48 * time.Hour)) }, codes.InvalidArgument},
		{"no time", func(e *loggingpb.LogEntry) { e.Timestamp = &timestamppb.Timestamp{Nanos: -1} }, codes.InvalidArgument},
		{"a severity of 900", func(e *loggingpb.LogEntry) { e.Severity = 900 }, codes.InvalidArgument},
		{"an empty label", func(e *loggingpb.LogEntry) { e.Labels = map[string]string{"": "x"} }, codes.InvalidArgument},
	}
	for _, tt := range tests {
		e := textEntry("x")
		e.LogName, e.Resource = testLog, &monitoredres.MonitoredResource{Type: "global"}
		tt.edit(e)
		_, err := f.client.WriteLogEntries(t.Context(), &loggingpb.WriteLogEntriesRequest{Entries: []*loggingpb.LogEntry{e}})
		if got := gstatus.Code(err); got != tt.want {
			t.Errorf("%s: %v, want %v (%v)", tt.rule, got, tt.want, err)
		}
	}
	if got := f.list(t, &loggingpb.ListLogEntriesRequest{}); len(got) != 0 {
		t.Errorf("refused entries were written: %v", got)
	}
}

func TestPartialSuccessNamesTheBadEntries(t *testing.T) {
	f := newFixture(t)
	bad := textEntry("bad")
	bad.LogName = "nonsense"
	r := &loggingpb.WriteLogEntriesRequest{
		LogName: testLog, Resource: &monitoredres.MonitoredResource{Type: "global"}, PartialSuccess: true, DryRun: true,
		Entries: []*loggingpb.LogEntry{textEntry("good"), bad},
	}
	for _, dry := range []bool{true, false} {
		r.DryRun = dry
		_, err := f.client.WriteLogEntries(t.Context(), r)
		st := gstatus.Convert(err)
		if len(st.Details()) != 1 {
			t.Fatalf("dry run %v: details %v of %v", dry, st.Details(), err)
		}
		errs := st.Details()[0].(*loggingpb.WriteLogEntriesPartialErrors).GetLogEntryErrors()
		if len(errs) != 1 || errs[1] == nil {
			t.Errorf("dry run %v: errors %v, want one about entry 1", dry, errs)
		}
		want := 1
		if dry {
			want = 0
		}
		if got := f.list(t, &loggingpb.ListLogEntriesRequest{}); len(got) != want {
			t.Errorf("dry run %v: %d entries written, want %d", dry, len(got), want)
		}
	}
}

func TestLogsAreListedAndDeleted(t *testing.T) {
	f := newFixture(t)
	f.write(t, textEntry("x"))
	other := textEntry("y")
	other.LogName = "projects/p/logs/zoo"
	f.write(t, other)
	var got []string
	it := f.client.ListLogs(t.Context(), &loggingpb.ListLogsRequest{Parent: "projects/p", PageSize: 1})
	for {
		name, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if diff := cmp.Diff([]string{testLog, "projects/p/logs/zoo"}, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	for _, want := range []codes.Code{codes.OK, codes.NotFound} {
		if err := f.client.DeleteLog(t.Context(), &loggingpb.DeleteLogRequest{LogName: testLog}); gstatus.Code(err) != want {
			t.Errorf("DeleteLog: %v, want %v", err, want)
		}
	}
	if got := f.list(t, &loggingpb.ListLogEntriesRequest{}); len(got) != 1 {
		t.Errorf("%d entries are left, want that of the other log", len(got))
	}
}

func TestMonitoredResourcesAreDescribed(t *testing.T) {
	f := newFixture(t)
	d, err := f.client.ListMonitoredResourceDescriptors(t.Context(), &loggingpb.ListMonitoredResourceDescriptorsRequest{}).Next()
	if err != nil || d.GetType() == "" || len(d.GetLabels()) == 0 {
		t.Errorf("first descriptor %v, %v", d, err)
	}
}

func (f *fixture) tail(t *testing.T, filter string) loggingpb.LoggingServiceV2_TailLogEntriesClient {
	t.Helper()
	stream, err := f.client.TailLogEntries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&loggingpb.TailLogEntriesRequest{ResourceNames: []string{"projects/p"}, Filter: filter, BufferWindow: durationpb.New(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatalf("the tail did not begin: %v", err)
	}
	return stream
}

func TestTailThenListMissesNothing(t *testing.T) {
	f := newFixture(t)
	const n = 500
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := logs.NewBuildWriter(f.hub, "p", "b1", time.Now)
		other := logs.NewBuildWriter(f.hub, "p", "b2", time.Now)
		for i := range n {
			fmt.Fprintln(b, "line", i)
			fmt.Fprintln(other, "other", i)
		}
	}()
	filter := `resource.type="build" resource.labels.build_id="b1"`
	stream := f.tail(t, filter)
	seen := map[string]bool{}
	for _, e := range f.list(t, &loggingpb.ListLogEntriesRequest{Filter: filter, PageSize: 100}) {
		seen[e.GetInsertId()] = true
	}
	for len(seen) < n {
		r, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d entries: %v", len(seen), err)
		}
		for _, e := range r.GetEntries() {
			seen[e.GetInsertId()] = true
		}
	}
	<-done
	if len(seen) != n {
		t.Errorf("%d entries seen, want %d", len(seen), n)
	}
}

func TestTailDeliversNothingOld(t *testing.T) {
	f := newFixture(t)
	f.write(t, textEntry("old"))
	stream := f.tail(t, "")
	f.write(t, textEntry("new"))
	r, err := stream.Recv()
	if err != nil || len(r.GetEntries()) != 1 || r.GetEntries()[0].GetTextPayload() != "new" {
		t.Errorf("first response %v, %v", r, err)
	}
}

func TestTailRefusesWhatItCannotRead(t *testing.T) {
	f := newFixture(t)
	for rule, r := range map[string]*loggingpb.TailLogEntriesRequest{
		"no resource":  {},
		"a bad filter": {ResourceNames: []string{"projects/p"}, Filter: "a.b=1"},
		"a long wait":  {ResourceNames: []string{"projects/p"}, BufferWindow: durationpb.New(time.Hour)},
	} {
		stream, err := f.client.TailLogEntries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); gstatus.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want InvalidArgument", rule, err)
		}
	}
}
