package storetest

import (
	"math/rand/v2"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// pubsubMany is messages that came in batches of all sizes, with gaps where nobody
// wanted them, read and removed from anywhere.
func pubsubMany(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic := makeTopic(t, s, "letters")
	random := rand.New(rand.NewPCG(1, 2))
	var all []pubsub.Stored
	next := int64(1)
	for range 12 {
		n := []int64{1, 2, 40, 700}[random.IntN(4)]
		a := pubsub.Append{Topic: topic.Number, Messages: written(topic, next, next+n), Next: next + n}
		all, next = append(all, a.Messages...), next+n
		if random.IntN(3) == 0 {
			next += 5
			a.Next = next
		}
		must(t, s.Commit(ctx, &pubsub.Batch{Appends: []pubsub.Append{a}}))
	}
	// after returns those of all from a number on, at most n.
	after := func(seq int64, n int) []pubsub.Stored {
		for i := range all {
			if all[i].Seq >= seq {
				return all[i:min(i+n, len(all))]
			}
		}
		return nil
	}
	for len(all) > 0 {
		for range 10 {
			from, n := random.Int64N(next+2), 1+random.IntN(600)
			got, err := s.Read(ctx, topic.Number, from, n, 1<<20)
			must(t, err)
			wantSame(t, got, after(from, n))
			got, err = s.Read(ctx, topic.Number, from, n, 3) // messages have two to five bytes
			must(t, err)
			if want := after(from, n); len(want) > 0 && (len(got) == 0 || len(got) > 2 || got[0].Seq != want[0].Seq) {
				t.Fatalf("%d messages from %d, want one or two", len(got), from)
			}
			since, err := s.FirstSince(ctx, topic.Number, at(int(from)))
			must(t, err)
			want := next
			if found := after(from, 1); len(found) > 0 {
				want = found[0].Seq
			}
			if since != want {
				t.Fatalf("first since that of %d is %d, want %d", from, since, want)
			}
		}
		before, limit := all[0].Seq+random.Int64N(next), 1+random.IntN(500)
		n, err := s.Trim(ctx, topic.Number, before, limit)
		must(t, err)
		want := 0
		for want < len(all) && want < limit && all[want].Seq < before {
			want++
		}
		if n != want {
			t.Fatalf("trimmed %d before %d, want %d", n, before, want)
		}
		all = all[n:]
	}
	names, err := s.Backlogged(ctx)
	must(t, err)
	wantSame(t, names, []string(nil))
}
