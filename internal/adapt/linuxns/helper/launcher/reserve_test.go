package launcher

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

func TestPlan(t *testing.T) {
	now := time.Unix(1e9, 0)
	app := ipc.Kind{Seccomp: "app"}
	for _, tt := range []struct {
		name            string
		ready           int
		age, used, last time.Duration // before now
		wanted, closed  bool
		failed          time.Duration // before now; 0: never
		drop            int
		make            bool
		wait            time.Duration // 0: not looked at
		forgotten       bool
	}{
		{name: "fills up", ready: 3, used: time.Minute, last: time.Minute, make: true},
		{name: "is full", ready: 4, used: time.Minute, last: time.Minute},
		{name: "waits for the program that boots", ready: 3, used: 100 * time.Millisecond, last: 100 * time.Millisecond, wait: 200 * time.Millisecond},
		{name: "waits after a failure", ready: 3, used: time.Minute, last: time.Minute, failed: 20 * time.Second, wait: 40 * time.Second},
		{name: "keeps one when nobody comes", ready: 4, used: reserveBusy, last: reserveBusy, drop: 3},
		{name: "keeps none after a day", ready: 1, used: reserveRest, last: reserveRest, drop: 1, forgotten: true},
		{name: "keeps what the server wants", ready: 1, used: reserveRest, last: reserveRest, wanted: true},
		{name: "renews what is old", ready: 4, age: reserveAge, used: time.Minute, last: time.Minute, drop: 4, make: true},
		{name: "gives all back", ready: 4, used: time.Minute, last: time.Minute, closed: true, drop: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReserve(4, nil, nil)
			r.last, r.closed = now.Add(-tt.last), tt.closed
			if tt.failed > 0 {
				r.failed = now.Add(-tt.failed)
			}
			s := r.stockOf(app)
			s.used, s.wanted = now.Add(-tt.used), tt.wanted
			for range tt.ready {
				s.ready = append(s.ready, &prepared{born: now.Add(-tt.age)})
			}
			got := r.plan(now)
			if len(got.drop) != tt.drop || (got.make != nil) != tt.make || got.over != tt.closed {
				t.Errorf("drop %d, make %v, over %v; want %d, %v, %v", len(got.drop), got.make != nil, got.over, tt.drop, tt.make, tt.closed)
			}
			if tt.wait > 0 && got.wait != tt.wait {
				t.Errorf("wait %v, want %v", got.wait, tt.wait)
			}
			if _, there := r.stocks[app]; there == (tt.forgotten || tt.closed) {
				t.Errorf("kind is known: %v", there)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	var r ranges
	seen := map[int]bool{}
	for range lentCount {
		base := r.lend()
		if base%rangeSize != 0 || base < firstLent || base+rangeSize > 1<<31 || seen[base] {
			t.Fatalf("lent %d", base)
		}
		seen[base] = true
	}
	if base := r.lend(); base != 0 {
		t.Errorf("lent %d, all were lent", base)
	}
	r.giveBack(firstLent + 5*rangeSize)
	r.giveBack(0)
	if base := r.lend(); base != firstLent+5*rangeSize {
		t.Errorf("lent %d, not what was given back", base)
	}
}
