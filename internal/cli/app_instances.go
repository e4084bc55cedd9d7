package cli

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya"
)

func newAppInstancesCommand(env *Env) *cobra.Command {
	instances := group("instances", "Look at what runs, and end it.",
		newInstancesListCommand(env), newInstancesDescribeCommand(env), newInstancesDeleteCommand(env))
	instances.Example = "sunya app instances list\nsunya app instances list --service default --version v1"
	return instances
}

// instanceRow is an instance and where it belongs.
type instanceRow struct {
	*appenginepb.Instance
	versionRef
}

func newInstancesListCommand(env *Env) *cobra.Command {
	var service, version string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the instances that run.",
		Args:    args(0, 0, ""),
		Example: "sunya app instances list\nsunya app instances list -s default -v v1 --format 'value(id)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				return listInstances(cmd.Context(), env, a, service, version)
			})
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "", "only this service")
	cmd.Flags().StringVarP(&version, "version", "v", "", "only versions of this id")
	return cmd
}

func listInstances(ctx context.Context, env *Env, a *admin, service, version string) error {
	services, err := a.selectServices(ctx, service)
	if err != nil {
		return err
	}
	var rows []instanceRow
	for _, s := range services {
		versions, err := a.listVersions(ctx, s.GetId())
		if err != nil {
			return err
		}
		for _, v := range versions {
			if version != "" && v.GetId() != version {
				continue
			}
			running, err := a.listInstances(ctx, v.GetName())
			if err != nil {
				return err
			}
			for _, i := range running {
				rows = append(rows, instanceRow{i, versionRef{s.GetId(), v.GetId()}})
			}
		}
	}
	return printList(env, rows, table[instanceRow]{
		{"SERVICE", func(r instanceRow) string { return r.service }},
		{"VERSION", func(r instanceRow) string { return r.id }},
		{"INSTANCE", func(r instanceRow) string { return r.GetId() }},
		{"KIND", func(r instanceRow) string { return r.GetAvailability().String() }},
		{"MEMORY", func(r instanceRow) string { return sunya.Bytes(r.GetMemoryUsage()).String() }},
		{"STARTED", func(r instanceRow) string { return ago(r.GetStartTime().AsTime(), env.Now()) }},
	})
}

func (a *admin) listInstances(ctx context.Context, version string) ([]*appenginepb.Instance, error) {
	return collect(a.instances.ListInstances(ctx, &appenginepb.ListInstancesRequest{Parent: version, PageSize: 100}).Next)
}

// instanceOptions say which version an instance is of.
type instanceOptions struct{ service, version string }

func (o *instanceOptions) flags(fs *pflag.FlagSet) {
	fs.StringVarP(&o.service, "service", "s", "default", "service of the instance")
	fs.StringVarP(&o.version, "version", "v", "", "version of the instance (default: looked for in all of the service)")
}

func newInstancesDescribeCommand(env *Env) *cobra.Command {
	var o instanceOptions
	cmd := &cobra.Command{
		Use:     "describe INSTANCE",
		Short:   "Show everything about one instance.",
		Args:    args(1, 1, "the id of an instance"),
		Example: "sunya app instances describe gae-1a2b-3c --version v1\nsunya app instances describe gae-1a2b-3c -s api -v v1 --json",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				i, err := a.instance(cmd.Context(), o, ids[0])
				if err != nil {
					return err
				}
				return printOne(env, i)
			})
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

func newInstancesDeleteCommand(env *Env) *cobra.Command {
	var o instanceOptions
	cmd := &cobra.Command{
		Use:     "delete INSTANCE",
		Short:   "End one instance, once its requests are over.",
		Long:    "End one instance, once its requests are over. Its scaling may start another\none; to end all instances of a version, stop it.",
		Args:    args(1, 1, "the id of an instance"),
		Example: "sunya app instances delete gae-1a2b-3c --version v1\nsunya app instances delete gae-1a2b-3c -s api -v v1",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				i, err := a.instance(cmd.Context(), o, ids[0])
				if err != nil {
					return err
				}
				op, err := a.instances.DeleteInstance(cmd.Context(), &appenginepb.DeleteInstanceRequest{Name: i.GetName()})
				if err != nil {
					return err
				}
				if _, err := a.wait(cmd.Context(), op.Name(), nil); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted instance %s.\n", printable(i.GetId()))
				return nil
			})
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

// instance finds an instance of a service.
func (a *admin) instance(ctx context.Context, o instanceOptions, id string) (*appenginepb.Instance, error) {
	if o.version != "" {
		return a.instances.GetInstance(ctx, &appenginepb.GetInstanceRequest{Name: a.versionName(o.service, o.version) + "/instances/" + id})
	}
	versions, err := a.listVersions(ctx, o.service)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		running, err := a.listInstances(ctx, v.GetName())
		if err != nil {
			return nil, err
		}
		if n := slices.IndexFunc(running, func(i *appenginepb.Instance) bool { return i.GetId() == id }); n >= 0 {
			return running[n], nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, id, "no such instance of service %s", o.service)
}
