package cli

import (
	"fmt"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"
)

func newAppCreateCommand(env *Env) *cobra.Command {
	var region string
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Say where an app is; an app exists without it, too.",
		Args:    args(0, 0, ""),
		Example: "sunya app create\nsunya app create --region europe-west1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				op, err := a.apps.CreateApplication(cmd.Context(), &appenginepb.CreateApplicationRequest{
					Application: &appenginepb.Application{Id: a.project, LocationId: region},
				})
				if err != nil {
					return err
				}
				if _, err := a.wait(cmd.Context(), op.Name(), nil); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Created the app of project %s.\n", printable(a.project))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&region, "region", "", "where the app is said to be; every region is this machine")
	return cmd
}

func newAppDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe",
		Short:   "Show everything about the app.",
		Args:    args(0, 0, ""),
		Example: "sunya app describe\nsunya app describe --format 'value(defaultHostname)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				app, err := a.application(cmd.Context())
				if err != nil {
					return err
				}
				return printOne(env, app)
			})
		},
	}
}
