package cli

import (
	"context"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"
)

func newAppServicesCommand(env *Env) *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the services of an app.",
		Args:    args(0, 0, ""),
		Example: "sunya app services list\nsunya app services list --format json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return listServices(cmd.Context(), env) },
	}
	describe := &cobra.Command{
		Use:     "describe SERVICE",
		Short:   "Show everything about one service.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya app services describe default\nsunya app services describe default --format 'value(split.allocations)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				s, err := a.service(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, s)
			})
		},
	}
	services := group("services", "Look after the services of an app.", list, describe,
		newServicesBrowseCommand(env), newServicesDeleteCommand(env), newSetTrafficCommand(env), newServicesUpdateCommand(env))
	services.Example = list.Example
	return services
}

func listServices(ctx context.Context, env *Env) error {
	return withAdmin(ctx, env, func(c *client, a *admin) error {
		app, err := a.application(ctx)
		if err != nil {
			return err
		}
		services, err := a.listServices(ctx)
		if err != nil {
			return err
		}
		return printList(env, services, table[*appenginepb.Service]{
			{"SERVICE", func(s *appenginepb.Service) string { return s.GetId() }},
			{"SERVING", func(s *appenginepb.Service) string { return strings.Join(serving(s), ", ") }},
			{"URL", func(s *appenginepb.Service) string { return c.appsURL(serviceHost(app, s.GetId())) }},
		})
	})
}
