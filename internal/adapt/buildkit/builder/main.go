// Package builder is the program that builds container images: BuildKit as a
// library, started for one job and ended with it, inside a sandbox. It is a
// program of its own because it is larger than the server and needed rarely.
package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/bklog"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
)

// Main runs the job of the sandbox and returns the exit status: 0 when it
// succeeded or its failure was reported as an event.
func Main() int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "builder:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, events, log io.Writer) error {
	silence()
	j, err := readJob(job.JobFile)
	if err != nil {
		return err
	}
	// Mounts are made below the state directory, which is on a disk.
	if err := prepareDirs(); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	guard := &diskGuard{dir: job.StateDir, limit: j.DiskBytes, stop: stop}
	done := make(chan struct{})
	defer close(done)
	go guard.watch(done)
	d, err := startDaemon(ctx, j, &steps{root: filepath.Join(job.StateDir, "steps"), filter: j.Filter, env: j.Env, files: j.Files})
	if err != nil {
		return err
	}
	defer d.close()
	b := &build{job: j, client: d.client, log: log, events: json.NewEncoder(events), made: map[string]made{}}
	err = b.run(ctx)
	// BuildKit would clear up a minute after a build, when this process is gone.
	return errors.Join(err, tidy(ctx, d.client, j.KeepBytes))
}

// tidy brings the cache below its limit, the least used things first.
func tidy(ctx context.Context, c *client.Client, keep int64) error {
	if keep <= 0 || ctx.Err() != nil {
		return nil
	}
	if err := c.Prune(ctx, nil, client.PruneAll, client.WithKeepOpt(0, 0, keep, 0)); err != nil {
		return fmt.Errorf("clear cache: %w", err)
	}
	return nil
}

// silence sends BuildKit's own log, which speaks to operators of a daemon,
// nowhere. It is the standard logger of logrus, and so that of containerd.
func silence() {
	bklog.L.Logger.SetOutput(io.Discard)
}

func readJob(name string) (*job.Job, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	j := &job.Job{}
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	return j, nil
}

// prepareDirs removes what a killed build left of its steps, and makes the
// place for temporary files.
func prepareDirs() error {
	stepDir, tmp := filepath.Join(job.StateDir, "steps"), filepath.Join(job.StateDir, "tmp")
	err := errors.Join(os.RemoveAll(stepDir), os.RemoveAll(tmp), os.MkdirAll(stepDir, 0o700), os.MkdirAll(tmp, 0o700))
	if err != nil {
		return fmt.Errorf("clear state: %w", err)
	}
	return os.Setenv("TMPDIR", tmp)
}
