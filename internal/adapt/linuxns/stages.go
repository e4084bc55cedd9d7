package linuxns

import (
	"cmp"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Stages implements sandbox.Timed.
func (b *box) Stages() []sandbox.Stage {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A program that is quick listens before the answer to its start is here.
	slices.SortFunc(b.stages, func(a, c ipc.Stage) int { return cmp.Compare(a.NS, c.NS) })
	var all []sandbox.Stage
	for i, s := range b.stages {
		if i > 0 {
			all = append(all, sandbox.Stage{Name: s.Name, Took: time.Duration(s.NS - b.stages[i-1].NS)})
		}
	}
	return all
}

// mark notes the end of a stage of the start.
func (b *box) mark(stages ...ipc.Stage) {
	b.mu.Lock()
	b.stages = append(b.stages, stages...)
	b.mu.Unlock()
}
