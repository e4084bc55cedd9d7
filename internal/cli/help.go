package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of help where the terminal's is not known.
const helpWidth = 80

// writeHelp shows a command on one screen: its purpose in one line first, two
// examples that can be run last.
func writeHelp(env *Env, cmd *cobra.Command) {
	w := env.Stdout
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", cmd.Short, useLine(cmd))
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(cmd.Long))
	}
	if children := visible(cmd); len(children) > 0 {
		fmt.Fprint(w, "\nCommands:\n")
		width := 12
		for _, c := range children {
			width = max(width, len(c.Name()))
		}
		for _, c := range children {
			fmt.Fprintf(w, "  %-*s %s\n", width, c.Name(), c.Short)
		}
	}
	writeFlags(env, cmd)
	if cmd.Example == "" {
		return
	}
	fmt.Fprint(w, "\nExamples:\n")
	for line := range strings.Lines(cmd.Example) {
		fmt.Fprintf(w, "  %s\n", strings.TrimSpace(line))
	}
}

func useLine(cmd *cobra.Command) string {
	if cmd.HasSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name()) + " [flags]"
}

func visible(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		if !c.Hidden && c.Name() != "help" {
			out = append(out, c)
		}
	}
	place := func(c *cobra.Command) int {
		n, err := strconv.Atoi(c.Annotations[position])
		if err != nil {
			return len(out)
		}
		return n
	}
	slices.SortStableFunc(out, func(a, b *cobra.Command) int { return cmp.Compare(place(a), place(b)) })
	return out
}

func writeFlags(env *Env, cmd *cobra.Command) {
	width := helpWidth
	if env.Width > 0 {
		width = env.Width
	}
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			own.AddFlag(f)
		}
	})
	if own.HasAvailableFlags() {
		fmt.Fprintf(env.Stdout, "\nFlags (each also as %s):\n%s", "SUNYA_<FLAG>", own.FlagUsagesWrapped(width))
	}
	if cmd.HasParent() {
		fmt.Fprint(env.Stdout, "\nGlobal flags: --server --project --region --format --json --quiet --verbosity\n(see \"sunya help\")\n")
	}
}

// helpCommand is how to read more about a command named sunya.app.deploy.
func helpCommand(command string) string {
	return strings.ReplaceAll(command, ".", " ") + " --help"
}
