package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// pullPatience is how long a pull waits for the first message.
const pullPatience = 5 * time.Second

func newSubscriptionsPullCommand(env *Env) *cobra.Command {
	var limit int32 = 1
	var ack bool
	cmd := &cobra.Command{
		Use:     "pull SUBSCRIPTION",
		Short:   "Show messages, and acknowledge them if asked to.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions pull mine --auto-ack\nsunya pubsub subscriptions pull mine --limit 10 --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return pull(cmd.Context(), env, a, a.subscription(args[0]), limit, ack)
			})
		},
	}
	fs := cmd.Flags()
	countFlag(fs, "limit", "messages at most (default 1)", 1, func(n int) { limit = max(int32(n), 1) })
	boolFlag(fs, &ack, "auto-ack", false, "acknowledge what is shown")
	return cmd
}

func pull(ctx context.Context, env *Env, a *pubsubAPI, name string, limit int32, ack bool) error {
	wait, cancel := context.WithTimeout(ctx, pullPatience)
	defer cancel()
	r, err := a.subscriber.Pull(wait, &pb.PullRequest{Subscription: name, MaxMessages: limit})
	if err != nil {
		return err
	}
	got := r.GetReceivedMessages()
	columns := table[*pb.ReceivedMessage]{
		{"DATA", func(m *pb.ReceivedMessage) string { return string(m.GetMessage().GetData()) }},
		{"ID", func(m *pb.ReceivedMessage) string { return m.GetMessage().GetMessageId() }},
		{"KEY", func(m *pb.ReceivedMessage) string { return m.GetMessage().GetOrderingKey() }},
		{"ATTRIBUTES", func(m *pb.ReceivedMessage) string { return labels(m.GetMessage().GetAttributes()) }},
		{"ATTEMPT", func(m *pb.ReceivedMessage) string { return attempt(m.GetDeliveryAttempt()) }},
	}
	if !ack {
		columns = append(columns, column[*pb.ReceivedMessage]{"ACK ID", func(m *pb.ReceivedMessage) string { return m.GetAckId() }})
	}
	if err := printList(env, got, columns); err != nil || !ack || len(got) == 0 {
		return err
	}
	ids := make([]string, len(got))
	for i, m := range got {
		ids[i] = m.GetAckId()
	}
	_, err = a.subscriber.Acknowledge(ctx, &pb.AcknowledgeRequest{Subscription: name, AckIds: ids})
	return err
}

// attempt is which delivery it is; empty where nobody counts.
func attempt(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

func newSubscriptionsAckCommand(env *Env) *cobra.Command {
	var ids []string
	cmd := &cobra.Command{
		Use:     "ack SUBSCRIPTION --ack-ids ID,…",
		Short:   "Acknowledge messages.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions ack mine --ack-ids ID\nsunya pubsub subscriptions ack mine --ack-ids ID,ID",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(ids) == 0 {
				return usagef("--ack-ids is missing: pull shows the ids")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				_, err := a.subscriber.Acknowledge(cmd.Context(), &pb.AcknowledgeRequest{Subscription: a.subscription(args[0]), AckIds: ids})
				if err == nil {
					fmt.Fprintf(env.Stderr, "Acknowledged %d.\n", len(ids))
				}
				return err
			})
		},
	}
	listFlag(cmd.Flags(), "ack-ids", "ids of deliveries, as pull shows them", func(v []string) { ids = append(ids, v...) })
	return cmd
}

func newSubscriptionsModifyCommand(env *Env) *cobra.Command {
	var ids []string
	seconds := -1
	cmd := &cobra.Command{
		Use:     "modify-message-ack-deadline SUBSCRIPTION --ack-ids ID,… --ack-deadline SECONDS",
		Short:   "Give messages more time, or with 0 give them back.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions modify-message-ack-deadline mine --ack-ids ID --ack-deadline 0\nsunya pubsub subscriptions modify-message-ack-deadline mine --ack-ids ID --ack-deadline 600",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(ids) == 0 || seconds < 0 {
				return usagef("both --ack-ids and --ack-deadline are needed")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				_, err := a.subscriber.ModifyAckDeadline(cmd.Context(), &pb.ModifyAckDeadlineRequest{
					Subscription: a.subscription(args[0]), AckIds: ids, AckDeadlineSeconds: int32(seconds),
				})
				if err == nil {
					fmt.Fprintf(env.Stderr, "Set the deadline of %d.\n", len(ids))
				}
				return err
			})
		},
	}
	listFlag(cmd.Flags(), "ack-ids", "ids of deliveries, as pull shows them", func(v []string) { ids = append(ids, v...) })
	countFlag(cmd.Flags(), "ack-deadline", "seconds from now (0 to 600)", 0, func(n int) { seconds = n })
	return cmd
}

