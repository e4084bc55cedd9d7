package logs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// sink keeps what it is given.
type sink struct {
	mu      sync.Mutex
	entries []Entry
}

func (s *sink) Write(entries ...Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entries...)
}

func (s *sink) all() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entry(nil), s.entries...)
}

func (s *sink) texts() (out []string) {
	for _, e := range s.all() {
		out = append(out, e.Text)
	}
	return out
}

var testMeta = Meta{LogName: LogName("p", "stdout"), Resource: Resource{Type: "gae_app"}, Labels: map[string]string{"instance": "i"}}

func collect(t *testing.T, input string) []Entry {
	t.Helper()
	var s sink
	if err := NewCollector(&s, testMeta, time.Now).Run(t.Context(), strings.NewReader(input)); err != nil {
		t.Fatalf("Run: %v", err)
	}
	return s.all()
}

// golden prints entries, a severity in front of each one's first line.
func golden(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		lead := e.Severity.String()
		for line := range strings.Lines(e.Text) {
			fmt.Fprintf(&b, "%s|%s\n", lead, strings.TrimSuffix(line, "\n"))
			lead = "     "
		}
	}
	return b.String()
}

func TestTracebacksAreOneEntry(t *testing.T) {
	files, err := filepath.Glob("testdata/traces/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		input, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := golden(collect(t, string(input)))
		wantFile := strings.TrimSuffix(file, ".txt") + ".want"
		if *update {
			if err := os.WriteFile(wantFile, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(wantFile)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestPlainLines(t *testing.T) {
	long := strings.Repeat("x", maxLine-1) + "é" + "tail"
	tests := []struct {
		rule, input string
		want        []string
	}{
		{"a line each", "a\nb\n", []string{"a", "b"}},
		{"the last without its end", "a\nb", []string{"a", "b"}},
		{"blank ones are dropped", "\n \na\n\r\n", []string{"a"}},
		{"CRLF", "a\r\nb\r\n", []string{"a", "b"}},
		{"control characters are kept", "\x1b[31mred\x00\n", []string{"\x1b[31mred\x00"}},
		{"invalid UTF-8 is replaced", "a\xffb\n", []string{"a\uFFFDb"}},
		{"a long one is split between characters", long + "\nb\n", []string{strings.Repeat("x", maxLine-1) + splitMarker, "étail", "b"}},
		{"one of just the limit is not", strings.Repeat("y", maxLine) + "\n", []string{strings.Repeat("y", maxLine)}},
		{"broken JSON is text", `{"a":1` + "\n{]}\n", []string{`{"a":1`, "{]}"}},
	}
	for _, tt := range tests {
		var got []string
		for _, e := range collect(t, tt.input) {
			got = append(got, e.Text)
			if e.Severity != Default || e.LogName != testMeta.LogName || e.Labels["instance"] != "i" {
				t.Errorf("%s: entry %+v", tt.rule, e)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.rule, diff)
		}
	}
}

func TestOneByteReadsMakeTheSameLines(t *testing.T) {
	input := strings.Repeat("z", maxLine+10) + "\nb\n\nc"
	var s sink
	if err := NewCollector(&s, testMeta, time.Now).Run(t.Context(), oneByte{strings.NewReader(input)}); err != nil {
		t.Fatal(err)
	}
	want := []string{strings.Repeat("z", maxLine) + splitMarker, strings.Repeat("z", 10), "b", "c"}
	if diff := cmp.Diff(want, s.texts()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

func TestTraceEndsWhenNothingFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var s sink
		var wg sync.WaitGroup
		wg.Go(func() { _ = NewCollector(&s, testMeta, time.Now).Run(t.Context(), r) })
		fmt.Fprint(w, "Traceback (most recent call last):\n  File \"x\", line 1\n")
		synctest.Wait()
		if got := s.texts(); len(got) != 0 {
			t.Errorf("written before its end: %q", got)
		}
		fmt.Fprint(w, "ValueError: x\n")
		time.Sleep(idleFlush)
		synctest.Wait()
		if got := s.texts(); len(got) != 1 || !strings.HasSuffix(got[0], "ValueError: x") {
			t.Errorf("after the pause: %q, want one entry", got)
		}
		_ = w.Close()
		wg.Wait()
	})
}

func TestFloodLeavesMarkersAndNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var s sink
		var wg sync.WaitGroup
		wg.Go(func() { _ = NewCollector(&s, testMeta, time.Now).Run(t.Context(), r) })
		const n = LinesBurst + 500
		for i := range n {
			fmt.Fprintln(w, i)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		got := s.texts()
		if len(got) != LinesBurst+1 || !strings.HasPrefix(got[LinesBurst], "dropped 500 lines") {
			t.Errorf("%d entries, the last %q", len(got), got[len(got)-1])
		}
		fmt.Fprintln(w, "works again")
		_ = w.Close()
		wg.Wait()
		if got := s.texts(); got[len(got)-1] != "works again" {
			t.Errorf("after the flood: %q", got[len(got)-1])
		}
	})
}

func TestStreamsOfOneInstanceShareItsLimit(t *testing.T) {
	meta := testMeta
	meta.Limiter = NewLimiter()
	now := func() time.Time { return time.Unix(1, 0) }
	var s sink
	for range 2 {
		c := NewCollector(&s, meta, now)
		if err := c.Run(t.Context(), strings.NewReader(strings.Repeat("x\n", LinesBurst*3/4))); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.all()); got != LinesBurst+1 {
		t.Errorf("%d entries of both streams, want %d and a marker", got, LinesBurst)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := w.WriteString("half a line"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var s sink
	done := make(chan error, 1)
	go func() { done <- NewCollector(&s, testMeta, time.Now).Run(ctx, r) }()
	over := errors.New("over")
	cancel(over)
	if err := <-done; !errors.Is(err, over) {
		t.Errorf("Run = %v, want the cause", err)
	}
}

func TestReadErrorIsReturned(t *testing.T) {
	broken := errors.New("broken")
	err := NewCollector(&sink{}, testMeta, time.Now).Run(t.Context(), io.MultiReader(strings.NewReader("a\n"), failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("Run = %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzCollector(f *testing.F) {
	files, _ := filepath.Glob("testdata/traces/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"severity":"ERROR","message":"x","time":{"seconds":1}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sink
		if err := NewCollector(&s, testMeta, time.Now).Run(t.Context(), strings.NewReader(string(b))); err != nil {
			t.Fatal(err)
		}
		for _, e := range s.all() {
			if strings.TrimSpace(e.Text) == "" && e.JSON == nil && !strings.Contains(string(b), "{") {
				t.Errorf("an empty entry of %q", b)
			}
		}
	})
}

func BenchmarkCollector(b *testing.B) {
	input := strings.Repeat("127.0.0.1 - - [23/Nov/2026] \"GET / HTTP/1.1\" 200 12\n", 1000)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		c := NewCollector(&sink{}, testMeta, time.Now)
		if err := c.Run(b.Context(), strings.NewReader(input)); err != nil {
			b.Fatal(err)
		}
	}
}
