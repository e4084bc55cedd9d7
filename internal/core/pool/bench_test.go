package pool

import (
	"fmt"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// full returns a pool with n instances that have a request each.
func full(n, concurrency int) *Pool {
	p := New(Config{
		Policy:   autoscale.Policy{Concurrency: concurrency, Max: n, Idle: time.Minute},
		MaxQueue: 1 << 20, QueueTimeout: time.Minute,
	})
	now := time.Unix(1e9, 0)
	for i := range n {
		p.Adopt(now)
		p.Started(now, &Member{ID: fmt.Sprint("rev-", i), Since: now})
	}
	for range n {
		p.enter(now, p.free.loads[0].first)
	}
	return p
}

func BenchmarkTakeAndRelease(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, now := full(n, 80), time.Unix(1e9, 0)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Millisecond)
				p.Release(now, p.Take(now, ""))
			}
		})
	}
}

// BenchmarkQueue is a request that waits behind a thousand others, leaves, and
// one that gets a slot.
func BenchmarkQueue(b *testing.B) {
	p, now := full(1000, 1), time.Unix(1e9, 0)
	for range 1000 {
		_ = p.Queue(now, &Waiter{})
	}
	var w, gone Waiter
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.Queue(now, &gone), p.Queue(now, &w)
		p.Abandon(now, &gone)
		p.Release(now, p.members[0])
		p.Actions()
	}
}
