package instance

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// What is remembered of an instance's output for its error.
const (
	tailBytes = 8 << 10
	tailLines = 20
)

// output is what an instance prints: carried to the log, its end remembered.
type output struct {
	wg sync.WaitGroup

	mu   sync.Mutex
	tail []byte
}

// carryOutput starts carrying both streams of a container of the instance id.
func (m *Manager) carryOutput(rev *sunya.Revision, id, container string, box sandbox.Sandbox) *output {
	o := &output{}
	carry := func(_ string, r io.ReadCloser) { drop(r) }
	if m.Output != nil {
		carry = m.Output(rev, id, container)
	}
	stdout, stderr := box.Output()
	for stream, r := range map[string]io.ReadCloser{"stdout": stdout, "stderr": stderr} {
		if r == nil {
			continue
		}
		o.wg.Add(1)
		go carry(stream, &tee{ReadCloser: r, out: o})
	}
	return o
}

func drop(r io.ReadCloser) {
	io.Copy(io.Discard, r) // nobody wants it, nor its error
	r.Close()
}

// wait waits until both streams have ended, at most d: a program may have
// handed them to one that lives on.
func (o *output) wait(d time.Duration) {
	ended := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(d):
	}
}

func (o *output) record(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if over := len(o.tail) - tailBytes; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
}

// lines returns the last lines, the oldest first.
func (o *output) lines() []string {
	o.mu.Lock()
	text := strings.TrimRight(string(o.tail), "\n")
	cut := len(o.tail) == tailBytes
	o.mu.Unlock()
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	if cut && len(lines) > 1 {
		lines = lines[1:] // the first is cut somewhere
	}
	return lines[max(len(lines)-tailLines, 0):]
}

// tee remembers what is read through it.
type tee struct {
	io.ReadCloser
	out  *output
	once sync.Once
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.out.record(p[:n])
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.once.Do(t.out.wg.Done)
	}
	return n, err
}

// SetReadDeadline interrupts a reader, who may come back.
func (t *tee) SetReadDeadline(d time.Time) error {
	if s, ok := t.ReadCloser.(interface{ SetReadDeadline(time.Time) error }); ok {
		return s.SetReadDeadline(d)
	}
	return os.ErrNoDeadline
}

func (t *tee) Close() error {
	t.once.Do(t.out.wg.Done)
	return t.ReadCloser.Close()
}
