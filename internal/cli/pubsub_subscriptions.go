package cli

import (
	"context"
	"fmt"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func newSubscriptionsCommand(env *Env) *cobra.Command {
	cmd := group("subscriptions", "Look after subscriptions, and pull from them.",
		newSubscriptionsCreateCommand(env), newSubscriptionsListCommand(env), newSubscriptionsDescribeCommand(env), newSubscriptionsUpdateCommand(env),
		newSubscriptionsPullCommand(env), newSubscriptionsAckCommand(env), newSubscriptionsModifyCommand(env), newSubscriptionsSeekCommand(env),
		newSubscriptionsModifyPushCommand(env), newSubscriptionsDeleteCommand(env))
	cmd.AddCommand(newPubSubPolicyCommands(env, "subscriptions", "subscription")...)
	cmd.Example = "sunya pubsub subscriptions create mine --topic letters\nsunya pubsub subscriptions pull mine --auto-ack"
	return cmd
}

// subscriptionFlags are what a subscription is made of, with the paths of the
// fields that were set.
type subscriptionFlags struct {
	pb.Subscription
	mask []string
}

func (s *subscriptionFlags) set(path string) { s.mask = append(s.mask, path) }

func (s *subscriptionFlags) deadLetter() *pb.DeadLetterPolicy {
	s.set("dead_letter_policy")
	if s.DeadLetterPolicy == nil {
		s.DeadLetterPolicy = &pb.DeadLetterPolicy{}
	}
	return s.DeadLetterPolicy
}

func (s *subscriptionFlags) retry() *pb.RetryPolicy {
	s.set("retry_policy")
	if s.RetryPolicy == nil {
		s.RetryPolicy = &pb.RetryPolicy{}
	}
	return s.RetryPolicy
}

func (s *subscriptionFlags) push() *pb.PushConfig {
	s.set("push_config")
	if s.PushConfig == nil {
		s.PushConfig = &pb.PushConfig{}
	}
	return s.PushConfig
}

func (s *subscriptionFlags) token() *pb.PushConfig_OidcToken {
	p := s.push()
	if p.GetOidcToken() == nil {
		p.AuthenticationMethod = &pb.PushConfig_OidcToken_{OidcToken: &pb.PushConfig_OidcToken{}}
	}
	return p.GetOidcToken()
}

// register adds the flags that create and update share.
func (s *subscriptionFlags) register(fs *pflag.FlagSet) {
	countFlag(fs, "ack-deadline", "seconds until a message that is not acknowledged comes again (10 to 600)", 0, func(n int) {
		s.AckDeadlineSeconds = int32(n)
		s.set("ack_deadline_seconds")
	})
	pairsFlag(fs, "labels", "labels: KEY=VALUE,…", func(v map[string]string) { s.Labels = v; s.set("labels") })
	spanFlag(fs, "message-retention-duration", "keep messages for so long (10m to 31d)", func(d *durationpb.Duration) {
		s.MessageRetentionDuration = d
		s.set("message_retention_duration")
	})
	switchFlag(fs, "retain-acked-messages", "keep messages that are acknowledged, for a seek", func(yes bool) { s.RetainAckedMessages = yes; s.set("retain_acked_messages") })
	textFlag(fs, "expiration-period", "life without use (1d or more), or never", func(v string) error {
		s.set("expiration_policy")
		s.ExpirationPolicy = &pb.ExpirationPolicy{}
		if v == "never" {
			return nil
		}
		d, err := parseSpan(v)
		s.ExpirationPolicy.Ttl = durationpb.New(d)
		return err
	})
	switchFlag(fs, "enable-exactly-once-delivery", "never deliver again what was acknowledged", func(yes bool) {
		s.EnableExactlyOnceDelivery = yes
		s.set("enable_exactly_once_delivery")
	})
	s.registerPolicies(fs)
	s.registerPush(fs)
}

func (s *subscriptionFlags) registerPolicies(fs *pflag.FlagSet) {
	textFlag(fs, "dead-letter-topic", "where messages go that nobody acknowledges", func(v string) error { s.deadLetter().DeadLetterTopic = v; return nil })
	countFlag(fs, "max-delivery-attempts", "attempts before that (5 to 100)", 0, func(n int) { s.deadLetter().MaxDeliveryAttempts = int32(n) })
	spanFlag(fs, "min-retry-delay", "rest before the second attempt", func(d *durationpb.Duration) { s.retry().MinimumBackoff = d })
	spanFlag(fs, "max-retry-delay", "longest rest between attempts", func(d *durationpb.Duration) { s.retry().MaximumBackoff = d })
	hide(fs, "max-delivery-attempts", "max-retry-delay")
}

func (s *subscriptionFlags) registerPush(fs *pflag.FlagSet) {
	textFlag(fs, "push-endpoint", "URL that messages are sent to; empty: they are pulled", func(v string) error { s.push().PushEndpoint = v; return nil })
	textFlag(fs, "push-auth-service-account", "account whose identity token goes with a push", func(v string) error { s.token().ServiceAccountEmail = v; return nil })
	textFlag(fs, "push-auth-token-audience", "audience of that token (default: the endpoint)", func(v string) error { s.token().Audience = v; return nil })
	var metadata bool
	switchFlag(fs, "push-no-wrapper", "send the data alone as the body", func(bool) {
		s.push().Wrapper = &pb.PushConfig_NoWrapper_{NoWrapper: &pb.PushConfig_NoWrapper{WriteMetadata: metadata}}
	})
	switchFlag(fs, "push-no-wrapper-write-metadata", "and the rest in headers", func(yes bool) {
		metadata = yes
		s.push().Wrapper = &pb.PushConfig_NoWrapper_{NoWrapper: &pb.PushConfig_NoWrapper{WriteMetadata: yes}}
	})
	hide(fs, "push-auth-token-audience", "push-no-wrapper-write-metadata")
}

// resolve makes full names of short ones.
func (s *subscriptionFlags) resolve(a *pubsubAPI) {
	if d := s.DeadLetterPolicy; d != nil {
		d.DeadLetterTopic = a.topic(d.GetDeadLetterTopic())
	}
}

func newSubscriptionsCreateCommand(env *Env) *cobra.Command {
	var s subscriptionFlags
	var topic string
	cmd := &cobra.Command{
		Use:     "create SUBSCRIPTION... --topic TOPIC",
		Short:   "Create subscriptions, which get what is published from then on.",
		Args:    args(1, 100, "the name of a subscription"),
		Example: "sunya pubsub subscriptions create mine --topic letters\nsunya pubsub subscriptions create mine --topic letters --push-endpoint http://hello.localhost:8080/push",
		RunE: func(cmd *cobra.Command, args []string) error {
			if topic == "" {
				return usagef("--topic is missing: name the topic to subscribe to")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s.resolve(a)
				s.Topic = a.topic(topic)
				return each(env, "Created subscription", args, func(id string) error {
					s.Name = a.subscription(id)
					_, err := a.subscriber.CreateSubscription(cmd.Context(), &s.Subscription)
					return err
				})
			})
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&topic, "topic", "", "what to subscribe to")
	textFlag(fs, "message-filter", "which messages, by attributes: attributes.lang = \"en\"", func(v string) error { s.Filter = v; return nil })
	switchFlag(fs, "enable-message-ordering", "deliver messages of one ordering key in order", func(yes bool) { s.EnableMessageOrdering = yes })
	s.register(fs)
	return cmd
}

func newSubscriptionsUpdateCommand(env *Env) *cobra.Command {
	var s subscriptionFlags
	cmd := &cobra.Command{
		Use:     "update SUBSCRIPTION",
		Short:   "Change a subscription.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions update mine --ack-deadline 60\nsunya pubsub subscriptions update mine --retain-acked-messages",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(s.mask) == 0 {
				return usagef("nothing to change: name at least one flag, such as --ack-deadline")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s.resolve(a)
				s.Name = a.subscription(args[0])
				_, err := a.subscriber.UpdateSubscription(cmd.Context(), &pb.UpdateSubscriptionRequest{
					Subscription: &s.Subscription, UpdateMask: &fieldmaskpb.FieldMask{Paths: s.mask},
				})
				return said(env, err, "Updated subscription", args[0])
			})
		},
	}
	fs := cmd.Flags()
	s.register(fs)
	switchFlag(fs, "clear-dead-letter-policy", "keep trying", func(bool) { s.DeadLetterPolicy = nil; s.set("dead_letter_policy") })
	switchFlag(fs, "clear-retry-policy", "try again at once", func(bool) { s.RetryPolicy = nil; s.set("retry_policy") })
	return cmd
}

