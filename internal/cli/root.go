package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

// verbs lists the commands in the order in which help shows them.
func verbs(env *Env) []*cobra.Command {
	return []*cobra.Command{
		newUpCommand(env),
		newInitCommand(env),
		newDeployCommand(env),
		newDevCommand(env),
		newOpenCommand(env),
		newLogsCommand(env),
		newStatusCommand(env),
		newAppCommand(env),
		newFunctionsCommand(env),
		newAuthCommand(env),
		newDoctorCommand(env),
		newEnvCommand(env),
		newGcloudConfigCommand(env),
		newCompletionCommand(env),
		newVersionCommand(env),
	}
}

func newRoot(env *Env) *cobra.Command {
	root := group("sunya", "Run your own serverless cloud: App Engine's API in one program.", verbs(env)...)
	root.Example = "sunya init python-app hello\nsunya deploy hello"
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(env, cmd) })
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err.Error()} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return env.fill(cmd) }
	env.flags.register(root.PersistentFlags())
	return root
}

// position marks a command's place in help; the library would sort by name.
const position = "sunya_position"

// group is a command that only holds others, in the order given.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	for i, c := range children {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[position] = strconv.Itoa(i)
	}
	cmd.AddCommand(children...)
	return cmd
}

// unknownCommand names the three commands nearest to what was typed.
func unknownCommand(parent *cobra.Command, word string) error {
	var names []string
	for _, c := range parent.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	near := appyaml.Nearest(word, names, 3)
	return usagef("there is no command %q; nearest: %s", parent.CommandPath()+" "+word, strings.Join(near, ", "))
}

// args checks the number of arguments and says what they are.
func args(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		switch {
		case len(given) < low:
			return usagef("%s is missing", what)
		case len(given) > high:
			return usagef("unexpected argument %q: %s takes %s", given[high], cmd.CommandPath(), takes(high, what))
		}
		return nil
	}
}

func takes(high int, what string) string {
	if high == 0 {
		return "no arguments"
	}
	return fmt.Sprintf("at most %d (%s)", high, what)
}
