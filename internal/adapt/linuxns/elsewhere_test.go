package linuxns

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestOtherPortsAreNotForgotten: the event may overtake the answer to the start
// that it belongs to, and more than one may come.
func TestOtherPortsAreNotForgotten(t *testing.T) {
	b := newBox(nil, sandbox.Spec{Port: 8080})
	b.event(&ipc.Message{Verb: ipc.Elsewhere, Ports: []int{5000}}, nil)
	b.wasElsewhere(nil)
	if got := b.silence(); !strings.Contains(got, "5000") {
		t.Errorf("after the answer: %q", got)
	}
	b.event(&ipc.Message{Verb: ipc.Elsewhere, Ports: []int{5000, 5001}}, nil)
	b.wasElsewhere([]int{5000})
	if got := b.silence(); !strings.Contains(got, "5001") {
		t.Errorf("after another event: %q", got)
	}
	select {
	case <-b.strays:
	default:
		t.Error("nobody is told")
	}
}