func newSubscriptionsModifyPushCommand(env *Env) *cobra.Command {
	var s subscriptionFlags
	cmd := &cobra.Command{
		Use:     "modify-push-config SUBSCRIPTION --push-endpoint URL",
		Short:   "Have messages sent somewhere else, or, with an empty URL, pulled.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions modify-push-config mine --push-endpoint http://hello.localhost:8080/push\nsunya pubsub subscriptions modify-push-config mine --push-endpoint=",
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.PushConfig == nil {
				return usagef("--push-endpoint is missing: give a URL, or '' to pull")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				_, err := a.subscriber.ModifyPushConfig(cmd.Context(), &pb.ModifyPushConfigRequest{Subscription: a.subscription(args[0]), PushConfig: s.PushConfig})
				return said(env, err, "Updated subscription", args[0])
			})
		},
	}
	s.registerPush(cmd.Flags())
	return cmd
}

func newSubscriptionsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the subscriptions of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub subscriptions list\nsunya pubsub subscriptions list --format 'value(name,topic)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				found, err := a.subscriptions(cmd.Context())
				if err != nil {
					return err
				}
				return printList(env, found, table[*pb.Subscription]{
					{"SUBSCRIPTION", func(s *pb.Subscription) string { return lastOf(s.GetName()) }},
					{"TOPIC", func(s *pb.Subscription) string { return lastOf(s.GetTopic()) }},
					{"DELIVERY", delivery},
					{"DEADLINE", func(s *pb.Subscription) string { return fmt.Sprint(s.GetAckDeadlineSeconds(), "s") }},
				})
			})
		},
	}
}

