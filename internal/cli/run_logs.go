package cli

import "github.com/spf13/cobra"

// newRunLogsCommand is gcloud's spelling of logs.
func newRunLogsCommand(env *Env) *cobra.Command {
	verb := func(name, short string, follow bool) *cobra.Command {
		o := logOptions{kind: runLogs}
		cmd := &cobra.Command{
			Use:     name + " SERVICE",
			Short:   short,
			Args:    args(1, 1, "the name of a service"),
			Example: "sunya run services logs " + name + " hello\nsunya run services logs " + name + " hello --severity WARNING",
			RunE: func(cmd *cobra.Command, args []string) error {
				o.service, o.follow = args[0], o.follow || follow
				o.tailSet = cmd.Flags().Changed("tail") || cmd.Flags().Changed("limit")
				return showLogs(cmd.Context(), env, o)
			},
		}
		o.register(cmd.Flags())
		o.registerLimit(cmd.Flags())
		return cmd
	}
	logs := group("logs", "Read or follow the log of a service.",
		verb("read", "Show the last lines of a service's log.", false),
		verb("tail", "Follow a service's log.", true))
	logs.Example = "sunya run services logs read hello\nsunya run services logs tail hello"
	return logs
}
