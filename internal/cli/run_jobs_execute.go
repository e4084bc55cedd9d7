package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"
)

// executeOptions are the flags of run jobs execute.
type executeOptions struct {
	taskFlags
	waiting
	containers []*runpb.RunJobRequest_Overrides_ContainerOverride
}

func newRunJobsExecuteCommand(env *Env) *cobra.Command {
	var o executeOptions
	cmd := &cobra.Command{
		Use:   "execute JOB",
		Short: "Execute a job, and wait until it has started or ended.",
		Long: "Execute a job. The command waits until the first task has started; with --wait,\n" +
			"until the execution has ended, and fails when that does.",
		Args:    args(1, 1, "the name of a job"),
		Example: "sunya run jobs execute work --wait\nsunya run jobs execute work --args one,two --update-env-vars MODE=fast --tasks 3",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				req := &runpb.RunJobRequest{Name: a.jobName(args[0]), Overrides: o.overrides()}
				p := newProgress(env)
				defer p.close()
				return executeJob(cmd.Context(), env, a, req, p, o.waiting)
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *executeOptions) register(fs *pflag.FlagSet) {
	o.taskFlags.register(fs, "this once", "600 or 10m, this once")
	current := func() *runpb.RunJobRequest_Overrides_ContainerOverride {
		if len(o.containers) == 0 {
			o.containers = append(o.containers, &runpb.RunJobRequest_Overrides_ContainerOverride{})
		}
		return o.containers[len(o.containers)-1]
	}
	textFlag(fs, "container", "the flags behind it are about this container", func(v string) error {
		o.containers = append(o.containers, &runpb.RunJobRequest_Overrides_ContainerOverride{Name: v})
		return nil
	})
	listFlag(fs, "args", "arguments, this once: WORD,…; none with an empty text", func(v []string) {
		c := current()
		c.Args, c.ClearArgs = v, len(v) == 0
	})
	pairsFlag(fs, "update-env-vars", "environment variables to add or change, this once: NAME=VALUE,…", func(v map[string]string) {
		c := current()
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c.Env = append(c.Env, plainVar(name, v[name]))
		}
	})
	o.waiting.register(fs, "do not wait at all", "wait until the execution has ended")
	hide(fs, "container")
}

// overrides is what differs for this execution, nil for nothing.
func (o *executeOptions) overrides() *runpb.RunJobRequest_Overrides {
	if o.tasks == 0 && o.timeout == 0 && len(o.containers) == 0 {
		return nil
	}
	out := &runpb.RunJobRequest_Overrides{TaskCount: int32(o.tasks), ContainerOverrides: o.containers}
	if o.timeout != 0 {
		out.Timeout = durationpb.New(o.timeout)
	}
	return out
}

// executeJob begins an execution, waits as long as was asked for, and prints its
// name.
func executeJob(ctx context.Context, env *Env, a *jobsAPI, req *runpb.RunJobRequest, p *progress, w waiting) error {
	const stage = "Executing"
	var e *runpb.Execution
	var operation string
	err := p.during(stage, func() error {
		op, err := a.jobs.RunJob(ctx, req)
		if err != nil {
			return err
		}
		operation = op.Name()
		if e, err = op.Metadata(); err != nil || w.async {
			return err
		}
		e, err = a.awaitExecution(ctx, e.GetName(), w.wait, p)
		return err
	})
	if err != nil {
		f := jobFailure(ctx, stage, operation, lastOf(req.GetName()), err)
		if own, ok := f.(*failure); ok && e != nil && own.try == "" { //nolint:errorlint // it was made one line above
			own.try = "sunya run jobs executions logs read " + lastOf(e.GetName())
		}
		return f
	}
	said := map[bool]string{true: "has ended well", false: "has started"}[w.wait]
	if w.async {
		said = "is being started"
	}
	fmt.Fprintf(env.Stderr, "Execution [%s] %s.\n", lastOf(e.GetName()), said)
	if env.output().kind != "table" {
		return printOne(env, e)
	}
	return write(env.Stdout, []byte(lastOf(e.GetName())+"\n"))
}

// awaitExecution waits until an execution has started or, with end, has ended.
func (a *jobsAPI) awaitExecution(ctx context.Context, name string, end bool, p *progress) (*runpb.Execution, error) {
	pause, shown := pollFirst, ""
	for {
		var e *runpb.Execution
		err := retry(ctx, func() (err error) {
			e, err = a.executions.GetExecution(ctx, &runpb.GetExecutionRequest{Name: name})
			return err
		})
		if err != nil {
			return e, err
		}
		if e.GetCompletionTime() != nil {
			return e, executionError(e)
		}
		if !end && e.GetStartTime() != nil {
			return e, nil
		}
		if now := progressOf(e); now != shown && e.GetStartTime() != nil && e.GetTaskCount() > 1 {
			p.notice(now)
			shown = now
		}
		if err := sleep(ctx, pause); err != nil {
			return e, err
		}
		pause = min(pause*5/4, pollMax)
	}
}

// progressOf says how many tasks are where.
func progressOf(e *runpb.Execution) string {
	out := fmt.Sprintf("%d / %d complete", e.GetSucceededCount(), e.GetTaskCount())
	if e.GetRunningCount() > 0 {
		out += fmt.Sprintf(", %d running", e.GetRunningCount())
	}
	if e.GetFailedCount() > 0 {
		out += fmt.Sprintf(", %d failed", e.GetFailedCount())
	}
	return out
}

// executionError is why an execution that has ended did not end well.
func executionError(e *runpb.Execution) error {
	for _, c := range e.GetConditions() {
		if c.GetType() == "Completed" && c.GetState() == runpb.Condition_CONDITION_FAILED {
			return fmt.Errorf("the execution failed (%s): %s", progressOf(e), c.GetMessage())
		}
	}
	return nil
}