// delivery is how messages get to the subscriber.
func delivery(s *pb.Subscription) string {
	switch {
	case s.GetDetached():
		return "detached"
	case s.GetPushConfig().GetPushEndpoint() != "":
		return s.GetPushConfig().GetPushEndpoint()
	}
	return "pull"
}

func (a *pubsubAPI) subscriptions(ctx context.Context) ([]*pb.Subscription, error) {
	return pages(func(token string) ([]*pb.Subscription, string, error) {
		r, err := a.subscriber.ListSubscriptions(ctx, &pb.ListSubscriptionsRequest{Project: "projects/" + a.project, PageToken: token, PageSize: 1000})
		return r.GetSubscriptions(), r.GetNextPageToken(), err
	})
}

func newSubscriptionsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe SUBSCRIPTION",
		Short:   "Show everything about one subscription.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions describe mine\nsunya pubsub subscriptions describe mine --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s, err := a.subscriber.GetSubscription(cmd.Context(), &pb.GetSubscriptionRequest{Subscription: a.subscription(args[0])})
				if err != nil {
					return err
				}
				return printOne(env, s)
			})
		},
	}
}

func newSubscriptionsDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete SUBSCRIPTION...",
		Short:   "Delete subscriptions, with what they have not acknowledged.",
		Args:    args(1, 100, "the name of a subscription"),
		Example: "sunya pubsub subscriptions delete mine\nsunya pubsub subscriptions delete mine yours",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Deleted subscription", args, func(id string) error {
					_, err := a.subscriber.DeleteSubscription(cmd.Context(), &pb.DeleteSubscriptionRequest{Subscription: a.subscription(id)})
					return err
				})
			})
		},
	}
}
