package build_test

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// scriptEngine answers steps without running anything: play gets the spec,
// writes what the step prints and returns its exit.
type scriptEngine struct {
	sandbox.Engine
	play   func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit
	starts []sandbox.Spec
}

func (e *scriptEngine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	e.starts = append(e.starts, s)
	pr, pw := io.Pipe()
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &played{out: pr, err: io.NopCloser(strings.NewReader("")), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(p.done)
		p.exit = e.play(runCtx, s, pw)
		pw.Close()
	}()
	return p, nil
}

// played is a sandbox in which nothing runs.
type played struct {
	sandbox.Sandbox
	out, err io.ReadCloser
	done     chan struct{} // closed when play has returned
	exit     sandbox.Exit
	cancel   context.CancelFunc
}

func (p *played) Output() (io.ReadCloser, io.ReadCloser) { return p.out, p.err }
func (p *played) Done() <-chan struct{}                  { return p.done }
func (p *played) Exit() sandbox.Exit                     { return p.exit }

func (p *played) Stop(context.Context, time.Duration) error {
	p.cancel()
	<-p.done
	return nil
}
