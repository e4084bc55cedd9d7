package cli

import (
	"context"
	"strings"

	"cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
)

func newEventarcCommand(env *Env) *cobra.Command {
	providers := group("providers", "See where events come from.", newProvidersListCommand(env), newProvidersDescribeCommand(env))
	providers.Example = "sunya eventarc providers list\nsunya eventarc providers describe storage.googleapis.com"
	cmd := group("eventarc", "Run services and functions because something happened.", newTriggersCommand(env), providers)
	cmd.Example = "sunya eventarc triggers list\nsunya eventarc providers list"
	return cmd
}

// eventarcAPI is the API of Eventarc in a location.
type eventarcAPI struct {
	eventarcpb.EventarcClient
	client *client
	parent string
}

func withEventarc(ctx context.Context, env *Env, location string, do func(*eventarcAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	if location == "" {
		location = env.flags.Region
	}
	return do(&eventarcAPI{eventarcpb.NewEventarcClient(c.conn), c, sunya.LocationName(c.project, location)})
}

// name is the full name of a trigger; one that is full already stays.
func (a *eventarcAPI) name(id string) string {
	if strings.Contains(id, "/") {
		return id
	}
	return a.parent + "/triggers/" + id
}

type triggerCall[R any] func(ctx context.Context, in R, opts ...grpc.CallOption) (*longrunningpb.Operation, error)

// change makes a call whose work is done when it returns.
func change[R any](ctx context.Context, call triggerCall[R], in R) error {
	op, err := call(ctx, in)
	if err == nil && op.GetError() != nil {
		err = sunya.Errorf(sunya.Unknown, "", "%s", op.GetError().GetMessage())
	}
	return err
}

func newProvidersListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List where events come from, and of which types.", Args: args(0, 0, ""),
		Example: "sunya eventarc providers list\nsunya eventarc providers list --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withEventarc(cmd.Context(), env, "", func(a *eventarcAPI) error {
				list, err := a.ListProviders(cmd.Context(), &eventarcpb.ListProvidersRequest{Parent: a.parent})
				if err != nil {
					return err
				}
				return printList(env, list.GetProviders(), table[*eventarcpb.Provider]{
					{"PROVIDER", func(p *eventarcpb.Provider) string { return lastOf(p.GetName()) }},
					{"NAME", (*eventarcpb.Provider).GetDisplayName},
					{"EVENTS", func(p *eventarcpb.Provider) string {
						var types []string
						for _, t := range p.GetEventTypes() {
							types = append(types, t.GetType())
						}
						return strings.Join(types, " ")
					}},
				})
			})
		},
	}
}

func newProvidersDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "describe PROVIDER", Short: "Show the types of a source's events, and by what they can be filtered.", Args: args(1, 1, "the name of the provider"),
		Example: "sunya eventarc providers describe storage.googleapis.com\nsunya eventarc providers describe pubsub.googleapis.com --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEventarc(cmd.Context(), env, "", func(a *eventarcAPI) error {
				p, err := a.GetProvider(cmd.Context(), &eventarcpb.GetProviderRequest{Name: a.parent + "/providers/" + args[0]})
				if err != nil {
					return err
				}
				return printOne(env, p)
			})
		},
	}
}
