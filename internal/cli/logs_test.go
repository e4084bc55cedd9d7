package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

func withLogs(t *testing.T, n int) *fake {
	t.Helper()
	f := newFake(t)
	for i := range n {
		f.entries = append(f.entries, appEntry(i, "default", fmt.Sprintf("line %d", i)))
	}
	return f
}

func TestLogs(t *testing.T) {
	f := withLogs(t, 250)
	f.entries = append(f.entries, appEntry(250, "api", "from api"), buildEntry(251, "from the build", nil))
	tests := []struct {
		name        string
		args        []string
		lines       int
		first, last string
	}{
		{"the last hundred", nil, 100, "line 151", "from api"},
		{"of one service", []string{"default"}, 100, "line 150", "line 249"},
		{"fewer", []string{"default", "--tail", "2"}, 2, "line 248", "line 249"},
		{"more", []string{"--tail", "1000"}, 251, "line 0", "from api"},
		{"since, without a limit", []string{"default", "--since", testTime.Format(time.RFC3339)}, 250, "line 0", "line 249"},
		{"the latest build", []string{"--build"}, 1, "from the build", "from the build"},
		{"one build", []string{"--build", fakeBuild}, 1, "from the build", "from the build"},
		{"gcloud's spelling", []string{"--service", "api"}, 1, "from api", "from api"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"logs"}, tt.args...)
			if tt.name == "gcloud's spelling" {
				args = append([]string{"app", "logs", "read"}, tt.args...)
			}
			r := execute(t, f, args...).expect(t, exitOK)
			lines := strings.Split(strings.TrimSuffix(r.stdout.String(), "\n"), "\n")
			if len(lines) != tt.lines || !strings.HasSuffix(lines[0], tt.first) || !strings.HasSuffix(lines[len(lines)-1], tt.last) {
				t.Errorf("%d lines from %q to %q, want %d from %q to %q", len(lines), lines[0], lines[len(lines)-1], tt.lines, tt.first, tt.last)
			}
		})
	}
}

func TestLogsAsGcloud(t *testing.T) {
	f := withLogs(t, 5)
	r := execute(t, f, "app", "logs", "read", "--limit", "2", "--level", "any", "-s", "default").expect(t, exitOK)
	if got := strings.Count(r.stdout.String(), "\n"); got != 2 {
		t.Errorf("%d lines, want 2:\n%s", got, r.stdout)
	}
	o := logOptions{kind: appLogs, logs: []string{"request_log", "stderr"}}
	got, err := o.query(testTime)
	want := `resource.type="gae_app" AND (log_id("request_log") OR log_id("appengine.googleapis.com/request_log") OR ` +
		`log_id("stderr") OR log_id("appengine.googleapis.com/stderr"))`
	if err != nil || got != want {
		t.Errorf("query = %s, %v\nwant %s", got, err, want)
	}
}

func TestLogsJSONLines(t *testing.T) {
	f := withLogs(t, 3)
	f.entries = append(f.entries, appEntry(3, "default", "\x1b[31mred"))
	r := execute(t, f, "logs", "--json").expect(t, exitOK)
	var last struct{ TextPayload string }
	for line := range strings.Lines(r.stdout.String()) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if last.TextPayload != "\x1b[31mred" {
		t.Errorf("text = %q: JSON has it as it was written", last.TextPayload)
	}
	pretty := execute(t, f, "logs").expect(t, exitOK)
	if strings.Contains(pretty.stdout.String(), "\x1b") || !strings.Contains(pretty.stdout.String(), `\x1b[31mred`) {
		t.Errorf("stdout = %q", pretty.stdout)
	}
}

func TestLogsNoBuild(t *testing.T) {
	r := execute(t, newFake(t), "logs", "--build").expect(t, exitNotFound)
	if !strings.Contains(r.stderr.String(), "there is no build in the log") {
		t.Errorf("stderr = %s", r.stderr)
	}
}

func TestLogsOfAFunctionThatIsNotThereNameTheFunctions(t *testing.T) {
	r := execute(t, newFake(t), "functions", "logs", "read", "nosuch").expect(t, exitOK)
	if !strings.Contains(r.stderr.String(), `No log lines of a function "nosuch" match. The functions: sunya functions list`) {
		t.Errorf("stderr = %s", r.stderr)
	}
}

func TestLogsOfAServiceThatIsNotThereAreNotSilent(t *testing.T) {
	r := execute(t, newFake(t), "logs", "nosuch").expect(t, exitOK)
	if !strings.Contains(r.stderr.String(), `No log lines of a service "nosuch"`) || r.stdout.String() != "" {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
}

// TestFollow sees what is stored and what arrives, across a lost connection,
// each line once and in order.
func TestFollow(t *testing.T) {
	f := withLogs(t, 150)
	f.dropTails = 2
	ctx, cancel := context.WithCancelCause(t.Context())
	r := prepare(t, f, "logs", "-f", "--tail", "5")
	done := make(chan int)
	go func() { done <- Main(ctx, r.env) }()
	r.stdout.await(t, "line 149\n")
	for i := 150; i < 160; i++ {
		f.mu.Lock()
		f.write(appEntry(i, "default", fmt.Sprintf("line %d", i)))
		f.mu.Unlock()
		r.stdout.await(t, fmt.Sprintf("line %d\n", i))
	}
	cancel(Signal{2})
	if code := <-done; code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	want := 145
	for line := range strings.Lines(r.stdout.String()) {
		if !strings.HasSuffix(line, fmt.Sprintf("line %d\n", want)) {
			t.Errorf("%q, want line %d", line, want)
		}
		want++
	}
	if want != 160 {
		t.Errorf("ended before line %d", want)
	}
}

func TestPretty(t *testing.T) {
	fields, err := structpb.NewStruct(map[string]any{"message": "paid", "amount": 3, "who": "x"})
	if err != nil {
		t.Fatal(err)
	}
	request := appEntry(1, "default", "cold start")
	request.HttpRequest = &ltype.HttpRequest{RequestMethod: "GET", RequestUrl: "/a", Status: 200, ResponseSize: 2048, Latency: durationpb.New(12 * time.Millisecond)}
	structured := appEntry(1, "default", "")
	structured.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: fields}
	trace := appEntry(1, "default", "Traceback:\n  File x\nValueError: y\n")
	trace.Severity = ltype.LogSeverity_ERROR
	for _, tt := range []struct {
		name  string
		entry *loggingpb.LogEntry
		want  string
	}{
		{"request", request, " -        default[v1] GET 200 2 KiB 12ms /a cold start\n"},
		{"structured", structured, " -        default[v1] paid amount=3 who=\"x\"\n"},
		{"traceback", trace, " ERROR    default[v1] Traceback:\n      File x\n    ValueError: y\n"},
	} {
		p := newLogPrinter(prepare(t, nil).env)
		got := p.pretty(tt.entry)
		if want := testTime.Add(time.Millisecond).Local().Format("2006-01-02 15:04:05.000") + tt.want; got != want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, want)
		}
	}
}

func TestRecent(t *testing.T) {
	r := newRecent(2)
	for i, tt := range []struct {
		s    string
		want bool
	}{{"a", true}, {"a", false}, {"b", true}, {"c", true}, {"c", false}, {"a", true}} {
		if got := r.add(entryID{id: tt.s}); got != tt.want {
			t.Errorf("%d: add(%q) = %v", i, tt.s, got)
		}
	}
}
