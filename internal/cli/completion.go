package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletionCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Hidden:    true, // asked for once, by who reads docs/cli.md
		Short:     "Print the completion script of a shell.",
		Args:      args(1, 1, "bash, zsh, fish or powershell"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Example:   "eval \"$(sunya completion bash)\"\nsunya completion fish > ~/.config/fish/completions/sunya.fish",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(env.Stdout, true)
			case "zsh":
				err = root.GenZshCompletion(env.Stdout)
			case "fish":
				err = root.GenFishCompletion(env.Stdout, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(env.Stdout)
			default:
				return usagef("%q is not a shell that is known: use bash, zsh, fish or powershell", args[0])
			}
			if err != nil {
				return fmt.Errorf("write completion: %w", err)
			}
			return nil
		},
	}
}
