package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newAppVersionsCommand(env *Env) *cobra.Command {
	versions := group("versions", "Look after the versions of an app.",
		newVersionsListCommand(env), newVersionsDescribeCommand(env), newVersionsBrowseCommand(env), newVersionsDeleteCommand(env),
		newVersionsStartCommand(env), newVersionsStopCommand(env), newVersionsMigrateCommand(env))
	versions.Example = "sunya app versions list\nsunya app versions delete v1 --service default"
	return versions
}

func newVersionsListCommand(env *Env) *cobra.Command {
	var service string
	var hide bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List versions, with their share of the traffic.",
		Args:    args(0, 0, ""),
		Example: "sunya app versions list\nsunya app versions list --service default --format 'value(id)'",
		RunE:    func(cmd *cobra.Command, _ []string) error { return listVersions(cmd.Context(), env, service, hide) },
	}
	cmd.Flags().StringVarP(&service, "service", "s", "", "only this service")
	boolFlag(cmd.Flags(), &hide, "hide-no-traffic", false, "only versions that get traffic")
	return cmd
}

// versionRow is a version and what its service sends to it.
type versionRow struct {
	*appenginepb.Version
	service string
	share   float64
}

func listVersions(ctx context.Context, env *Env, only string, hideIdle bool) error {
	return withAdmin(ctx, env, func(_ *client, a *admin) error {
		services, err := a.selectServices(ctx, only)
		if err != nil {
			return err
		}
		var rows []versionRow
		for _, s := range services {
			versions, err := a.listVersions(ctx, s.GetId())
			if err != nil {
				return err
			}
			for _, v := range versions {
				if part := share(s, v.GetId()); part > 0 || !hideIdle {
					rows = append(rows, versionRow{v, s.GetId(), part})
				}
			}
		}
		return printList(env, rows, versionTable(env))
	})
}

// selectServices returns the service named, or all.
func (a *admin) selectServices(ctx context.Context, only string) ([]*appenginepb.Service, error) {
	if only == "" {
		return a.listServices(ctx)
	}
	s, err := a.service(ctx, only)
	if err != nil {
		return nil, err
	}
	return []*appenginepb.Service{s}, nil
}

func versionTable(env *Env) table[versionRow] {
	return table[versionRow]{
		{"SERVICE", func(r versionRow) string { return r.service }},
		{"VERSION", func(r versionRow) string { return r.GetId() }},
		{"TRAFFIC", func(r versionRow) string { return percent(r.share) }},
		{"RUNTIME", func(r versionRow) string { return r.GetRuntime() }},
		{"STATUS", func(r versionRow) string { return r.GetServingStatus().String() }},
		{"DEPLOYED", func(r versionRow) string { return ago(r.GetCreateTime().AsTime(), env.Now()) }},
	}
}

func newVersionsDescribeCommand(env *Env) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:     "describe VERSION",
		Short:   "Show everything about one version.",
		Args:    args(1, 1, "the id of a version"),
		Example: "sunya app versions describe v1\nsunya app versions describe v1 --service api --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				v, err := a.version(cmd.Context(), service, args[0])
				if err != nil {
					return err
				}
				return printOne(env, v)
			})
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "default", "service of the version")
	return cmd
}

func newVersionsDeleteCommand(env *Env) *cobra.Command {
	var service string
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete VERSION ...",
		Short:   "Delete versions that get no traffic.",
		Args:    args(1, 1000, "the id of a version"),
		Example: "sunya app versions delete v1\nsunya app versions delete v1 v2 --service api --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withVersions(cmd.Context(), env, service, args, func(a *admin, found []versionRef) error {
				if err := confirm(env, yes, fmt.Sprintf("Versions to be deleted: %s. They cannot be brought back.", listed(found))); err != nil {
					return err
				}
				return deleteVersions(cmd.Context(), env, a, found)
			})
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "", "only versions of this service (default: of all services)")
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}

func deleteVersions(ctx context.Context, env *Env, a *admin, found []versionRef) error {
	for _, v := range found {
		op, err := a.versions.DeleteVersion(ctx, &appenginepb.DeleteVersionRequest{Name: a.versionName(v.service, v.id)})
		if err != nil {
			return err
		}
		if _, err := a.wait(ctx, op.Name(), nil); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Deleted version %s of service %s.\n", printable(v.id), printable(v.service))
	}
	return nil
}

// confirm asks once before something is lost. Without a terminal it never asks:
// it names the flag that would have answered.
func confirm(env *Env, yes bool, lost string) error {
	if yes || env.flags.Quiet {
		return nil
	}
	if !env.StdinTTY {
		return usagef("%s Confirm with --yes", lost)
	}
	fmt.Fprintf(env.Stderr, "%s\nContinue (y/N)? ", printable(lost))
	// Whatever ends the answer early counts as no.
	answer, _ := bufio.NewReader(env.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return nil
	}
	return sunya.Errorf(sunya.Canceled, "", "nothing was changed")
}
