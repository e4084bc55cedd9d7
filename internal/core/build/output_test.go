package build

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestCauseFarFromTheEnd: a compiler prints more after uv's error than is kept.
func TestCauseFarFromTheEnd(t *testing.T) {
	var b strings.Builder
	b.WriteString("error: Failed to build `uwsgi==2.0.22`\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  core/ssl.c:%d: warning: deprecated\n", i)
	}
	o := newOutput(io.Discard)
	o.begin()
	if err := o.copy(strings.NewReader(b.String())); err != nil {
		t.Fatal(err)
	}
	if got := len(o.last()); got != tailLines {
		t.Errorf("last() has %d lines, want %d", got, tailLines)
	}
	if got := o.telling()[0]; !strings.Contains(got, "uwsgi") {
		t.Errorf("telling() begins with %q, want the error", got)
	}
	o.begin()
	if got := o.telling(); len(got) != 0 {
		t.Errorf("telling() of a new step = %q, want nothing", got)
	}
}
