package cli

import (
	"context"
	"fmt"
	"strings"

	cloudrun "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newRunJobsCommand(env *Env) *cobra.Command {
	cmd := group("jobs", "Run programs to their end: jobs, their executions and tasks.",
		newRunJobsDeployCommand(env),
		newRunJobsCreateCommand(env),
		newRunJobsUpdateCommand(env),
		newRunJobsExecuteCommand(env),
		newRunJobsListCommand(env),
		newRunJobsDescribeCommand(env),
		newRunJobsReplaceCommand(env),
		newRunJobsDeleteCommand(env),
		newRunJobLogsCommand(env, "JOB", "a job"),
		newRunExecutionsCommand(env),
	)
	cmd.Example = "sunya run jobs deploy work --image gcr.io/sunya/work --tasks 10\nsunya run jobs execute work --wait"
	return cmd
}

// jobsAPI is the API of jobs in one location.
type jobsAPI struct {
	*runAPI
	jobs       *cloudrun.JobsClient
	executions *cloudrun.ExecutionsClient
	tasks      *cloudrun.TasksClient
}

// withJobs connects, and runs do with the API of jobs.
func withJobs(ctx context.Context, env *Env, do func(*jobsAPI) error) error {
	return withRun(ctx, env, func(run *runAPI) error {
		a := &jobsAPI{runAPI: run}
		var errs [3]error
		conn := option.WithGRPCConn(run.client.conn)
		a.jobs, errs[0] = cloudrun.NewJobsClient(ctx, conn)
		a.executions, errs[1] = cloudrun.NewExecutionsClient(ctx, conn)
		a.tasks, errs[2] = cloudrun.NewTasksClient(ctx, conn)
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("make client: %w", err)
			}
		}
		return do(a)
	})
}

func (a *jobsAPI) jobName(id string) string { return a.parent + "/jobs/" + id }

func (a *jobsAPI) job(ctx context.Context, id string) (*runpb.Job, error) {
	return a.jobs.GetJob(ctx, &runpb.GetJobRequest{Name: a.jobName(id)})
}

// existingJob returns a job, or nil where there is none.
func (a *jobsAPI) existingJob(ctx context.Context, id string) (*runpb.Job, error) {
	j, err := a.job(ctx, id)
	if codeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return j, err
}

// execution finds an execution by its own name, which begins with the job's:
// which of the dashes ends that only the server knows.
func (a *jobsAPI) execution(ctx context.Context, id string) (*runpb.Execution, error) {
	job := id
	for {
		i := strings.LastIndexByte(job, '-')
		if i <= 0 {
			return nil, sunya.Errorf(sunya.NotFound, a.parent+"/jobs/-/executions/"+id, "execution not found")
		}
		job = job[:i]
		e, err := a.executions.GetExecution(ctx, &runpb.GetExecutionRequest{Name: a.jobName(job) + "/executions/" + id})
		if codeOf(err) != sunya.NotFound && codeOf(err) != sunya.InvalidArgument {
			return e, err
		}
	}
}

func newRunJobsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the jobs of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya run jobs list\nsunya run jobs list --format 'value(name)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				parent := strings.TrimSuffix(a.parent, a.region()) + "-"
				jobs, err := collect(a.jobs.ListJobs(cmd.Context(), &runpb.ListJobsRequest{Parent: parent, PageSize: 100}).Next)
				if err != nil {
					return err
				}
				return printList(env, jobs, table[*runpb.Job]{
					{"JOB", func(j *runpb.Job) string { return lastOf(j.GetName()) }},
					{"REGION", func(j *runpb.Job) string { return regionOf(j.GetName()) }},
					{"READY", func(j *runpb.Job) string { return ready(j.GetTerminalCondition()) }},
					{"LAST EXECUTION", func(j *runpb.Job) string { return lastExecution(j.GetLatestCreatedExecution()) }},
					{"STARTED", func(j *runpb.Job) string {
						if j.GetLatestCreatedExecution() == nil {
							return ""
						}
						return ago(j.GetLatestCreatedExecution().GetCreateTime().AsTime(), env.Now())
					}},
				})
			})
		},
	}
}

// lastExecution is the name of an execution and how it ended.
func lastExecution(e *runpb.ExecutionReference) string {
	if e == nil {
		return ""
	}
	state := strings.ToLower(strings.TrimPrefix(e.GetCompletionStatus().String(), "EXECUTION_"))
	return lastOf(e.GetName()) + " (" + state + ")"
}

func newRunJobsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe JOB",
		Short:   "Show everything about one job.",
		Args:    args(1, 1, "the name of a job"),
		Example: "sunya run jobs describe work\nsunya run jobs describe work --format 'value(latestCreatedExecution.name)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				j, err := a.job(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, j)
			})
		},
	}
}

func newRunJobsDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete JOB",
		Short:   "Delete a job with all its executions.",
		Args:    args(1, 1, "the name of a job"),
		Example: "sunya run jobs delete work\nsunya run jobs delete work --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				if _, err := a.job(cmd.Context(), args[0]); err != nil {
					return err
				}
				if err := confirm(env, yes, fmt.Sprintf("Job [%s] will be deleted, with its executions; what of it runs is stopped.", args[0])); err != nil {
					return err
				}
				op, err := a.jobs.DeleteJob(cmd.Context(), &runpb.DeleteJobRequest{Name: a.jobName(args[0])})
				if err != nil {
					return err
				}
				if err := a.wait(cmd.Context(), op.Name()); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted job [%s].\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}
