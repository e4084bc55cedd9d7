package build

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Step is one command of a build, run in a sandbox of its own.
type Step struct {
	Name   string // for the log: "Installing dependencies"
	Args   []string
	Env    map[string]string
	Dir    string
	Mounts []sandbox.Mount
}

const (
	stopGrace = 2 * time.Second  // from SIGTERM to SIGKILL of a cancelled step
	stopLimit = 30 * time.Second // for the engine to clear everything away
)

// errStep is a step that ended by itself, and badly.
type errStep struct {
	name string
	exit sandbox.Exit
}

func (e *errStep) Error() string {
	return fmt.Sprintf("%s: exit status %d", e.name, e.exit.Code)
}

// Run runs a step to its end. A step that fails is an *errStep; every other
// error is the engine's or the context's.
func (j *Job) Run(ctx context.Context, s Step) error {
	start := j.now()
	j.out.begin()
	sb, err := j.engine.Start(ctx, j.spec(s))
	if err != nil {
		return fmt.Errorf("start build step: %w", err)
	}
	err = j.wait(ctx, sb)
	if exit := sb.Exit(); err == nil && exit != (sandbox.Exit{}) {
		err = &errStep{s.Name, exit}
	}
	j.log.DebugContext(ctx, "build step ended", "step", s.Name, "took", j.now().Sub(start), "err", err)
	return err
}

// wait carries the output until the sandbox has ended, by itself or with ctx.
func (j *Job) wait(ctx context.Context, sb sandbox.Sandbox) error {
	stdout, stderr := sb.Output()
	var pumps sync.WaitGroup
	pumps.Go(func() { j.carry(stdout) })
	pumps.Go(func() { j.carry(stderr) })
	var err error
	select {
	case <-sb.Done():
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if stopErr := sb.Stop(stopCtx, stopGrace); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("stop build step: %w", stopErr))
	}
	drained := make(chan struct{}) // closed by the goroutine below
	go func() { defer close(drained); pumps.Wait() }()
	select {
	case <-drained:
	case <-stopCtx.Done():
	}
	err = errors.Join(err, stdout.Close(), stderr.Close())
	<-drained
	return err
}

// carry copies one stream; a stream that breaks costs the rest of its output,
// not the build.
func (j *Job) carry(r io.Reader) {
	if err := j.out.copy(r); err != nil {
		j.log.Debug("build output broke off", "err", err)
	}
}

func (j *Job) spec(s Step) sandbox.Spec {
	return sandbox.Spec{
		ID:      stepID(j.ID),
		Kind:    "build",
		Labels:  map[string]string{"build": j.ID, "project": j.Project, "service": j.Service},
		Profile: sandbox.Build,

		Args:     s.Args,
		Env:      environ(s.Env),
		Dir:      s.Dir,
		Hostname: "build",
		Mounts:   s.Mounts,

		UIDRange:    j.UIDRange,
		MemoryBytes: j.memoryBytes,
		CPUMillis:   buildCPU,
		PIDs:        j.pids,
		Network:     true,
	}
}

// stepID returns a sandbox id that no other step ever has, not even one of the
// same build before a restart.
func stepID(build string) string {
	sum := sha256.Sum256([]byte(build))
	return "b-" + hex.EncodeToString(sum[:6]) + "-" + strings.ToLower(rand.Text()[:10])
}

func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}
