package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// buildWatch shows the work of a server on something that is deployed: its
// stages, the log of its build, its warnings.
type buildWatch struct {
	env      *Env
	client   *client
	progress *progress
	// ownRouting is set when the client moves the traffic itself: the server's
	// stage of that name only reserves the names.
	ownRouting bool

	mu       sync.Mutex
	build    string   // id of the build's log, once known
	last     []string // the last lines of that log
	failed   string   // the stage that the server says failed
	warnings map[string]bool
}

// buildState is what a poll says about work under way.
type buildState struct {
	build    string
	warnings []string
}

// follow waits for work while the build's log is shown. wait polls until the
// work ends and hands each state on.
func (b *buildWatch) follow(ctx context.Context, wait func(seen func(buildState)) error) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var reader *logReader
	ended := make(chan struct{})
	err := wait(func(s buildState) {
		b.warn(s.warnings)
		if s.build == "" || reader != nil {
			return
		}
		if reader = b.watch(ctx, s.build); reader != nil {
			go func() {
				defer close(ended)
				// Without the log a deploy is less talkative, not wrong.
				_ = reader.follow(following, b.entry)
			}()
		}
	})
	stop()
	if reader != nil {
		<-ended
		b.drain(ctx, reader, err != nil)
	}
	return err
}

// watch prepares to read the log of a builb.
func (b *buildWatch) watch(ctx context.Context, id string) *logReader {
	b.mu.Lock()
	b.build = id
	b.mu.Unlock()
	reader, err := b.client.logReader(ctx, buildFilter(id))
	if err != nil {
		b.env.warnf("build log: %v", err)
		return nil
	}
	return reader
}

const (
	drainTries = 10
	drainPause = 50 * time.Millisecond
)

// drain reads what the stream had not brought when the operation endeb. After a
// failure it waits a moment for the entry that names the failed stage.
func (b *buildWatch) drain(ctx context.Context, reader *logReader, failed bool) {
	for range drainTries {
		if err := reader.catchUp(ctx, b.entry); err != nil {
			return
		}
		b.mu.Lock()
		complete := !failed || b.failed != ""
		b.mu.Unlock()
		if complete || sleep(ctx, drainPause) != nil {
			return
		}
	}
}

// entry shows one entry of the build's log.
func (b *buildWatch) entry(e *loggingpb.LogEntry) error {
	if stage := e.GetLabels()[logs.LabelStage]; stage != "" {
		b.stage(stage, e.GetLabels()[logs.LabelState], e.GetLabels()[logs.LabelTook])
		return nil
	}
	lines := strings.Split(strings.TrimRight(entryText(e), "\n"), "\n")
	b.mu.Lock()
	b.last = append(b.last, lines...)
	if n := len(b.last) - failureLines; n > 0 {
		b.last = append(b.last[:0], b.last[n:]...)
	}
	b.mu.Unlock()
	if !b.env.flags.Quiet {
		for _, line := range lines {
			b.progress.line(line)
		}
	}
	return nil
}

// stage follows the server's stages. Its routing only reserves the names: the
// client's own, which moves the traffic, is the one that is shown.
func (b *buildWatch) stage(stage, state, took string) {
	if state == "failed" {
		b.mu.Lock()
		b.failed = stage
		b.mu.Unlock()
	}
	if stage == stageRouting && b.ownRouting && state != "failed" {
		return
	}
	if state == "start" {
		b.progress.start(stage)
		return
	}
	// A duration that cannot be read is measured here insteab.
	length, err := time.ParseDuration(took)
	if err != nil {
		length = 0
	}
	b.progress.end(stage, state, length)
}

// failure is an error of a stage; when it is that work ended badly, it says which
// stage of the server's failed, and why. logs is the command that shows more.
func (b *buildWatch) failure(stage string, err error, logs string) *failure {
	f := &failure{stage: stage, err: err, anchor: anchorOf(stage)}
	var ended *operationFailed
	if errors.As(err, &ended) {
		if b.failed != "" {
			f.stage, f.anchor = b.failed, anchorOf(b.failed)
		}
		b.explain(f, ended, logs)
		if f.stage == stagePulling {
			f.try = "sunya images list"
		}
	}
	return f
}

// interrupted is the error of a user who leaves a deployment, and nil while
// nobody does. operation is the work that goes on, empty for none, and try the
// command that shows what becomes of it.
func interrupted(ctx context.Context, operation, try string) error {
	var sig Signal
	switch {
	case ctx.Err() == nil || !errors.As(context.Cause(ctx), &sig):
		return nil
	case operation == "":
		return sig
	}
	return &failure{
		err:    fmt.Errorf("%w; the deploy continues on the server as operation %s", sig, operation),
		try:    try,
		anchor: "interrupted",
		code:   exitSignalOffset + sig.Number,
	}
}

// explain says why work ended badly; logs is the command that shows more.
func (b *buildWatch) explain(f *failure, ended *operationFailed, logs string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.logs = ended.logs
	if len(f.logs) == 0 {
		f.logs = b.last
	}
	if n := len(f.logs) - failureLines; n > 0 {
		f.logs = f.logs[n:]
	}
	switch ended.reason {
	case sunya.ReasonBuildFailed:
		f.code, f.anchor = exitBuildFailed, "build-failed"
		f.try = "sunya logs --build " + b.build
	case sunya.ReasonRevisionNotReady:
		f.code, f.anchor = exitNotReady, "not-ready"
		f.try = logs
	}
}

// warn says each of the server's warnings once.
func (b *buildWatch) warn(warnings []string) {
	for _, w := range warnings {
		if b.warnings[w] {
			continue
		}
		if b.warnings == nil {
			b.warnings = map[string]bool{}
		}
		b.warnings[w] = true
		if b.env.flags.talk("warning") {
			b.progress.notice("WARNING: " + w)
		}
	}
}
