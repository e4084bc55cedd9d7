package cli

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
)

// trafficOptions are the flags of services set-traffic.
type trafficOptions struct {
	splits  string
	by      string
	migrate bool
}

func newSetTrafficCommand(env *Env) *cobra.Command {
	var o trafficOptions
	cmd := &cobra.Command{
		Use:     "set-traffic [SERVICE ...]",
		Short:   "Share the traffic of services out over versions.",
		Long:    "Share the traffic of services out over versions; without a name, of every\nservice. The numbers are weights: v1=2,v2=2 is v1=.5,v2=.5. Versions that are\nnot named get nothing.",
		Args:    args(0, 1000, "names of services"),
		Example: "sunya app services set-traffic default --splits v2=1\nsunya app services set-traffic default --splits v1=.9,v2=.1 --split-by cookie",
		RunE: func(cmd *cobra.Command, services []string) error {
			return setTraffic(cmd.Context(), env, services, o)
		},
	}
	cmd.Flags().StringVar(&o.splits, "splits", "", "VERSION=WEIGHT,...: who gets how much")
	cmd.Flags().StringVar(&o.by, "split-by", "ip", "what keeps a client on a version: ip, cookie, or random for nothing")
	boolFlag(cmd.Flags(), &o.migrate, "migrate", false, "move the traffic by and by; needs one version with warm-up requests")
	return cmd
}

func setTraffic(ctx context.Context, env *Env, names []string, o trafficOptions) error {
	split, err := parseSplits(o.splits, o.by)
	if err != nil {
		return err
	}
	if o.migrate && len(split.GetAllocations()) > 1 {
		return usagef("--migrate: traffic can only be migrated to a single version")
	}
	return withAdmin(ctx, env, func(_ *client, a *admin) error {
		services, err := a.namedServices(ctx, names)
		if err != nil {
			return err
		}
		for _, s := range services {
			if err := a.setSplit(ctx, s.GetId(), split, o.migrate); err != nil {
				return &failure{err: err, try: "sunya app versions list --service " + s.GetId()}
			}
			s.Split = split
			fmt.Fprintf(env.Stderr, "Service %s serves: %s, by %s\n", printable(s.GetId()), printable(strings.Join(serving(s), ", ")), o.by)
		}
		return nil
	})
}

// namedServices returns the services of these names, or all without names.
func (a *admin) namedServices(ctx context.Context, names []string) ([]*appenginepb.Service, error) {
	if len(names) == 0 {
		return a.listServices(ctx)
	}
	var out []*appenginepb.Service
	for _, name := range names {
		s, err := a.service(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func newServicesDeleteCommand(env *Env) *cobra.Command {
	var version string
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete SERVICE ...",
		Short:   "Delete services with all their versions.",
		Args:    args(1, 1000, "the name of a service"),
		Example: "sunya app services delete worker\nsunya app services delete worker api --version v1 --yes",
		RunE: func(cmd *cobra.Command, names []string) error {
			what := "with all their versions"
			if version != "" {
				what = "only version " + version
			}
			lost := fmt.Sprintf("To be deleted from services %s: %s. It cannot be brought back.", strings.Join(names, ", "), what)
			if version == "" {
				lost = fmt.Sprintf("Services to be deleted %s: %s. They cannot be brought back.", what, strings.Join(names, ", "))
			}
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				if _, err := a.namedServices(cmd.Context(), names); err != nil {
					return err
				}
				if err := confirm(env, yes, lost); err != nil {
					return err
				}
				return deleteServices(cmd.Context(), env, a, names, version)
			})
		},
	}
	cmd.Flags().StringVar(&version, "version", "", "delete only this version of each service")
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}

func deleteServices(ctx context.Context, env *Env, a *admin, names []string, version string) error {
	for _, name := range names {
		if version != "" {
			if err := deleteVersions(ctx, env, a, []versionRef{{name, version}}); err != nil {
				return err
			}
			continue
		}
		op, err := a.services.DeleteService(ctx, &appenginepb.DeleteServiceRequest{Name: a.serviceName(name)})
		if err != nil {
			return err
		}
		if _, err := a.wait(ctx, op.Name(), nil); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Deleted service %s.\n", printable(name))
	}
	return nil
}

// ingresses are gcloud's words for who may call a service.
var ingresses = map[string]appenginepb.NetworkSettings_IngressTrafficAllowed{
	"all":                               appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_ALL,
	"internal-only":                     appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_INTERNAL_ONLY,
	"internal-and-cloud-load-balancing": appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB,
}

func newServicesUpdateCommand(env *Env) *cobra.Command {
	var ingress string
	cmd := &cobra.Command{
		Use:     "update [SERVICE ...]",
		Short:   "Say who may call services; this server allows all.",
		Args:    args(0, 1000, "names of services"),
		Example: "sunya app services update default --ingress all\nsunya app services update --ingress all",
		RunE: func(cmd *cobra.Command, names []string) error {
			kind, ok := ingresses[ingress]
			if !ok {
				return usagef("--ingress: %q is not allowed: use all, internal-only or internal-and-cloud-load-balancing", ingress)
			}
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				return updateIngress(cmd.Context(), env, a, names, kind)
			})
		},
	}
	cmd.Flags().StringVar(&ingress, "ingress", "", "all, internal-only or internal-and-cloud-load-balancing")
	return cmd
}

func updateIngress(ctx context.Context, env *Env, a *admin, names []string, kind appenginepb.NetworkSettings_IngressTrafficAllowed) error {
	services, err := a.namedServices(ctx, names)
	if err != nil {
		return err
	}
	if len(services) == 0 {
		return sunya.Errorf(sunya.NotFound, a.appName(), "it has no services")
	}
	for _, s := range services {
		op, err := a.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
			Name:       s.GetName(),
			Service:    &appenginepb.Service{NetworkSettings: &appenginepb.NetworkSettings{IngressTrafficAllowed: kind}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"network_settings"}},
		})
		if err != nil {
			return err
		}
		if _, err := a.wait(ctx, op.Name(), nil); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Updated service %s.\n", printable(s.GetId()))
	}
	return nil
}

func newServicesBrowseCommand(env *Env) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:     "browse SERVICE ...",
		Short:   "Open services in the browser; elsewhere, print their URLs.",
		Args:    args(1, 1000, "the name of a service"),
		Example: "sunya app services browse default\nsunya app services browse api worker --version v2",
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, name := range names {
				if err := browse(cmd.Context(), env, name, version); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&version, "version", "v", "", "one version instead of what gets the traffic")
	return cmd
}
