package logs

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The labels of an entry that says where a deploy is. Clients draw progress
// from them.
const (
	LabelStage = "stage" // Building
	LabelState = "state" // start, done or failed
	LabelTook  = "took"  // how long the stage took, as time.Duration prints it
)

// The states of a stage.
const (
	StageStart  = "start"
	StageDone   = "done"
	StageFailed = "failed"
)

// buildTail is how many last lines a BuildWriter keeps for error messages.
const buildTail = 50

// BuildWriter is the log of one build: an io.WriteCloser whose lines become
// entries of projects/P/logs/cloudbuild about the resource build. It is safe
// for concurrent use, never fails and never blocks on the disk.
type BuildWriter struct {
	sink Sink
	meta Meta
	now  func() time.Time

	mu    sync.Mutex
	lines splitter
	last  []string
}

// NewBuildWriter returns the log of a build.
func NewBuildWriter(sink Sink, project, buildID string, now func() time.Time) *BuildWriter {
	return &BuildWriter{sink: sink, now: now, meta: Meta{
		LogName:  LogName(project, "cloudbuild"),
		Resource: BuildResource(project, buildID),
		Limiter:  NewLimiter(),
	}}
}

// BuildResource is the monitored resource of a build's entries.
func BuildResource(project, buildID string) Resource {
	return Resource{Type: "build", Labels: map[string]string{"project_id": project, "build_id": buildID}}
}

// Write implements io.Writer; a line is written once it is complete.
func (b *BuildWriter) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines.feed(p, b.line)
	return len(p), nil
}

// Close writes a last line without line end. The writer may be used again.
func (b *BuildWriter) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines.flush(b.line)
	b.mark(true)
	return nil
}

// Stage writes that a stage (Building) is in a state (StageStart, StageDone,
// StageFailed). took is the stage's duration; 0 leaves it out.
func (b *BuildWriter) Stage(name, state string, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines.buf) > 0 {
		b.lines.flush(b.line)
	}
	labels := map[string]string{LabelStage: name, LabelState: state}
	text := name + ": " + state
	if took > 0 {
		labels[LabelTook] = took.String()
		text = fmt.Sprintf("%s (%s)", text, took.Round(time.Millisecond))
	}
	e := b.entry(text)
	e.Labels = labels
	e.Severity = Info
	if state == StageFailed {
		e.Severity = Error
	}
	b.sink.Write(e)
}

// Last returns the last lines of the build's output, oldest first, at most n
// and at most 50; stages are not among them.
func (b *BuildWriter) Last(n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := max(0, len(b.last)-n)
	return append([]string(nil), b.last[from:]...)
}

func (b *BuildWriter) line(text []byte) {
	s := strings.ToValidUTF8(string(text), "\uFFFD")
	if strings.TrimSpace(s) == "" {
		return
	}
	b.last = append(b.last, s)
	if len(b.last) > buildTail {
		b.last = append(b.last[:0], b.last[len(b.last)-buildTail:]...)
	}
	if !b.meta.Limiter.allow(len(text), b.now()) {
		return
	}
	b.mark(false)
	b.sink.Write(b.entry(s))
}

func (b *BuildWriter) mark(force bool) {
	if n := b.meta.Limiter.takeDropped(b.now(), force); n > 0 {
		e := b.entry(fmt.Sprintf("dropped %d lines of build output: more than %d lines or %v a second", n, LinesPerSecond, sunya.Bytes(BytesPerSecond)))
		e.Severity = Warning
		b.sink.Write(e)
	}
}

func (b *BuildWriter) entry(text string) Entry {
	return Entry{LogName: b.meta.LogName, Resource: b.meta.Resource, Timestamp: b.now().UTC(), Text: text}
}
