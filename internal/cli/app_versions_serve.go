package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// versionRef names a version of the app.
type versionRef struct{ service, id string }

func listed(refs []versionRef) string {
	var out []string
	for _, r := range refs {
		out = append(out, r.service+"/"+r.id)
	}
	return strings.Join(out, ", ")
}

// withVersions finds the versions of these ids, in one service or in all, and
// runs do with them. An id that no service has is an error.
func withVersions(ctx context.Context, env *Env, service string, ids []string, do func(*admin, []versionRef) error) error {
	return withAdmin(ctx, env, func(_ *client, a *admin) error {
		services, err := a.selectServices(ctx, service)
		if err != nil {
			return err
		}
		var found []versionRef
		missing := slices.Clone(ids)
		for _, s := range services {
			versions, err := a.listVersions(ctx, s.GetId())
			if err != nil {
				return err
			}
			for _, v := range versions {
				if slices.Contains(ids, v.GetId()) {
					found = append(found, versionRef{s.GetId(), v.GetId()})
					missing = slices.DeleteFunc(missing, func(id string) bool { return id == v.GetId() })
				}
			}
		}
		if len(missing) > 0 {
			return sunya.Errorf(sunya.NotFound, missing[0], "no such version%s", ofService(service))
		}
		return do(a, found)
	})
}

func ofService(service string) string {
	if service == "" {
		return " in any service"
	}
	return " of service " + service
}

func newVersionsStartCommand(env *Env) *cobra.Command {
	return newServingCommand(env, &cobra.Command{
		Use:     "start VERSION ...",
		Short:   "Let stopped versions serve again (basic and manual scaling).",
		Example: "sunya app versions start v1\nsunya app versions start v1 v2 --service worker",
	}, appenginepb.ServingStatus_SERVING, "Started")
}

func newVersionsStopCommand(env *Env) *cobra.Command {
	return newServingCommand(env, &cobra.Command{
		Use:     "stop VERSION ...",
		Short:   "End the instances of versions; requests get 503 (basic and manual scaling).",
		Example: "sunya app versions stop v1\nsunya app versions stop v1 v2 --service worker",
	}, appenginepb.ServingStatus_STOPPED, "Stopped")
}

func newServingCommand(env *Env, cmd *cobra.Command, status appenginepb.ServingStatus, done string) *cobra.Command {
	var service string
	cmd.Args = args(1, 1000, "the id of a version")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		return withVersions(cmd.Context(), env, service, ids, func(a *admin, found []versionRef) error {
			for _, v := range found {
				if err := a.setStatus(cmd.Context(), v.service, v.id, status); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "%s version %s of service %s.\n", done, printable(v.id), printable(v.service))
			}
			return nil
		})
	}
	cmd.Flags().StringVarP(&service, "service", "s", "", "only versions of this service (default: of all services)")
	return cmd
}

func newVersionsMigrateCommand(env *Env) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:     "migrate VERSION",
		Short:   "Move all traffic to a version by and by.",
		Long:    "Move all traffic to a version by and by, a tenth of it a second, in every\nservice that has the version. It needs automatic scaling and warm-up requests\n(inbound_services: [warmup] in app.yaml).",
		Args:    args(1, 1, "the id of a version"),
		Example: "sunya app versions migrate v2\nsunya app versions migrate v2 --service api",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withVersions(cmd.Context(), env, service, ids, func(a *admin, found []versionRef) error {
				return migrateTo(cmd.Context(), env, a, found)
			})
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "", "only this service (default: all that have the version)")
	return cmd
}

// migrateTo moves the traffic of each service to its version, by client
// address as gcloud does.
func migrateTo(ctx context.Context, env *Env, a *admin, found []versionRef) error {
	for _, v := range found {
		split := &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_IP, Allocations: map[string]float64{v.id: 1}}
		if err := a.setSplit(ctx, v.service, split, true); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Service %s serves: 100 %% %s\n", printable(v.service), printable(v.id))
	}
	return nil
}

func newVersionsBrowseCommand(env *Env) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:     "browse VERSION ...",
		Short:   "Open versions in the browser; elsewhere, print their URLs.",
		Args:    args(1, 1000, "the id of a version"),
		Example: "sunya app versions browse v1\nsunya app versions browse v1 v2 --service api",
		RunE: func(cmd *cobra.Command, ids []string) error {
			for _, id := range ids {
				if err := browse(cmd.Context(), env, service, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "default", "service of the versions")
	return cmd
}
