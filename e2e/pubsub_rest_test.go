//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestPubSubAtRest: topics and subscriptions that nobody uses are rows and nothing
// else: no goroutine, no file, no thread of their own. One of them still works.
func TestPubSubAtRest(t *testing.T) {
	t.Parallel()
	n := many(500, 10_000)
	s := platform.Start(t)
	c := pubsubClient(t, s)
	restingTopics(t, c, 0, 50) // what is opened once is open
	type held struct{ goroutines, files int }
	now := func() held {
		files, _, _ := platform.Resources(t, s.PID())
		return held{int(sum(scrape(t, s)["go_goroutines"], "", "")), files}
	}
	before, memory := now(), s.Memory()
	restingTopics(t, c, 50, n)
	s.Eventually(20*time.Second, "nothing held for topics at rest", func() error {
		// The client has connections of its own.
		if after := now(); after.goroutines > before.goroutines+20 || after.files > before.files+10 {
			return fmt.Errorf("%+v, and %+v before %d topics", after, before, n-50)
		}
		return nil
	})
	t.Logf("%d topics and subscriptions: %+v before, %+v after; memory %d MiB before, %d MiB after", n, before, now(), memory>>20, s.Memory()>>20)

	topic := restingName("topics", n-1)
	if _, err := c.Publisher(topic).Publish(t.Context(), &pubsub.Message{Data: []byte("hello")}).Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, c, restingName("subscriptions", n-1), 1); string(got[0].Data) != "hello" {
		t.Errorf("got %q", got[0].Data)
	}
}

func restingName(kind string, i int) string { return fmt.Sprintf("projects/sunya/%s/rest%d", kind, i) }

// restingTopics makes topics, each with a subscription.
func restingTopics(t *testing.T, c *pubsub.Client, from, to int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(32)
	for i := from; i < to; i++ {
		group.Go(func() error {
			if _, err := c.TopicAdminClient.CreateTopic(ctx, &pb.Topic{Name: restingName("topics", i)}); err != nil {
				return err
			}
			_, err := c.SubscriptionAdminClient.CreateSubscription(ctx, &pb.Subscription{Name: restingName("subscriptions", i), Topic: restingName("topics", i)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
