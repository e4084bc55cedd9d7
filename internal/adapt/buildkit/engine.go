// Package buildkit builds container images: it starts the builder, a program
// with BuildKit in it, in a sandbox for one build, with the cache of the
// project and a way to the server's registry, and ends it with the build.
package buildkit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Options are what an Engine needs. Zero limits stand for the defaults.
type Options struct {
	Sandboxes sandbox.Engine
	// StateDir keeps the caches, one folder per project; WorkDir what a build
	// needs while it runs. Both lie below the data directory.
	StateDir, WorkDir string
	// Builder and Launcher put the builder's program and the helper that starts
	// its steps into a directory and return their paths.
	Builder, Launcher func(dir string) (string, error)
	// Filter returns the system call filter of steps.
	Filter func() (string, error)
	// Registry answers for the images of a project.
	Registry func(project string) http.Handler
	// StepEnv is given to steps whose image does not set the same: settings of
	// installers that this machine needs.
	StepEnv map[string]string
	// StepFiles are files that they name, such as a CA bundle: by name, shown
	// to steps beneath StepFilesDir.
	StepFiles map[string][]byte
	Log       *slog.Logger

	MemoryBytes int64 // of a build; default 4 GiB
	PIDs        int   // of a build; default 2048
	DiskBytes   int64 // what a build may write; default 20 GiB
	KeepBytes   int64 // of a project's cache between builds; default 10 GiB
}

// StepFilesDir is where steps find Options.StepFiles.
const StepFilesDir = job.FilesDir

const (
	defaultMemory = 4 << 30
	defaultPIDs   = 2048
	defaultDisk   = 20 << 30
	defaultKeep   = 10 << 30
	buildCPU      = 500 // weight: half of what an instance of one core has
)

// Engine implements plan.Engine. Builds of one project that run at the same time
// have caches of their own: BuildKit locks its state.
type Engine struct {
	o Options

	mu   sync.Mutex
	busy map[cache]bool
}

// cache is one of the caches of a project: the first is the one that a build
// finds in use only while another one runs.
type cache struct {
	project string
	slot    int
}

var _ plan.Engine = (*Engine)(nil)

// New returns an Engine and removes what killed builds left in WorkDir.
func New(o Options) (*Engine, error) {
	o.MemoryBytes = cmp.Or(o.MemoryBytes, defaultMemory)
	o.PIDs = cmp.Or(o.PIDs, defaultPIDs)
	o.DiskBytes = cmp.Or(o.DiskBytes, defaultDisk)
	o.KeepBytes = cmp.Or(o.KeepBytes, defaultKeep)
	if err := os.RemoveAll(o.WorkDir); err != nil {
		return nil, fmt.Errorf("sweep image builds: %w", err)
	}
	for _, dir := range []string{o.WorkDir, o.StateDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("prepare image builds: %w", err)
		}
	}
	return &Engine{o: o, busy: map[cache]bool{}}, nil
}

// Build implements plan.Engine.
func (e *Engine) Build(ctx context.Context, j plan.Job, log io.Writer, tell func(plan.Event)) (err error) {
	if err := sunya.CheckProject(j.Project); err != nil {
		return err
	}
	c := e.claim(j.Project)
	defer e.release(c)
	work, err := os.MkdirTemp(e.o.WorkDir, "b-")
	if err != nil {
		return fmt.Errorf("prepare image build: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := e.writeJob(work, j); err != nil {
		return err
	}
	stop, err := serveRegistry(filepath.Join(work, filepath.Base(job.SocketFile)), e.o.Registry(j.Project), e.o.Log)
	if err != nil {
		return err
	}
	defer stop()
	return e.run(ctx, j, c, work, log, tell)
}

// claim takes the first cache of a project that is free.
func (e *Engine) claim(project string) cache {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := cache{project: project}
	for e.busy[c] {
		c.slot++
	}
	e.busy[c] = true
	return c
}

func (e *Engine) release(c cache) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.busy, c)
}

func (e *Engine) writeJob(work string, j plan.Job) error {
	filter, err := e.o.Filter()
	if err != nil {
		return err
	}
	data, err := json.Marshal(job.Job{Job: j, Filter: filter, KeepBytes: e.o.KeepBytes, DiskBytes: e.o.DiskBytes, Env: e.o.StepEnv, Files: e.o.StepFiles})
	if err != nil {
		return fmt.Errorf("encode image build: %w", err)
	}
	if err := os.WriteFile(filepath.Join(work, filepath.Base(job.JobFile)), data, 0o600); err != nil {
		return fmt.Errorf("write image build: %w", err)
	}
	return nil
}

// The time that a builder has from SIGTERM to SIGKILL, and the engine to clear
// everything away.
const (
	stopGrace = 200 * time.Millisecond
	stopLimit = 30 * time.Second
)

// run starts the builder and follows it to its end.
func (e *Engine) run(ctx context.Context, j plan.Job, c cache, work string, log io.Writer, tell func(plan.Event)) error {
	spec, err := e.spec(j, c, work)
	if err != nil {
		return err
	}
	box, err := e.o.Sandboxes.Start(ctx, spec)
	if err != nil {
		return fmt.Errorf("start image build: %w", err)
	}
	f := &follower{tell: tell, step: -1}
	stdout, stderr := box.Output()
	var streams sync.WaitGroup
	streams.Go(func() { f.read(stdout) })
	streams.Go(func() { _, _ = io.Copy(log, stderr) }) // a stream that breaks costs its rest
	select {
	case <-box.Done():
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	err = box.Stop(stopCtx, stopGrace)
	streams.Wait()
	err = errors.Join(err, stdout.Close(), stderr.Close())
	switch {
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), err)
	case err != nil:
		return fmt.Errorf("end image build: %w", err)
	}
	return f.verdict(box.Exit(), e.o)
}
