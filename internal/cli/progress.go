package cli

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The stages of a deploy that the client itself goes through. The server names
// the others.
const (
	stageValidating = "Validating"
	stageUploading  = "Uploading"
	stageRouting    = "Routing traffic"
	stageAccess     = "Setting access policy"
)

// stagePulling is a stage of the server's whose failure has a remedy of its own.
const stagePulling = "Pulling image"

// progress shows on stderr where a deploy is. On a terminal the stage that runs
// has a line that moves; elsewhere each start and end is a plain line. It is
// safe for concurrent use.
type progress struct {
	env *Env

	mu    sync.Mutex
	stage string // open, or empty
	last  string // the stage that was begun last
	since time.Time
	turn  int

	stop chan struct{} // closed by close; ends the spinner
	done sync.WaitGroup
}

const spinnerPace = 100 * time.Millisecond

// newProgress returns a progress; the caller closes it.
func newProgress(env *Env) *progress {
	p := &progress{env: env, stop: make(chan struct{})}
	if env.lively() {
		p.done.Go(p.spin)
	}
	return p
}

// close ends the moving line and waits until nothing more is written by it.
func (p *progress) close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) spin() {
	tick := time.NewTicker(spinnerPace)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.turn++
			p.draw()
			p.mu.Unlock()
		}
	}
}

// during runs one stage of the client's own.
func (p *progress) during(stage string, do func() error) error {
	p.start(stage)
	err := do()
	if err != nil {
		p.end(stage, stateAfter(err), 0)
		return err
	}
	p.end(stage, "done", 0)
	return nil
}

// stateAfter is how a stage ended with err. Ctrl-C fails nothing: it ends the
// watching.
func stateAfter(err error) string {
	var sig Signal
	if errors.As(err, &sig) || codeOf(err) == sunya.Canceled {
		return "interrupted"
	}
	return "failed"
}

// start begins a stage; one that is still open is taken as done.
func (p *progress) start(stage string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == stage {
		return
	}
	if p.stage != "" {
		p.finish("done", 0)
	}
	p.stage, p.last, p.since = stage, stage, p.env.Now()
	if !p.env.lively() {
		fmt.Fprintf(p.env.Stderr, "%s ...\n", stage)
		return
	}
	p.draw()
}

// end closes a stage. took is the server's own measure, 0 when there is none.
func (p *progress) end(stage, state string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == stage && stage != "" {
		p.finish(state, took)
	}
}

// settle closes whatever stage is open and returns the one begun last.
func (p *progress) settle(state string) (last string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != "" {
		p.finish(state, 0)
	}
	return p.last
}

func (p *progress) finish(state string, took time.Duration) {
	if took == 0 {
		took = p.env.Now().Sub(p.since)
	}
	mark := map[string]string{"done": "✓", "failed": "✗"}[state]
	stage := printable(p.stage)
	p.clear()
	if p.env.lively() {
		fmt.Fprintf(p.env.Stderr, "%s %-22s %s\n", p.tint(mark, state), stage, seconds(took))
	} else {
		fmt.Fprintf(p.env.Stderr, "%s %s in %s\n", stage, state, seconds(took))
	}
	p.stage = ""
}

func (p *progress) tint(mark, state string) string {
	if !p.env.colour(p.env.StderrTTY) {
		return mark
	}
	colour := map[string]string{"done": "\x1b[32m", "failed": "\x1b[31m"}[state]
	return colour + mark + "\x1b[0m"
}

// line shows something that belongs to the open stage.
func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.env.Stderr, "  | %s\n", printable(strings.TrimRight(text, "\n")))
	p.draw()
}

// notice shows something on a line of its own.
func (p *progress) notice(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.env.Stderr, printable(text))
	p.draw()
}

func (p *progress) clear() {
	if p.env.lively() && p.stage != "" {
		fmt.Fprint(p.env.Stderr, "\r\x1b[K")
	}
}

func (p *progress) draw() {
	if !p.env.lively() || p.stage == "" {
		return
	}
	wheel := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	line := fmt.Sprintf("%c %-22s %s", wheel[p.turn%len(wheel)], printable(p.stage), seconds(p.env.Now().Sub(p.since)))
	if p.env.Width > 0 {
		line = truncate(line, p.env.Width-1)
	}
	fmt.Fprintf(p.env.Stderr, "\r%s\x1b[K", line)
}
