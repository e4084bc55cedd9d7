package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"
)

func newPubSubCommand(env *Env) *cobra.Command {
	cmd := group("pubsub", "Publish messages, and receive them.",
		newTopicsCommand(env), newSubscriptionsCommand(env), newSnapshotsCommand(env), newSchemasCommand(env))
	cmd.Example = "sunya pubsub topics create letters\nsunya pubsub subscriptions create mine --topic letters\n" +
		"sunya pubsub topics publish letters --message hello\nsunya pubsub subscriptions pull mine --auto-ack"
	return cmd
}

// pubsubAPI is the API of Pub/Sub in a project.
type pubsubAPI struct {
	project    string
	publisher  pb.PublisherClient
	subscriber pb.SubscriberClient
	schemas    pb.SchemaServiceClient
	iam        iampb.IAMPolicyClient
}

func withPubSub(ctx context.Context, env *Env, do func(*pubsubAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	return do(&pubsubAPI{
		project: c.project, publisher: pb.NewPublisherClient(c.conn), subscriber: pb.NewSubscriberClient(c.conn),
		schemas: pb.NewSchemaServiceClient(c.conn), iam: iampb.NewIAMPolicyClient(c.conn),
	})
}

// name is the full name of a topic, subscription, snapshot or schema; one that is full
// already stays.
func (a *pubsubAPI) name(collection, id string) string {
	if strings.Contains(id, "/") {
		return id
	}
	return "projects/" + a.project + "/" + collection + "/" + id
}

func (a *pubsubAPI) topic(id string) string        { return a.name("topics", id) }
func (a *pubsubAPI) subscription(id string) string { return a.name("subscriptions", id) }
func (a *pubsubAPI) snapshot(id string) string     { return a.name("snapshots", id) }
func (a *pubsubAPI) schema(id string) string       { return a.name("schemas", id) }

// pages collects all items of a list.
func pages[T any](page func(token string) (items []T, next string, err error)) ([]T, error) {
	var all []T
	for token := ""; ; {
		items, next, err := page(token)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if token = next; token == "" {
			return all, nil
		}
	}
}

// each does the same for several names, and says what was done.
func each(env *Env, what string, ids []string, do func(id string) error) error {
	for _, id := range ids {
		if err := do(id); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "%s [%s].\n", what, printable(id))
	}
	return nil
}

// spanFlag is a flag for a duration as gcloud writes them: 10s, 1h, 7d, 1w.
func spanFlag(fs *pflag.FlagSet, name, usage string, set func(*durationpb.Duration)) {
	fs.Var(setter{"duration", func(v string) error {
		d, err := parseSpan(v)
		if err != nil {
			return err
		}
		set(durationpb.New(d))
		return nil
	}}, name, usage)
}

// parseSpan is time.ParseDuration with days and weeks; a bare number counts
// seconds.
func parseSpan(v string) (time.Duration, error) {
	text, unit := v, time.Duration(1)
	if v != "" {
		switch v[len(v)-1] {
		case 'd':
			text, unit = v[:len(v)-1]+"h", 24
		case 'w':
			text, unit = v[:len(v)-1]+"h", 7*24
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			text = v + "s"
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write one such as 30s, 10m, 7d", v)
	}
	return d * unit, nil
}
