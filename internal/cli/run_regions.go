package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// regionRow is a region that has services.
type regionRow struct {
	Name     string `json:"name"`
	Services int    `json:"services"`
}

func newRunRegionsCommand(env *Env) *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the regions that are in use; any name will do for one.",
		Args:    args(0, 0, ""),
		Example: "sunya run regions list\nsunya run regions list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				regions, err := a.regions(cmd.Context(), env.flags.Region)
				if err != nil {
					return err
				}
				return printList(env, regions, table[regionRow]{
					{"NAME", func(r regionRow) string { return r.Name }},
					{"SERVICES", func(r regionRow) string { return text(r.Services) }},
				})
			})
		},
	}
	cmd := group("regions", "Look at regions.", list)
	cmd.Example = list.Example
	return cmd
}

// regions are those with services, the one of the flags first.
func (a *runAPI) regions(ctx context.Context, own string) ([]regionRow, error) {
	services, err := a.anywhere(ctx)
	if err != nil {
		return nil, err
	}
	out := []regionRow{{Name: own}}
	place := map[string]int{own: 0}
	for _, s := range services {
		region := regionOf(s.GetName())
		at, known := place[region]
		if !known {
			at = len(out)
			place[region] = at
			out = append(out, regionRow{Name: region})
		}
		out[at].Services++
	}
	return out, nil
}
