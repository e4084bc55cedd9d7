package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/api/storage/v1"
)

func newNotificationsCommand(env *Env) *cobra.Command {
	cmd := group("notifications", "Tell Pub/Sub topics of what changes in a bucket.",
		newNotificationsCreateCommand(env), newNotificationsListCommand(env), newNotificationsDeleteCommand(env))
	cmd.Example = "sunya storage buckets notifications create gs://photos --topic changes\nsunya storage buckets notifications list gs://photos"
	return cmd
}

func newNotificationsCreateCommand(env *Env) *cobra.Command {
	n := &storage.Notification{PayloadFormat: "JSON_API_V1"}
	cmd := &cobra.Command{
		Use:     "create gs://BUCKET --topic TOPIC",
		Short:   "Publish a message for each change in a bucket.",
		Args:    args(1, 1, "gs://BUCKET"),
		Example: "sunya storage buckets notifications create gs://photos --topic changes\nsunya storage buckets notifications create gs://photos --topic changes --event-types OBJECT_FINALIZE --object-prefix in/",
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := parseBucket(args[0])
			if err != nil {
				return err
			}
			if n.Topic == "" {
				return usagef("--topic is missing: name the topic that gets the messages")
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				if !strings.Contains(n.Topic, "/") {
					n.Topic = "projects/" + a.project + "/topics/" + n.Topic
				}
				n.Topic = "//pubsub.googleapis.com/" + strings.TrimPrefix(n.Topic, "//pubsub.googleapis.com/")
				made, err := a.Notifications.Insert(bucket, n).Context(cmd.Context()).Do()
				if err != nil {
					return err
				}
				if env.output().kind != "table" {
					return printOne(env, made)
				}
				fmt.Fprintln(env.Stdout, made.Id)
				return nil
			})
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&n.Topic, "topic", "t", "", "the topic, which exists")
	listFlag(fs, "event-types", "OBJECT_FINALIZE, OBJECT_DELETE, OBJECT_ARCHIVE, OBJECT_METADATA_UPDATE (default: all)", func(v []string) {
		n.EventTypes = append(n.EventTypes, v...)
	})
	fs.StringVarP(&n.ObjectNamePrefix, "object-prefix", "p", "", "only of objects whose names begin so")
	pairsFlag(fs, "custom-attributes", "attributes that each message has: KEY=VALUE,…", func(v map[string]string) { n.CustomAttributes = added(n.CustomAttributes, v) })
	textFlag(fs, "payload-format", "json: the object; none: attributes alone (default json)", func(v string) error {
		format, ok := map[string]string{"json": "JSON_API_V1", "none": "NONE"}[v]
		if !ok {
			return fmt.Errorf("%q is not a format: use json or none", v)
		}
		n.PayloadFormat = format
		return nil
	})
	return cmd
}

func newNotificationsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list gs://BUCKET",
		Short:   "List the notifications of a bucket.",
		Args:    args(1, 1, "gs://BUCKET"),
		Example: "sunya storage buckets notifications list gs://photos\nsunya storage buckets notifications list gs://photos --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := parseBucket(args[0])
			if err != nil {
				return err
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				r, err := a.Notifications.List(bucket).Context(cmd.Context()).Do()
				if err != nil {
					return err
				}
				return printList(env, r.Items, table[*storage.Notification]{
					{"ID", func(n *storage.Notification) string { return n.Id }},
					{"TOPIC", func(n *storage.Notification) string { return lastOf(n.Topic) }},
					{"EVENTS", func(n *storage.Notification) string { return strings.Join(n.EventTypes, ",") }},
					{"PREFIX", func(n *storage.Notification) string { return n.ObjectNamePrefix }},
				})
			})
		},
	}
}

func newNotificationsDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete gs://BUCKET ID...",
		Short:   "End notifications of a bucket.",
		Args:    args(2, 100, "gs://BUCKET or the id of a notification"),
		Example: "sunya storage buckets notifications delete gs://photos 1\nsunya storage buckets notifications delete gs://photos 1 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := parseBucket(args[0])
			if err != nil {
				return err
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return each(env, "Deleted notification", args[1:], func(id string) error {
					return a.Notifications.Delete(bucket, id).Context(cmd.Context()).Do()
				})
			})
		},
	}
}
