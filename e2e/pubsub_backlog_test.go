//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// many is n in torture, else few.
func many(few, n int) int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return n
	}
	return few
}

// TestPubSubBacklog: a backlog larger than what is kept in memory comes through ten
// consumers at once: every message, in the order of its key, hardly any twice.
func TestPubSubBacklog(t *testing.T) {
	t.Parallel()
	const keys, consumers = 100, 10
	total := many(30_000, 1_000_000)
	s := platform.Start(t)
	c := pubsubClient(t, s)
	createLetters(t, c, &pb.Subscription{EnableMessageOrdering: true, AckDeadlineSeconds: 60})
	l := &backlog{t: t, last: make([]int, keys), left: total}
	before := s.Memory()
	begin := time.Now()
	l.fill(c, total/keys)
	published := time.Since(begin)
	filled := s.Memory()

	begin = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	l.done = cancel
	var all sync.WaitGroup
	most := filled
	for range consumers {
		all.Go(func() {
			sub := c.Subscriber(lettersSub)
			sub.ReceiveSettings.NumGoroutines = 1
			if err := sub.Receive(ctx, l.note); err != nil {
				t.Error(err)
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			most = max(most, s.Memory())
			time.Sleep(100 * time.Millisecond) // a look now and then
		}
	})
	all.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d messages published in %v, received in %v, %d more than once; memory %d MiB, with the backlog %d MiB, at most %d MiB",
		total, published.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), l.twice, before>>20, filled>>20, most>>20)
	if l.left > 0 {
		t.Errorf("%d messages did not come", l.left)
	}
	if l.twice > total/1000 {
		t.Errorf("%d of %d messages came more than once", l.twice, total)
	}
	if grown := max(filled, most) - before; grown > 256<<20 {
		t.Errorf("the server grew by %d MiB", grown>>20)
	}
}

// backlog is what was published and has come.
type backlog struct {
	t     *testing.T
	done  func() // all have come
	mu    sync.Mutex
	last  []int // number of the last message, by key
	left  int
	twice int
}

// fill publishes numbered messages of 1 KiB, each key's in order.
func (l *backlog) fill(c *pubsub.Client, each int) {
	l.t.Helper()
	const batch = 100
	group, ctx := errgroup.WithContext(l.t.Context())
	group.SetLimit(16)
	for k := range l.last {
		group.Go(func() error {
			for from := 1; from <= each; from += batch {
				r := &pb.PublishRequest{Topic: lettersTopic}
				for n := from; n < min(from+batch, each+1); n++ {
					data := append(fmt.Appendf(nil, "%d %d ", k, n), bytes.Repeat([]byte("x"), 1<<10)...)
					r.Messages = append(r.Messages, &pb.PubsubMessage{OrderingKey: fmt.Sprint("key", k), Data: data})
				}
				if _, err := c.TopicAdminClient.Publish(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *backlog) note(_ context.Context, m *pubsub.Message) {
	var k, n int
	if _, err := fmt.Sscan(string(m.Data[:20]), &k, &n); err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	switch {
	case n <= l.last[k]:
		l.twice++
	case n == l.last[k]+1:
		l.last[k] = n
		l.left--
	default:
		l.t.Errorf("key %d: %d came after %d", k, n, l.last[k])
		l.last[k] = n
	}
	left := l.left
	l.mu.Unlock()
	m.Ack()
	if left == 0 {
		time.AfterFunc(time.Second, l.done) // what comes again would come now
	}
}
