package cli

import (
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/iterator"

	"github.com/sunya-cloud/sunya"
)

func newRunExecutionsCommand(env *Env) *cobra.Command {
	cmd := group("executions", "Look after executions of jobs.",
		newRunExecutionsListCommand(env),
		newRunExecutionsDescribeCommand(env),
		newRunExecutionsCancelCommand(env),
		newRunExecutionsDeleteCommand(env),
		newRunJobLogsCommand(env, "EXECUTION", "an execution"),
		newRunTasksCommand(env),
	)
	cmd.Example = "sunya run jobs executions list --job work\nsunya run jobs executions cancel work-x2x4d"
	return cmd
}

func newRunExecutionsListCommand(env *Env) *cobra.Command {
	job := "-"
	limit := 0
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List executions, the newest first.",
		Args:    args(0, 0, ""),
		Example: "sunya run jobs executions list\nsunya run jobs executions list --job work --limit 10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				parent := a.jobName(job)
				if job == "-" {
					parent = strings.TrimSuffix(a.parent, a.region()) + "-/jobs/-"
				}
				next := a.executions.ListExecutions(cmd.Context(), &runpb.ListExecutionsRequest{Parent: parent, PageSize: 100}).Next
				es, err := collect(atMost(limit, next))
				if err != nil {
					return err
				}
				return printList(env, es, table[*runpb.Execution]{
					{"EXECUTION", func(e *runpb.Execution) string { return lastOf(e.GetName()) }},
					{"JOB", func(e *runpb.Execution) string { return e.GetJob() }},
					{"REGION", func(e *runpb.Execution) string { return regionOf(e.GetName()) }},
					{"STATE", func(e *runpb.Execution) string { return executionState(e) }},
					{"COMPLETE", func(e *runpb.Execution) string {
						return fmt.Sprintf("%d / %d", e.GetSucceededCount(), e.GetTaskCount())
					}},
					{"CREATED", func(e *runpb.Execution) string { return ago(e.GetCreateTime().AsTime(), env.Now()) }},
					{"TOOK", func(e *runpb.Execution) string { return took(e) }},
				})
			})
		},
	}
	cmd.Flags().StringVar(&job, "job", "-", "only executions of this job")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (default: all)")
	cmd.Flags().Lookup("job").DefValue = ""
	return cmd
}

// atMost ends a list after so many items; 0 is no limit.
func atMost[T any](limit int, next func() (T, error)) func() (T, error) {
	n := 0
	return func() (T, error) {
		if n++; limit > 0 && n > limit {
			var none T
			return none, iterator.Done
		}
		return next()
	}
}

// executionState is how far an execution is, in one word.
func executionState(e *runpb.Execution) string {
	switch {
	case e.GetCompletionTime() == nil && e.GetStartTime() == nil:
		return "pending"
	case e.GetCompletionTime() == nil:
		return "running"
	case e.GetFailedCount() > 0:
		return "failed"
	case e.GetCancelledCount() > 0:
		return "cancelled"
	}
	return "succeeded"
}

// took is how long an execution took that has ended.
func took(e *runpb.Execution) string {
	if e.GetCompletionTime() == nil || e.GetStartTime() == nil {
		return ""
	}
	return e.GetCompletionTime().AsTime().Sub(e.GetStartTime().AsTime()).Round(100 * time.Millisecond).String()
}

func newRunExecutionsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe EXECUTION",
		Short:   "Show everything about one execution.",
		Args:    args(1, 1, "the name of an execution"),
		Example: "sunya run jobs executions describe work-x2x4d\nsunya run jobs executions describe work-x2x4d --format 'value(succeededCount)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				e, err := a.execution(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, e)
			})
		},
	}
}

func newRunExecutionsCancelCommand(env *Env) *cobra.Command {
	var yes, async bool
	cmd := &cobra.Command{
		Use:     "cancel EXECUTION",
		Short:   "End an execution: its tasks get SIGTERM, and SIGKILL after 10 seconds.",
		Args:    args(1, 1, "the name of an execution"),
		Example: "sunya run jobs executions cancel work-x2x4d\nsunya run jobs executions cancel work-x2x4d --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				e, err := a.execution(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := confirm(env, yes, fmt.Sprintf("Execution [%s] will be cancelled.", args[0])); err != nil {
					return err
				}
				op, err := a.executions.CancelExecution(cmd.Context(), &runpb.CancelExecutionRequest{Name: e.GetName()})
				if err != nil {
					return err
				}
				if async {
					fmt.Fprintf(env.Stderr, "Execution [%s] is being cancelled.\n", printable(args[0]))
					return nil
				}
				if err := a.wait(cmd.Context(), op.Name()); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Cancelled execution [%s].\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&async, "async", false, "do not wait until its tasks have ended")
	return cmd
}

func newRunExecutionsDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete EXECUTION",
		Short:   "Delete an execution; what of it runs is stopped.",
		Args:    args(1, 1, "the name of an execution"),
		Example: "sunya run jobs executions delete work-x2x4d\nsunya run jobs executions delete work-x2x4d --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				e, err := a.execution(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := confirm(env, yes, fmt.Sprintf("Execution [%s] will be deleted.", args[0])); err != nil {
					return err
				}
				op, err := a.executions.DeleteExecution(cmd.Context(), &runpb.DeleteExecutionRequest{Name: e.GetName()})
				if err != nil {
					return err
				}
				if err := a.wait(cmd.Context(), op.Name()); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted execution [%s].\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}

func newRunTasksCommand(env *Env) *cobra.Command {
	var execution string
	list := &cobra.Command{
		Use:     "list --execution EXECUTION",
		Short:   "List the tasks of an execution.",
		Args:    args(0, 0, ""),
		Example: "sunya run jobs executions tasks list --execution work-x2x4d\nsunya run jobs executions tasks list --execution work-x2x4d --format 'value(index,retried)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if execution == "" {
				return usagef("--execution is missing: name an execution")
			}
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				e, err := a.execution(cmd.Context(), execution)
				if err != nil {
					return err
				}
				tasks, err := collect(a.tasks.ListTasks(cmd.Context(), &runpb.ListTasksRequest{Parent: e.GetName(), PageSize: 1000}).Next)
				if err != nil {
					return err
				}
				return printList(env, tasks, table[*runpb.Task]{
					{"TASK", func(t *runpb.Task) string { return lastOf(t.GetName()) }},
					{"STATE", func(t *runpb.Task) string { return taskState(t) }},
					{"RETRIES", func(t *runpb.Task) string { return fmt.Sprint(t.GetRetried()) }},
					{"EXIT", func(t *runpb.Task) string { return attemptExit(t.GetLastAttemptResult()) }},
					{"MESSAGE", func(t *runpb.Task) string { return t.GetLastAttemptResult().GetStatus().GetMessage() }},
				})
			})
		},
	}
	list.Flags().StringVar(&execution, "execution", "", "the execution")
	describe := &cobra.Command{
		Use:     "describe TASK",
		Short:   "Show everything about one task.",
		Args:    args(1, 1, "the name of a task"),
		Example: "sunya run jobs executions tasks describe work-x2x4d-task0\nsunya run jobs executions tasks describe work-x2x4d-task0 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				i := strings.LastIndex(args[0], "-task")
				if i < 0 {
					return sunya.Invalid("", "%q is not the name of a task: tasks are called EXECUTION-task0", args[0])
				}
				e, err := a.execution(cmd.Context(), args[0][:i])
				if err != nil {
					return err
				}
				t, err := a.tasks.GetTask(cmd.Context(), &runpb.GetTaskRequest{Name: e.GetName() + "/tasks/" + args[0]})
				if err != nil {
					return err
				}
				return printOne(env, t)
			})
		},
	}
	cmd := group("tasks", "Look at the tasks of an execution.", list, describe)
	cmd.Example = "sunya run jobs executions tasks list --execution work-x2x4d\nsunya run jobs executions tasks describe work-x2x4d-task0"
	return cmd
}

// taskState is how far a task is, in one word.
func taskState(t *runpb.Task) string {
	for _, c := range t.GetConditions() {
		switch {
		case c.GetType() != "Completed":
		case c.GetState() == runpb.Condition_CONDITION_SUCCEEDED:
			return "succeeded"
		case c.GetExecutionReason() == runpb.Condition_CANCELLED:
			return "cancelled"
		case c.GetState() == runpb.Condition_CONDITION_FAILED:
			return "failed"
		}
	}
	if t.GetStartTime() == nil {
		return "pending"
	}
	return "running"
}

// attemptExit is the status or the signal with which an attempt ended.
func attemptExit(r *runpb.TaskAttemptResult) string {
	switch {
	case r == nil:
		return ""
	case r.GetTermSignal() != 0:
		return fmt.Sprintf("signal %d", r.GetTermSignal())
	}
	return fmt.Sprint(r.GetExitCode())
}
