package cli

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// jobDeployOptions are the flags of run jobs deploy.
type jobDeployOptions struct {
	jobOptions
	sourceFlags
}

func newRunJobsDeployCommand(env *Env) *cobra.Command {
	var o jobDeployOptions
	cmd := jobCommand(env, &o, "deploy", "Deploy an image, or a source, as a job: new or again.",
		"sunya run jobs deploy work --image gcr.io/sunya/work --tasks 10\nsunya run jobs deploy work --source . --execute-now --wait",
		func(*runpb.Job) error {
			if !o.hasImage() {
				return usagef("--image is missing: name an image, or a directory with --source")
			}
			return nil
		})
	o.sourceFlags.register(cmd.Flags(), &o.containers)
	return cmd
}

func newRunJobsCreateCommand(env *Env) *cobra.Command {
	var o jobDeployOptions
	return jobCommand(env, &o, "create", "Make a job of an image.",
		"sunya run jobs create work --image gcr.io/sunya/work --tasks 10\nsunya run jobs create work --image gcr.io/sunya/work --args all --wait",
		func(old *runpb.Job) error {
			switch {
			case !o.hasImage():
				return usagef("--image is missing: name the image that is to be run")
			case old != nil && old.GetTerminalCondition().GetState() == runpb.Condition_CONDITION_SUCCEEDED:
				return sunya.Errorf(sunya.AlreadyExists, old.GetName(), "the job exists already: use sunya run jobs update, or deploy")
			}
			return nil
		})
}

func newRunJobsUpdateCommand(env *Env) *cobra.Command {
	var o jobDeployOptions
	return jobCommand(env, &o, "update", "Change a job; executions that run stay as they are.",
		"sunya run jobs update work --tasks 20 --memory 1Gi\nsunya run jobs update work --update-env-vars MODE=fast",
		func(old *runpb.Job) error {
			if old == nil {
				return sunya.Errorf(sunya.NotFound, "", "the job does not exist: use sunya run jobs create, or deploy")
			}
			return nil
		})
}

// jobCommand is one of the three that change a job; allowed looks at the job that
// there is, nil for none.
func jobCommand(env *Env, o *jobDeployOptions, verb, short, example string, allowed func(old *runpb.Job) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:     verb + " JOB",
		Short:   short,
		Args:    args(1, 1, "the name of the job"),
		Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.given = cmd.Flags().Changed
			if err := o.check(); err != nil {
				return err
			}
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				old, err := a.existingJob(cmd.Context(), args[0])
				if err == nil {
					err = allowed(old)
				}
				if err != nil {
					return err
				}
				return deployJob(cmd.Context(), env, a, args[0], old, o)
			})
		},
	}
	o.jobOptions.register(cmd.Flags())
	return cmd
}

// deployJob builds what is to be built, creates or updates the job, and executes
// it where that was asked for.
func deployJob(ctx context.Context, env *Env, a *jobsAPI, id string, old *runpb.Job, o *jobDeployOptions) error {
	d := &runDeployment{buildWatch: &buildWatch{env: env, client: a.client, progress: newProgress(env)}, api: a.runAPI, id: id}
	d.opts.containers = o.containers
	defer d.progress.close()
	if err := d.build(ctx, &o.sourceFlags); err != nil {
		return err
	}
	j, err := o.job(env, old)
	if err != nil {
		return err
	}
	const stage = "Preparing job"
	var operation string
	err = d.progress.during(stage, func() (err error) {
		if operation, err = a.put(ctx, id, old == nil, j); err != nil || o.async {
			return err
		}
		_, err = waitFor(ctx, operation, a.operation, func(*longrunningpb.Operation) {})
		return err
	})
	if err != nil {
		return jobFailure(ctx, stage, operation, id, err)
	}
	if o.async {
		fmt.Fprintf(env.Stderr, "Job [%s] is being deployed: sunya run jobs describe %s\n", id, id)
		return write(env.Stdout, []byte(operation+"\n"))
	}
	fmt.Fprintf(env.Stderr, "Job [%s] is ready: sunya run jobs execute %s\n", id, id)
	if o.executeNow || o.wait {
		return executeJob(ctx, env, a, &runpb.RunJobRequest{Name: a.jobName(id)}, d.progress, waiting{wait: o.wait})
	}
	if env.output().kind == "table" {
		return nil
	}
	if j, err = a.job(ctx, id); err != nil {
		return err
	}
	return printOne(env, j)
}

// put creates or replaces a job and returns the operation.
func (a *jobsAPI) put(ctx context.Context, id string, create bool, j *runpb.Job) (operation string, err error) {
	if create {
		op, err := a.jobs.CreateJob(ctx, &runpb.CreateJobRequest{Parent: a.parent, JobId: id, Job: j})
		if err != nil {
			return "", err
		}
		return op.Name(), nil
	}
	op, err := a.jobs.UpdateJob(ctx, &runpb.UpdateJobRequest{Job: j})
	if err != nil {
		return "", err
	}
	return op.Name(), nil
}

// jobFailure turns an error into one that says what to do.
func jobFailure(ctx context.Context, stage, operation, id string, err error) error {
	var sig Signal
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &sig) {
		if operation == "" {
			return sig
		}
		return &failure{
			err:    fmt.Errorf("%w; the work continues on the server as operation %s", sig, operation),
			try:    "sunya run jobs describe " + id,
			anchor: "interrupted",
			code:   exitSignalOffset + sig.Number,
		}
	}
	if operation == "" && codeOf(err) != sunya.Unavailable {
		stage = stageValidating // the server did not even begin
	}
	return &failure{stage: stage, err: err, anchor: anchorOf(stage)}
}
