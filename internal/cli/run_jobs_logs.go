package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newRunJobLogsCommand is gcloud's spelling of the logs of a job or an execution.
func newRunJobLogsCommand(env *Env, of, what string) *cobra.Command {
	path := map[string]string{"JOB": "sunya run jobs logs ", "EXECUTION": "sunya run jobs executions logs "}[of]
	name := map[string]string{"JOB": " work", "EXECUTION": " work-x2x4d"}[of]
	verb := func(verb, short string, follow bool) *cobra.Command {
		o := logOptions{kind: jobLogs}
		cmd := &cobra.Command{
			Use:     verb + " " + of,
			Short:   short,
			Args:    args(1, 1, "the name of "+what),
			Example: path + verb + name + "\n" + path + verb + name + " --severity WARNING",
			RunE: func(cmd *cobra.Command, args []string) error {
				o.service, o.follow = args[0], o.follow || follow
				o.execution = of == "EXECUTION"
				o.tailSet = cmd.Flags().Changed("tail") || cmd.Flags().Changed("limit")
				return showLogs(cmd.Context(), env, o)
			},
		}
		o.register(cmd.Flags())
		o.registerLimit(cmd.Flags())
		hide(cmd.Flags(), "build", "revision", "version")
		return cmd
	}
	logs := group("logs", fmt.Sprintf("Read or follow the log of %s.", what),
		verb("read", fmt.Sprintf("Show the last lines of the log of %s.", what), false),
		verb("tail", fmt.Sprintf("Follow the log of %s.", what), true))
	logs.Example = path + "read" + name + "\n" + path + "tail" + name
	return logs
}

// jobResource is which entries of jobs are wanted.
func (o *logOptions) jobResource() []string {
	parts := []string{`resource.type="cloud_run_job"`}
	if o.execution {
		return append(parts, fmt.Sprintf("labels.\"run.googleapis.com/execution_name\"=%q", o.service))
	}
	return append(parts, fmt.Sprintf("resource.labels.job_name=%q", o.service))
}
