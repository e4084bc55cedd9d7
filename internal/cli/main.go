package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Signal is the cause of a context that a signal ended.
type Signal struct {
	Number int // 2: SIGINT, 15: SIGTERM
}

// Error implements error.
func (s Signal) Error() string {
	if s.Number == 2 {
		return "interrupted"
	}
	return "terminated"
}

// Main runs one command and returns the exit code (see exitCode). A ctx that
// ends with a Signal as its cause ends the command.
func Main(ctx context.Context, env *Env) int {
	root := newRoot(env)
	args := env.Args
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"version"}
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var sig Signal
	if err != nil && errors.As(context.Cause(ctx), &sig) && !errors.As(err, new(*failure)) && !errors.As(err, new(silent)) {
		err = sig
	}
	if err != nil && !errors.As(err, new(silent)) {
		printError(env, commandName(cmd), err)
	}
	return exitCode(err)
}

// commandName is how messages name a command: sunya.app.deploy.
func commandName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", ".")
}

// printError writes an error in the order that people need it: what happened,
// the log that explains it, what to do, where to read on.
func printError(env *Env, command string, err error) {
	label := "ERROR:"
	if env.colour(env.StderrTTY) {
		label = "\x1b[31mERROR:\x1b[0m"
	}
	fmt.Fprintf(env.Stderr, "%s (%s) %s\n", label, command, printable(message(err)))
	var f *failure
	if errors.As(err, &f) {
		for _, line := range f.logs {
			fmt.Fprintf(env.Stderr, "  | %s\n", printable(line))
		}
	}
	if try := remedy(env, command, err); try != "" {
		fmt.Fprintf(env.Stderr, "Try: %s\n", try)
	}
	if f != nil && f.anchor != "" {
		fmt.Fprintf(env.Stderr, "Docs: %s#%s\n", docsURL, f.anchor)
	}
}

// docsURL is the page that explains failures.
const docsURL = "https://github.com/sunya-cloud/sunya/blob/main/docs/cli.md"
