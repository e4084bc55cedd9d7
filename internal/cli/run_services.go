package cli

import (
	"fmt"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
)

func newRunServicesCommand(env *Env) *cobra.Command {
	verbs := append([]*cobra.Command{
		newRunServicesListCommand(env),
		newRunServicesDescribeCommand(env),
		newRunServicesUpdateCommand(env),
		newRunTrafficCommand(env),
		newRunReplaceCommand(env),
		newRunServicesDeleteCommand(env),
		newRunLogsCommand(env),
	}, newRunPolicyCommands(env)...)
	cmd := group("services", "Look after services.", verbs...)
	cmd.Example = "sunya run services list\nsunya run services update-traffic hello --to-revisions hello-00001-abc=90,hello-00002-def=10"
	return cmd
}

func newRunServicesListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the services of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya run services list\nsunya run services list --format 'value(name,uri)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				services, err := a.anywhere(cmd.Context())
				if err != nil {
					return err
				}
				return printList(env, services, table[*runpb.Service]{
					{"SERVICE", func(s *runpb.Service) string { return lastOf(s.GetName()) }},
					{"REGION", func(s *runpb.Service) string { return regionOf(s.GetName()) }},
					{"READY", func(s *runpb.Service) string { return ready(s.GetTerminalCondition()) }},
					{"URL", func(s *runpb.Service) string { return s.GetUri() }},
					{"DEPLOYED", func(s *runpb.Service) string { return ago(s.GetUpdateTime().AsTime(), env.Now()) }},
				})
			})
		},
	}
}

func newRunServicesDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe SERVICE",
		Short:   "Show everything about one service.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya run services describe hello --format 'value(uri)'\nsunya run services describe hello --format export > service.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				if env.output().kind == "export" {
					return exportService(cmd.Context(), env, a, args[0])
				}
				s, err := a.service(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, s)
			})
		},
	}
}

func newRunServicesDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete SERVICE",
		Short:   "Delete a service with all its revisions.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya run services delete hello\nsunya run services delete hello --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				if _, err := a.service(cmd.Context(), args[0]); err != nil {
					return err
				}
				if err := confirm(env, yes, fmt.Sprintf("Service [%s] will be deleted, with its revisions and its URL.", args[0])); err != nil {
					return err
				}
				op, err := a.services.DeleteService(cmd.Context(), &runpb.DeleteServiceRequest{Name: a.serviceName(args[0])})
				if err != nil {
					return err
				}
				if err := a.wait(cmd.Context(), op.Name()); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted service [%s].\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}

func newRunServicesUpdateCommand(env *Env) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:     "update SERVICE",
		Short:   "Change a service; what its containers are makes a new revision.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya run services update hello --memory 1Gi --update-env-vars COLOUR=blue\nsunya run services update hello --ingress internal",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.given = cmd.Flags().Changed
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				old, err := a.service(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				d := &runDeployment{buildWatch: &buildWatch{env: env, client: a.client, progress: newProgress(env)}, api: a, id: args[0], opts: o}
				defer d.progress.close()
				return d.finish(cmd.Context(), old, nil)
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}
