// Package logtest is the contract of logs.Store and logs.Directory as tests.
package logtest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Store is what the suite tests.
type Store interface {
	logs.Store
	logs.Directory
}

// base is the instant around which the suite's entries are.
var base = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

// Run runs the contract; open returns an empty store.
func Run(t *testing.T, open func(testing.TB) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"RoundTrip": roundTrip, "Order": order, "Select": selects, "Repeat": repeat,
		"PageForward":  func(t *testing.T, s Store) { pages(t, s, false) },
		"PageBackward": func(t *testing.T, s Store) { pages(t, s, true) },
		"LimitBytes":   limitBytes, "Logs": logNames, "DeleteLog": deleteLog,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Entry returns the i-th of a series of entries, a millisecond apart.
func Entry(project, log string, i int) logs.Entry {
	return logs.Entry{
		LogName: logs.LogName(project, log), InsertID: fmt.Sprintf("%08d", i),
		Timestamp: base.Add(time.Duration(i) * time.Millisecond), ReceiveTime: base,
		Resource: logs.Resource{Type: "gae_app", Labels: map[string]string{"project_id": project, "module_id": "default"}},
		Text:     fmt.Sprintf("line %d", i),
	}
}

func add(t testing.TB, s logs.Store, entries ...logs.Entry) {
	t.Helper()
	if err := s.Append(t.Context(), entries, nil); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func query(t testing.TB, s logs.Store, q logs.Query) []logs.Entry {
	t.Helper()
	got, err := s.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	return got
}

func ids(entries []logs.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.InsertID)
	}
	return out
}

func roundTrip(t *testing.T, s Store) {
	want := Entry("p", "run.googleapis.com/stdout", 1)
	want.Text = ""
	want.JSON = json.RawMessage(`{"a":{"b":[1,2.50,"x"]}}`)
	want.Severity = logs.Error
	want.Labels = map[string]string{"instance": "i1", "a/b": "\u2028 \x00"}
	want.HTTP = &logs.HTTPRequest{Method: "GET", URL: "/x?y", Status: 503, Latency: 1234567 * time.Nanosecond, ResponseSize: 1 << 40}
	want.Trace, want.SpanID, want.TraceSampled = "t", "s", true
	want.Operation = &logs.Operation{ID: "o", Producer: "p", First: true}
	want.Source = &logs.SourceLocation{File: "f", Line: 7, Function: "g"}
	want.Split = &logs.Split{UID: "u", Index: 1, Total: 2}
	add(t, s, want)
	if diff := cmp.Diff([]logs.Entry{want}, query(t, s, logs.Query{})); diff != "" {
		t.Errorf("entry changed (-want +got):\n%s", diff)
	}
}

func order(t *testing.T, s Store) {
	a, b, c := Entry("p", "l", 3), Entry("p", "l", 1), Entry("p", "m", 2)
	tie := Entry("p", "other", 9)
	tie.Timestamp = c.Timestamp
	add(t, s, a, tie)
	add(t, s, b, c)
	want := []string{"00000001", "00000002", "00000009", "00000003"}
	if diff := cmp.Diff(want, ids(query(t, s, logs.Query{}))); diff != "" {
		t.Errorf("oldest first (-want +got):\n%s", diff)
	}
	want = []string{"00000003", "00000009", "00000002", "00000001"}
	if diff := cmp.Diff(want, ids(query(t, s, logs.Query{Newest: true}))); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
}

