package cli

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

func newTriggersCommand(env *Env) *cobra.Command {
	cmd := group("triggers", "Look after triggers.",
		newTriggersCreateCommand(env), newTriggersListCommand(env), newTriggersDescribeCommand(env), newTriggersUpdateCommand(env), newTriggersDeleteCommand(env))
	cmd.Example = "sunya eventarc triggers list\nsunya eventarc triggers describe letters"
	return cmd
}

// triggerOptions are the flags of eventarc triggers.
type triggerOptions struct {
	location                    string
	service, region, path       string
	function, functionLocation  string
	topic, account, contentType string
	filters, patterns, labels   map[string]string
	noRetry                     bool
}

func (o *triggerOptions) registerLocation(f *pflag.FlagSet) {
	f.StringVar(&o.location, "location", "", "location of the trigger (default: the region)")
}

func (o *triggerOptions) register(f *pflag.FlagSet) {
	o.registerLocation(f)
	f.StringVar(&o.service, "destination-run-service", "", "Cloud Run service that gets the events")
	f.StringVar(&o.region, "destination-run-region", "", "its region (default: the trigger's location)")
	f.StringVar(&o.path, "destination-run-path", "", "path of the requests to it, such as /events")
	f.StringVar(&o.function, "destination-function", "", "function that gets the events")
	f.StringVar(&o.functionLocation, "destination-function-location", "", "its location (default: the trigger's)")
	filterFlag(f, "event-filters", "which events: type=TYPE,ATTRIBUTE=VALUE", &o.filters)
	filterFlag(f, "event-filters-path-pattern", "the same by path patterns: ATTRIBUTE=PATTERN", &o.patterns)
	f.StringVar(&o.account, "service-account", "", "account that calls the destination")
	f.StringVar(&o.contentType, "event-data-content-type", "", "of the data: application/json")
	pairsFlag(f, "labels", "labels: KEY=VALUE,…", func(v map[string]string) { o.labels = v })
	boolFlag(f, &o.noRetry, "no-retry", false, "drop what fails, instead of delivering it again for a day")
	hide(f, "destination-function-location", "event-data-content-type", "no-no-retry")
}

// trigger is what the flags ask for, with the paths of the fields that they set.
func (o *triggerOptions) trigger(a *eventarcAPI) (*eventarcpb.Trigger, []string) {
	t, mask := &eventarcpb.Trigger{ServiceAccount: o.account, Labels: o.labels, EventDataContentType: o.contentType}, []string(nil)
	note := func(set bool, path string) bool {
		if set {
			mask = append(mask, path)
		}
		return set
	}
	for _, k := range slices.Sorted(maps.Keys(o.filters)) {
		t.EventFilters = append(t.EventFilters, &eventarcpb.EventFilter{Attribute: k, Value: o.filters[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(o.patterns)) {
		t.EventFilters = append(t.EventFilters, &eventarcpb.EventFilter{Attribute: k, Value: o.patterns[k], Operator: eventing.MatchPathPattern})
	}
	note(len(t.EventFilters) > 0, "event_filters")
	note(o.account != "", "service_account")
	note(o.labels != nil, "labels")
	if note(o.service != "" || o.path != "" || o.region != "", "destination") {
		t.Destination = &eventarcpb.Destination{Descriptor_: &eventarcpb.Destination_CloudRun{CloudRun: &eventarcpb.CloudRun{Service: o.service, Region: o.region, Path: o.path}}}
	}
	if note(o.function != "", "destination") {
		t.Destination = &eventarcpb.Destination{Descriptor_: &eventarcpb.Destination_CloudFunction{CloudFunction: o.functionName(a)}}
	}
	if note(o.noRetry, "retry_policy") {
		t.RetryPolicy = &eventarcpb.Trigger_RetryPolicy{MaxAttempts: 1}
	}
	if o.topic != "" {
		t.Transport = &eventarcpb.Transport{Intermediary: &eventarcpb.Transport_Pubsub{Pubsub: &eventarcpb.Pubsub{Topic: topicName(a.client.project, o.topic)}}}
	}
	return t, mask
}

func (o *triggerOptions) functionName(a *eventarcAPI) string {
	switch {
	case strings.Contains(o.function, "/"):
		return o.function
	case o.functionLocation != "":
		return "projects/" + a.client.project + "/locations/" + o.functionLocation + "/functions/" + o.function
	}
	return a.parent + "/functions/" + o.function
}

func newTriggersCreateCommand(env *Env) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use: "create TRIGGER", Short: "Deliver events to a service or a function.", Args: args(1, 1, "the name of the trigger"),
		Example: "sunya eventarc triggers create letters --destination-run-service hello --transport-topic letters --event-filters type=google.cloud.pubsub.topic.v1.messagePublished\n" +
			"sunya eventarc triggers create files --destination-function thumbs --event-filters type=google.cloud.storage.object.v1.finalized,bucket=inbox",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.filters["type"] == "" {
				return usagef("--event-filters: type=TYPE is missing: see sunya eventarc providers list")
			}
			return withEventarc(cmd.Context(), env, o.location, func(a *eventarcAPI) error {
				t, _ := o.trigger(a)
				return said(env, change(cmd.Context(), a.CreateTrigger, &eventarcpb.CreateTriggerRequest{Parent: a.parent, TriggerId: args[0], Trigger: t}), "Created trigger", args[0])
			})
		},
	}
	o.register(cmd.Flags())
	cmd.Flags().StringVar(&o.topic, "transport-topic", "", "topic of Pub/Sub events (default: a new one)")
	return cmd
}