func newSubscriptionsSeekCommand(env *Env) *cobra.Command {
	var at, snapshot string
	cmd := &cobra.Command{
		Use:     "seek SUBSCRIPTION (--time TIME | --snapshot SNAPSHOT)",
		Short:   "Get again what was published since, or go on as a snapshot says.",
		Args:    args(1, 1, "the name of a subscription"),
		Example: "sunya pubsub subscriptions seek mine --time 2026-11-30T12:00:00Z\nsunya pubsub subscriptions seek mine --snapshot before-deploy",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (at == "") == (snapshot == "") {
				return usagef("give either --time or --snapshot")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				r := &pb.SeekRequest{Subscription: a.subscription(args[0])}
				if snapshot != "" {
					r.Target = &pb.SeekRequest_Snapshot{Snapshot: a.snapshot(snapshot)}
				} else {
					t, err := time.Parse(time.RFC3339, at)
					if err != nil {
						return usagef("--time: %q is not a time: write one such as 2026-11-30T12:00:00Z", at)
					}
					r.Target = &pb.SeekRequest_Time{Time: timestamppb.New(t)}
				}
				_, err := a.subscriber.Seek(cmd.Context(), r)
				return said(env, err, "Moved subscription", args[0])
			})
		},
	}
	cmd.Flags().StringVar(&at, "time", "", "an RFC 3339 time")
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "the name of a snapshot")
	return cmd
}

func newSnapshotsCommand(env *Env) *cobra.Command {
	cmd := group("snapshots", "Keep what subscriptions have acknowledged, to go back to it.",
		newSnapshotsCreateCommand(env), newSnapshotsListCommand(env), newSnapshotsDescribeCommand(env), newSnapshotsDeleteCommand(env))
	cmd.Example = "sunya pubsub snapshots create before-deploy --subscription mine\nsunya pubsub subscriptions seek mine --snapshot before-deploy"
	return cmd
}

func newSnapshotsCreateCommand(env *Env) *cobra.Command {
	var subscription string
	cmd := &cobra.Command{
		Use:     "create SNAPSHOT... --subscription SUBSCRIPTION",
		Short:   "Create snapshots of a subscription.",
		Args:    args(1, 100, "the name of a snapshot"),
		Example: "sunya pubsub snapshots create before-deploy --subscription mine\nsunya pubsub snapshots create monday --subscription mine",
		RunE: func(cmd *cobra.Command, args []string) error {
			if subscription == "" {
				return usagef("--subscription is missing: name whose state to keep")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Created snapshot", args, func(id string) error {
					_, err := a.subscriber.CreateSnapshot(cmd.Context(), &pb.CreateSnapshotRequest{Name: a.snapshot(id), Subscription: a.subscription(subscription)})
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&subscription, "subscription", "", "whose state to keep")
	return cmd
}

func newSnapshotsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the snapshots of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub snapshots list\nsunya pubsub snapshots list --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				found, err := pages(func(token string) ([]*pb.Snapshot, string, error) {
					r, err := a.subscriber.ListSnapshots(cmd.Context(), &pb.ListSnapshotsRequest{Project: "projects/" + a.project, PageToken: token, PageSize: 1000})
					return r.GetSnapshots(), r.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				return printList(env, found, table[*pb.Snapshot]{
					{"SNAPSHOT", func(s *pb.Snapshot) string { return lastOf(s.GetName()) }},
					{"TOPIC", func(s *pb.Snapshot) string { return lastOf(s.GetTopic()) }},
					{"EXPIRES", func(s *pb.Snapshot) string { return s.GetExpireTime().AsTime().Format(time.RFC3339) }},
				})
			})
		},
	}
}

func newSnapshotsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe SNAPSHOT",
		Short:   "Show everything about one snapshot.",
		Args:    args(1, 1, "the name of a snapshot"),
		Example: "sunya pubsub snapshots describe before-deploy\nsunya pubsub snapshots describe before-deploy --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s, err := a.subscriber.GetSnapshot(cmd.Context(), &pb.GetSnapshotRequest{Snapshot: a.snapshot(args[0])})
				if err != nil {
					return err
				}
				return printOne(env, s)
			})
		},
	}
}

func newSnapshotsDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete SNAPSHOT...",
		Short:   "Delete snapshots.",
		Args:    args(1, 100, "the name of a snapshot"),
		Example: "sunya pubsub snapshots delete before-deploy\nsunya pubsub snapshots delete before-deploy monday",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Deleted snapshot", args, func(id string) error {
					_, err := a.subscriber.DeleteSnapshot(cmd.Context(), &pb.DeleteSnapshotRequest{Snapshot: a.snapshot(id)})
					return err
				})
			})
		},
	}
}
