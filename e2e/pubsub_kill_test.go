//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// pubsubKills is how often the server is killed while messages pass.
func pubsubKills() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 500
	}
	return 20
}

// TestPubSubKill: what is acknowledged to a publisher is delivered, and in the
// order of its key, whenever the server is killed.
func TestPubSubKill(t *testing.T) {
	t.Parallel()
	killPubSub(t, platform.Start(t), pubsubKills())
}

// killPubSub kills the server.
func killPubSub(t *testing.T, s *platform.Server, n int) {
	killWhilePublishing(t, s, pubsubClient(t, s), n, func() {
		s.Kill()
		s.Up()
	})
}

// killWhilePublishing has messages pass while something is killed again and again.
func killWhilePublishing(t *testing.T, s *platform.Server, c *pubsub.Client, n int, kill func()) {
	createLetters(t, c, &pb.Subscription{EnableMessageOrdering: true})
	l := &letterLedger{t: t}
	for w := range 4 {
		l.keys = append(l.keys, &letterKey{name: fmt.Sprint("key", w), acked: map[int]bool{}, seen: map[int]int{}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for _, k := range l.keys {
		work.Go(func() { l.publish(ctx, c, k) })
	}
	work.Go(func() { l.receive(ctx, c) })
	for range n {
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond) // a random moment
		kill()
	}
	l.stop.Store(true)
	s.Eventually(time.Minute, "every acknowledged message received", l.missing)
	cancel()
	work.Wait()
	acked, received, twice := l.totals()
	t.Logf("%d messages acknowledged in %d kills, %d received, %d more than once", acked, n, received, twice)
	if acked == 0 {
		t.Error("nothing was published")
	}
}

func deleteLetters(t *testing.T, c *pubsub.Client) {
	t.Helper()
	if err := c.SubscriptionAdminClient.DeleteSubscription(t.Context(), &pb.DeleteSubscriptionRequest{Subscription: lettersSub}); err != nil {
		t.Fatal(err)
	}
	if err := c.TopicAdminClient.DeleteTopic(t.Context(), &pb.DeleteTopicRequest{Topic: lettersTopic}); err != nil {
		t.Fatal(err)
	}
}

// letterLedger is what was acknowledged to publishers and what subscribers got.
type letterLedger struct {
	t    *testing.T
	stop atomic.Bool // publish no more
	mu   sync.Mutex
	keys []*letterKey
}

// letterKey is the numbered messages of one ordering key, which has one
// publisher.
type letterKey struct {
	name  string
	acked map[int]bool
	seen  map[int]int
	last  int // the highest number seen
}

// publish sends numbered messages, one after the other.
func (l *letterLedger) publish(ctx context.Context, c *pubsub.Client, k *letterKey) {
	for i := 1; !l.stop.Load(); i++ {
		call, cancel := context.WithTimeout(ctx, 20*time.Second)
		_, err := c.TopicAdminClient.Publish(call, &pb.PublishRequest{Topic: lettersTopic, Messages: []*pb.PubsubMessage{{Data: fmt.Append(nil, i), OrderingKey: k.name}}})
		cancel()
		if err == nil {
			l.mu.Lock()
			k.acked[i] = true
			l.mu.Unlock()
		}
	}
}

func (l *letterLedger) receive(ctx context.Context, c *pubsub.Client) {
	for ctx.Err() == nil {
		err := c.Subscriber(lettersSub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
			l.note(m)
			m.Ack()
		})
		if err != nil && ctx.Err() == nil && gstatus.Code(err) != codes.Unavailable {
			l.t.Error(err)
			return
		}
	}
}

// note takes a message down. One that comes for the first time comes after all
// those of its key that were published before it: what comes again may take
// along those after it, but nothing is passed over.
func (l *letterLedger) note(m *pubsub.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.keys {
		if k.name != m.OrderingKey {
			continue
		}
		var n int
		if _, err := fmt.Sscan(string(m.Data), &n); err != nil {
			l.t.Error(err)
		}
		if k.seen[n] == 0 && n < k.last {
			l.t.Errorf("%s: %d came first after %d", k.name, n, k.last)
		}
		k.seen[n]++
		k.last = max(k.last, n)
	}
}

func (l *letterLedger) missing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.keys {
		for n := range k.acked {
			if k.seen[n] == 0 {
				return fmt.Errorf("%s %d, of %d", k.name, n, len(k.acked))
			}
		}
	}
	return nil
}

func (l *letterLedger) totals() (acked, received, twice int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.keys {
		acked += len(k.acked)
		received += len(k.seen)
		for _, n := range k.seen {
			twice += n - 1
		}
	}
	return acked, received, twice
}
