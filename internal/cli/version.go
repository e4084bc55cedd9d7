package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildVersion is what the go command recorded in the binary.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func newVersionCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Hidden:  true, // everybody tries it; help has no room to spare
		Short:   "Print the version of this program.",
		Args:    args(0, 0, ""),
		Example: "sunya version\nsunya version --format 'value(version)'",
		RunE: func(*cobra.Command, []string) error {
			if env.output().kind == "table" {
				return write(env.Stdout, fmt.Appendf(nil, "Sunya %s (%s, %s/%s)\n", env.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
			}
			return printOne(env, map[string]string{
				"version":  env.Version,
				"go":       runtime.Version(),
				"platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		},
	}
}
