package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func newTopicsCommand(env *Env) *cobra.Command {
	cmd := group("topics", "Look after topics, and publish to them.",
		newTopicsCreateCommand(env), newTopicsListCommand(env), newTopicsDescribeCommand(env), newTopicsUpdateCommand(env),
		newTopicsPublishCommand(env), newTopicsSubscriptionsCommand(env), newTopicsDetachCommand(env), newTopicsDeleteCommand(env))
	cmd.AddCommand(newPubSubPolicyCommands(env, "topics", "topic")...)
	cmd.Example = "sunya pubsub topics create letters\nsunya pubsub topics publish letters --message hello"
	return cmd
}

func newTopicsCreateCommand(env *Env) *cobra.Command {
	var t pb.Topic
	cmd := &cobra.Command{
		Use:     "create TOPIC...",
		Short:   "Create topics.",
		Args:    args(1, 100, "the name of a topic"),
		Example: "sunya pubsub topics create letters\nsunya pubsub topics create letters --message-retention-duration 7d",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				resolveSchema(a, &t)
				return each(env, "Created topic", args, func(id string) error {
					t.Name = a.topic(id)
					_, err := a.publisher.CreateTopic(cmd.Context(), &t)
					return err
				})
			})
		},
	}
	pairsFlag(cmd.Flags(), "labels", "labels: KEY=VALUE,…", func(v map[string]string) { t.Labels = v })
	spanFlag(cmd.Flags(), "message-retention-duration", "keep messages for so long, for a seek (10m to 31d)", func(d *durationpb.Duration) { t.MessageRetentionDuration = d })
	schemaFlags(cmd.Flags(), &t, func() {})
	return cmd
}

// schemaFlags are which schema messages of a topic must match; set is told of
// each that was given.
func schemaFlags(fs *pflag.FlagSet, t *pb.Topic, set func()) {
	settings := func() *pb.SchemaSettings {
		set()
		if t.SchemaSettings == nil {
			t.SchemaSettings = &pb.SchemaSettings{}
		}
		return t.SchemaSettings
	}
	textFlag(fs, "schema", "the schema that messages must match", func(v string) error { settings().Schema = v; return nil })
	encodingFlag(fs, func(e pb.Encoding) { settings().Encoding = e })
	textFlag(fs, "first-revision-id", "the oldest revision that they may match", func(v string) error { settings().FirstRevisionId = v; return nil })
	textFlag(fs, "last-revision-id", "the newest", func(v string) error { settings().LastRevisionId = v; return nil })
}

// resolveSchema makes a full name of a short one.
func resolveSchema(a *pubsubAPI, t *pb.Topic) {
	if s := t.GetSchemaSettings(); s.GetSchema() != "" {
		s.Schema = a.schema(s.GetSchema())
	}
}

func newTopicsUpdateCommand(env *Env) *cobra.Command {
	var t pb.Topic
	var mask []string
	cmd := &cobra.Command{
		Use:     "update TOPIC",
		Short:   "Change a topic.",
		Args:    args(1, 1, "the name of a topic"),
		Example: "sunya pubsub topics update letters --message-retention-duration 1d\nsunya pubsub topics update letters --clear-message-retention-duration",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(mask) == 0 {
				return usagef("nothing to change: name at least one flag, such as --message-retention-duration")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				resolveSchema(a, &t)
				t.Name = a.topic(args[0])
				_, err := a.publisher.UpdateTopic(cmd.Context(), &pb.UpdateTopicRequest{Topic: &t, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
				return said(env, err, "Updated topic", args[0])
			})
		},
	}
	fs := cmd.Flags()
	pairsFlag(fs, "labels", "all labels: KEY=VALUE,…", func(v map[string]string) { t.Labels, mask = v, append(mask, "labels") })
	spanFlag(fs, "message-retention-duration", "keep messages for so long, for a seek (10m to 31d)", func(d *durationpb.Duration) {
		t.MessageRetentionDuration, mask = d, append(mask, "message_retention_duration")
	})
	switchFlag(fs, "clear-message-retention-duration", "keep messages only for subscriptions that want them", func(bool) {
		t.MessageRetentionDuration, mask = nil, append(mask, "message_retention_duration")
	})
	schemaFlags(fs, &t, func() { mask = append(mask, "schema_settings") })
	switchFlag(fs, "clear-schema-settings", "take any message", func(bool) { t.SchemaSettings, mask = nil, append(mask, "schema_settings") })
	return cmd
}

// said tells what was done, unless it was not.
func said(env *Env, err error, what, id string) error {
	if err == nil {
		fmt.Fprintf(env.Stderr, "%s [%s].\n", what, printable(id))
	}
	return err
}

func newTopicsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the topics of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub topics list\nsunya pubsub topics list --format 'value(name)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				topics, err := a.topics(cmd.Context())
				if err != nil {
					return err
				}
				return printList(env, topics, table[*pb.Topic]{
					{"TOPIC", func(t *pb.Topic) string { return lastOf(t.GetName()) }},
					{"KEEPS", func(t *pb.Topic) string { return span(t.GetMessageRetentionDuration()) }},
					{"LABELS", func(t *pb.Topic) string { return labels(t.GetLabels()) }},
				})
			})
		},
	}
}

func (a *pubsubAPI) topics(ctx context.Context) ([]*pb.Topic, error) {
	return pages(func(token string) ([]*pb.Topic, string, error) {
		r, err := a.publisher.ListTopics(ctx, &pb.ListTopicsRequest{Project: "projects/" + a.project, PageToken: token, PageSize: 1000})
		return r.GetTopics(), r.GetNextPageToken(), err
	})
}

// span is a duration in a table; empty for none.
func span(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	return d.AsDuration().String()
}

// labels is them in a table, in order.
func labels(m map[string]string) string {
	out := make([]string, 0, len(m))
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func newTopicsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe TOPIC",
		Short:   "Show everything about one topic.",
		Args:    args(1, 1, "the name of a topic"),
		Example: "sunya pubsub topics describe letters\nsunya pubsub topics describe letters --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				t, err := a.publisher.GetTopic(cmd.Context(), &pb.GetTopicRequest{Topic: a.topic(args[0])})
				if err != nil {
					return err
				}
				return printOne(env, t)
			})
		},
	}
}

func newTopicsPublishCommand(env *Env) *cobra.Command {
	var m pb.PubsubMessage
	cmd := &cobra.Command{
		Use:     "publish TOPIC",
		Short:   "Publish a message, and print its id once it is stored.",
		Args:    args(1, 1, "the name of a topic"),
		Example: "sunya pubsub topics publish letters --message hello\nsunya pubsub topics publish letters --message hello --attribute lang=en,kind=note",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(m.Data) == 0 && len(m.Attributes) == 0 {
				return usagef("the message is empty: give --message or --attribute")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				r, err := a.publisher.Publish(cmd.Context(), &pb.PublishRequest{Topic: a.topic(args[0]), Messages: []*pb.PubsubMessage{&m}})
				if err != nil {
					return err
				}
				if env.output().kind != "table" {
					return printOne(env, r)
				}
				fmt.Fprintln(env.Stdout, r.GetMessageIds()[0])
				return nil
			})
		},
	}
	fs := cmd.Flags()
	textFlag(fs, "message", "what the message says", func(v string) error { m.Data = []byte(v); return nil })
	pairsFlag(fs, "attribute", "attributes: NAME=VALUE,…", func(v map[string]string) { m.Attributes = added(m.Attributes, v) })
	fs.StringVar(&m.OrderingKey, "ordering-key", "", "messages with the same key are delivered in order")
	return cmd
}

func newTopicsSubscriptionsCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list-subscriptions TOPIC",
		Short:   "List the subscriptions of a topic.",
		Args:    args(1, 1, "the name of a topic"),
		Example: "sunya pubsub topics list-subscriptions letters\nsunya pubsub topics list-subscriptions letters --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				names, err := pages(func(token string) ([]string, string, error) {
					r, err := a.publisher.ListTopicSubscriptions(cmd.Context(), &pb.ListTopicSubscriptionsRequest{Topic: a.topic(args[0]), PageToken: token, PageSize: 1000})
					return r.GetSubscriptions(), r.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				return printList(env, names, table[string]{{"SUBSCRIPTION", lastOf}})
			})
		},
	}
}

func newTopicsDetachCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "detach-subscription SUBSCRIPTION...",
		Short:   "End the delivery of subscriptions for good, and drop what they hold.",
		Args:    args(1, 100, "the name of a subscription"),
		Example: "sunya pubsub topics detach-subscription mine\nsunya pubsub topics detach-subscription mine yours",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Detached subscription", args, func(id string) error {
					_, err := a.publisher.DetachSubscription(cmd.Context(), &pb.DetachSubscriptionRequest{Subscription: a.subscription(id)})
					return err
				})
			})
		},
	}
}

func newTopicsDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete TOPIC...",
		Short:   "Delete topics; their subscriptions stay, without messages.",
		Args:    args(1, 100, "the name of a topic"),
		Example: "sunya pubsub topics delete letters\nsunya pubsub topics delete letters notes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Deleted topic", args, func(id string) error {
					_, err := a.publisher.DeleteTopic(cmd.Context(), &pb.DeleteTopicRequest{Topic: a.topic(id)})
					return err
				})
			})
		},
	}
}
