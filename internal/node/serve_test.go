package node

import (
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// sink keeps entries.
type sink struct {
	mu      sync.Mutex
	entries []logs.Entry
}

// Write implements logs.Sink.
func (s *sink) Write(entries ...logs.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entries...)
}

// TestStreamsOfAnInstanceShareOneLimit: a program that floods its standard
// output has nothing left for its standard error; another instance does.
func TestStreamsOfAnInstanceShareOneLimit(t *testing.T) {
	out := &sink{}
	output := collect(out, newOutlet())
	rev := &sunya.Revision{Project: "sunya", Product: sunya.AppEngine}
	flood, other := output(rev, "i1", ""), output(rev, "i2", "")
	flood("stdout", io.NopCloser(strings.NewReader(strings.Repeat("x\n", logs.LinesBurst+1000))))
	flood("stderr", io.NopCloser(strings.NewReader("from the same instance\n")))
	other("stderr", io.NopCloser(strings.NewReader("from another\n")))
	var text strings.Builder
	for _, e := range out.entries {
		text.WriteString(e.Labels["clone_id"] + " " + e.LogName + " " + e.Text + "\n")
	}
	if strings.Contains(text.String(), "from the same instance") {
		t.Error("the second stream had a limit of its own")
	}
	if want := "i2 projects/sunya/logs/stderr from another\n"; !strings.Contains(text.String(), want) {
		t.Errorf("no %q in the log", want)
	}
}