func newTriggersUpdateCommand(env *Env) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use: "update TRIGGER", Short: "Change where events go, which, and as whom.", Args: args(1, 1, "the name of the trigger"),
		Example: "sunya eventarc triggers update letters --destination-run-service other\nsunya eventarc triggers update letters --labels team=mail",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEventarc(cmd.Context(), env, o.location, func(a *eventarcAPI) error {
				t, mask := o.trigger(a)
				if len(mask) == 0 {
					return usagef("nothing is to be changed: give a flag that says what")
				}
				t.Name = a.name(args[0])
				if err := o.keepService(cmd.Context(), a, t); err != nil {
					return err
				}
				return said(env, change(cmd.Context(), a.UpdateTrigger, &eventarcpb.UpdateTriggerRequest{Trigger: t, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}}), "Updated trigger", args[0])
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}

// keepService completes a destination of which only a part is to change.
func (o *triggerOptions) keepService(ctx context.Context, a *eventarcAPI, t *eventarcpb.Trigger) error {
	run := t.GetDestination().GetCloudRun()
	if run == nil || o.service != "" {
		return nil
	}
	now, err := a.GetTrigger(ctx, &eventarcpb.GetTriggerRequest{Name: t.GetName()})
	if err != nil {
		return err
	}
	have := now.GetDestination().GetCloudRun()
	run.Service = have.GetService()
	if run.Region == "" {
		run.Region = have.GetRegion()
	}
	if run.Path == "" {
		run.Path = have.GetPath()
	}
	return nil
}

func newTriggersListCommand(env *Env) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use: "list", Short: "List triggers, those of functions too.", Args: args(0, 0, ""),
		Example: "sunya eventarc triggers list\nsunya eventarc triggers list --location us-central1 --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.location == "" {
				o.location = "-"
			}
			return withEventarc(cmd.Context(), env, o.location, func(a *eventarcAPI) error {
				list, err := pages(func(token string) ([]*eventarcpb.Trigger, string, error) {
					got, err := a.ListTriggers(cmd.Context(), &eventarcpb.ListTriggersRequest{Parent: a.parent, PageToken: token})
					return got.GetTriggers(), got.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				return printList(env, list, table[*eventarcpb.Trigger]{
					{"NAME", func(t *eventarcpb.Trigger) string { return lastOf(t.GetName()) }},
					{"LOCATION", func(t *eventarcpb.Trigger) string { return strings.Split(t.GetName(), "/")[3] }},
					{"TYPE", triggerType},
					{"DESTINATION", destinationOf},
				})
			})
		},
	}
	o.registerLocation(cmd.Flags())
	return cmd
}

func triggerType(t *eventarcpb.Trigger) string {
	for _, f := range t.GetEventFilters() {
		if f.GetAttribute() == "type" {
			return f.GetValue()
		}
	}
	return ""
}

func destinationOf(t *eventarcpb.Trigger) string {
	if f := t.GetDestination().GetCloudFunction(); f != "" {
		return "function " + lastOf(f)
	}
	run := t.GetDestination().GetCloudRun()
	return "service " + run.GetService() + run.GetPath()
}

// triggerFigures is the answer of GET /sunya/v1/events/figures.
type triggerFigures struct {
	Trigger          string           `json:"trigger"`
	Deliveries       map[string]int64 `json:"deliveries"`
	Backlog          int64            `json:"backlog"`
	OldestAgeSeconds float64          `json:"oldestAgeSeconds"`
	Failures         int              `json:"failures"`
}

func newTriggersDescribeCommand(env *Env) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use: "describe TRIGGER", Short: "Show a trigger, and how its deliveries go.", Args: args(1, 1, "the name of the trigger"),
		Example: "sunya eventarc triggers describe letters\nsunya eventarc triggers describe letters --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEventarc(cmd.Context(), env, o.location, func(a *eventarcAPI) error {
				t, err := a.GetTrigger(cmd.Context(), &eventarcpb.GetTriggerRequest{Name: a.name(args[0])})
				if err != nil {
					return err
				}
				if err := printOne(env, t); err != nil || env.output().kind != "table" {
					return err
				}
				var f triggerFigures
				if err := a.client.get(cmd.Context(), "/sunya/v1/events/figures?trigger="+url.QueryEscape(t.GetName()), &f); err != nil {
					return err
				}
				return write(env.Stdout, []byte(f.text()))
			})
		},
	}
	o.registerLocation(cmd.Flags())
	return cmd
}

// text is the figures as lines of YAML below the trigger.
func (f *triggerFigures) text() string {
	var b strings.Builder
	age := time.Duration(f.OldestAgeSeconds * float64(time.Second)).Round(time.Millisecond)
	fmt.Fprintf(&b, "backlog: %d\noldestUndelivered: %v\nfailedEvents: %d\n", f.Backlog, age, f.Failures)
	for _, o := range slices.Sorted(maps.Keys(f.Deliveries)) {
		fmt.Fprintf(&b, "%s: %d\n", o, f.Deliveries[o])
	}
	return b.String()
}

func newTriggersDeleteCommand(env *Env) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use: "delete TRIGGER…", Short: "Delete triggers, with what they have not delivered.", Args: args(1, 1000, "the names of triggers"),
		Example: "sunya eventarc triggers delete letters\nsunya eventarc triggers delete one two --location us-central1",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEventarc(cmd.Context(), env, o.location, func(a *eventarcAPI) error {
				return each(env, "Deleted trigger", args, func(id string) error {
					return change(cmd.Context(), a.DeleteTrigger, &eventarcpb.DeleteTriggerRequest{Name: a.name(id)})
				})
			})
		},
	}
	o.registerLocation(cmd.Flags())
	return cmd
}