func selects(t *testing.T, s Store) {
	for i := range 6 {
		e := Entry([]string{"p", "q"}[i%2], []string{"l", "m", "n"}[i%3], i)
		e.Severity = logs.Severity(i * 100)
		e.Labels = map[string]string{"n": fmt.Sprint(i / 3)}
		e.Resource.Labels["module_id"] = fmt.Sprintf("m%d", i%2)
		add(t, s, e)
	}
	at := func(i int) time.Time { return Entry("p", "l", i).Timestamp }
	tests := []struct {
		rule string
		q    logs.Query
		want []string
	}{
		{"by project", logs.Query{Projects: []string{"p"}}, []string{"00000000", "00000002", "00000004"}},
		{"by projects", logs.Query{Projects: []string{"p", "q"}, Limit: 2}, []string{"00000000", "00000001"}},
		{"by log", logs.Query{LogNames: []string{logs.LogName("p", "l")}}, []string{"00000000"}},
		{"by no log", logs.Query{LogNames: []string{}}, nil},
		{"by resource", logs.Query{Resource: logs.Resource{Type: "gae_app", Labels: map[string]string{"module_id": "m1"}}}, []string{"00000001", "00000003", "00000005"}},
		{"by missing resource label", logs.Query{Resource: logs.Resource{Labels: map[string]string{"x": ""}}}, nil},
		{"by resource type", logs.Query{Resource: logs.Resource{Type: "build"}}, nil},
		{"by label", logs.Query{Labels: map[string]string{"n": "1"}}, []string{"00000003", "00000004", "00000005"}},
		{"since is inclusive, until is not", logs.Query{Since: at(1), Until: at(3)}, []string{"00000001", "00000002"}},
		{"by severity", logs.Query{MinSeverity: logs.Warning}, []string{"00000004", "00000005"}},
		{"by function", logs.Query{Match: func(e *logs.Entry) bool { return e.Text == "line 3" }}, []string{"00000003"}},
		{"behind a cursor", logs.Query{After: logs.Cursor{Timestamp: at(3), InsertID: "00000003"}}, []string{"00000004", "00000005"}},
		{"behind a cursor, newest first", logs.Query{Newest: true, Limit: 2, After: logs.Cursor{Timestamp: at(3), InsertID: "00000003"}}, []string{"00000002", "00000001"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, ids(query(t, s, tt.q)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.rule, diff)
		}
	}
}

func repeat(t *testing.T, s Store) {
	e := Entry("p", "l", 1)
	add(t, s, e)
	add(t, s, e, e)
	if got := query(t, s, logs.Query{}); len(got) != 1 {
		t.Errorf("an entry written three times is there %d times", len(got))
	}
}

// pages reads page by page while others write.
func pages(t *testing.T, s Store, newest bool) {
	const n, size = 600, 37
	for i := range n {
		if i%100 == 0 {
			var batch []logs.Entry
			for j := i; j < i+100; j++ {
				batch = append(batch, Entry("p", []string{"l", "m"}[j%2], j))
			}
			add(t, s, batch...)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := n; ; i++ {
			select {
			case <-stop:
				return
			default:
				if err := s.Append(t.Context(), []logs.Entry{Entry("p", "l", i)}, nil); err != nil {
					t.Errorf("Append: %v", err)
					return
				}
			}
		}
	})
	seen := readPages(t, s, logs.Query{Newest: newest, Limit: size, Until: Entry("p", "l", n).Timestamp})
	close(stop)
	wg.Wait()
	if len(seen) != n {
		t.Errorf("read %d entries on all pages, want %d", len(seen), n)
	}
	for i := 1; i < len(seen); i++ {
		if newest == (seen[i-1] < seen[i]) {
			t.Fatalf("%s before %s", seen[i-1], seen[i])
		}
	}
}

func readPages(t *testing.T, s Store, q logs.Query) (seen []string) {
	for {
		page := query(t, s, q)
		if len(page) == 0 {
			return seen
		}
		seen = append(seen, ids(page)...)
		last := page[len(page)-1]
		q.After = logs.Cursor{Timestamp: last.Timestamp, InsertID: last.InsertID}
	}
}

func limitBytes(t *testing.T, s Store) {
	for i := range 10 {
		add(t, s, Entry("p", "l", i))
	}
	e := Entry("p", "l", 0)
	if got := query(t, s, logs.Query{MaxBytes: 2*e.Size() + 1}); len(got) != 3 {
		t.Errorf("%d entries, want those that reach the limit: 3", len(got))
	}
}

func logNames(t *testing.T, s Store) {
	add(t, s, Entry("p", "b", 1), Entry("p", "a/c", 2), Entry("q", "z", 3))
	got, err := s.Logs(t.Context(), []string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"projects/p/logs/a%2Fc", "projects/p/logs/b"}, got); diff != "" {
		t.Errorf("logs of p (-want +got):\n%s", diff)
	}
}

func deleteLog(t *testing.T, s Store) {
	add(t, s, Entry("p", "l", 1), Entry("p", "l", 2), Entry("p", "l", 3), Entry("p", "m", 1))
	n, err := s.DeleteLog(t.Context(), logs.LogName("p", "l"), Entry("p", "l", 3).Timestamp)
	if err != nil || n != 2 {
		t.Errorf("DeleteLog = %d, %v; want 2", n, err)
	}
	if got := query(t, s, logs.Query{}); len(got) != 2 {
		t.Errorf("%d entries are left, want 2", len(got))
	}
	if n, err := s.DeleteLog(t.Context(), logs.LogName("p", "none"), base); n != 0 || err != nil {
		t.Errorf("DeleteLog of an unknown log = %d, %v; want 0", n, err)
	}
}
