package autoscale

import (
	"math"
	"testing"
	"time"
)

func TestDesired(t *testing.T) {
	base := Policy{Concurrency: 10, Max: 5}
	with := func(change func(*Policy)) Policy {
		p := base
		change(&p)
		return p
	}
	target := with(func(p *Policy) { p.TargetUtil = 0.6 })
	single := Policy{Concurrency: 1, Max: 100}
	const short, long, boot = 5 * time.Millisecond, time.Second, 200 * time.Millisecond
	tests := []struct {
		rule   string
		policy Policy
		seen   Observation
		want   int
	}{
		{"nothing ever", base, Observation{}, 0},
		{"one request needs one", base, Observation{Queued: 1}, 1},
		{"full is still one", base, Observation{InFlight: 10}, 1},
		{"rounds up", base, Observation{InFlight: 10, Queued: 1}, 2},
		{"a burst starts all it needs at once", single, Observation{Queued: 37}, 37},
		{"capped", base, Observation{Queued: 900}, 5},
		{"min is kept", with(func(p *Policy) { p.Min = 2 }), Observation{}, 2},
		{"min does not add to need", with(func(p *Policy) { p.Min = 2 }), Observation{InFlight: 25}, 3},
		{"max wins over min", with(func(p *Policy) { p.Min, p.Max = 4, 2 }), Observation{}, 2},
		{"no max, none", with(func(p *Policy) { p.Max = 0 }), Observation{Queued: 1}, 0},
		{"target scales earlier", target, Observation{InFlight: 7}, 2},
		{"at target is enough", target, Observation{InFlight: 6}, 1},
		{"target above one counts as one", with(func(p *Policy) { p.TargetUtil = 3 }), Observation{InFlight: 11}, 2},
		{"NaN counts as one", with(func(p *Policy) { p.TargetUtil = math.NaN() }), Observation{InFlight: 10}, 1},
		{"concurrency zero counts as one", with(func(p *Policy) { p.Concurrency = 0 }), Observation{InFlight: 3}, 3},
		{"idle ones besides the busy", with(func(p *Policy) { p.MinIdle = 2 }), Observation{InFlight: 3, Busy: 2}, 4},
		{"idle ones besides the needed", with(func(p *Policy) { p.MinIdle = 1 }), Observation{InFlight: 11, Busy: 1}, 3},
		{"idle ones at rest", with(func(p *Policy) { p.MinIdle = 2 }), Observation{}, 2},
		{"idle ones within max", with(func(p *Policy) { p.MinIdle = 9 }), Observation{}, 5},
		{"min counts idle ones in", with(func(p *Policy) { p.Min, p.MinIdle = 3, 1 }), Observation{InFlight: 1, Busy: 1}, 3},
		{"tiny target is one request each", with(func(p *Policy) { p.Concurrency, p.TargetUtil = 1, 0.1 }), Observation{InFlight: 3}, 3},

		{"who is served sooner than an instance starts needs none", single,
			Observation{Ready: 1, InFlight: 1, Queued: 40, Hold: short, Boot: boot}, 1},
		{"who is not needs one that serves several in turn", single,
			Observation{Ready: 1, InFlight: 1, Queued: 80, Hold: short, Boot: boot}, 2},
		{"and so on", single,
			Observation{Ready: 1, InFlight: 1, Queued: 440, Hold: short, Boot: boot}, 11},
		{"who has waited for too long needs one", single,
			Observation{Ready: 1, InFlight: 1, Queued: 40, Overdue: 1, Hold: short, Boot: boot}, 2},
		{"requests that are over before an instance starts need none", target,
			Observation{Ready: 1, InFlight: 9, Hold: short, Boot: boot}, 1},
		{"requests that last need one", target,
			Observation{Ready: 1, InFlight: 9, Hold: long, Boot: boot}, 2},
		{"who waits for those needs one", single,
			Observation{Ready: 1, InFlight: 1, Queued: 3, Hold: long, Boot: boot}, 4},
		{"without an instance nobody is served", single,
			Observation{Starting: 1, Queued: 3, Hold: short, Boot: boot}, 3},

		{"load that lasts", target,
			Observation{Ready: 1, InFlight: 8, Hold: short, Boot: boot, Stable: 8, Panic: 9}, 2},
		{"load that has passed", target,
			Observation{Ready: 1, InFlight: 1, Hold: short, Boot: boot, Stable: 8, Panic: 2}, 1},
		{"load that has doubled", target,
			Observation{Ready: 1, InFlight: 8, Hold: short, Boot: boot, Stable: 2, Panic: 12}, 2},
		{"load that has not", target,
			Observation{Ready: 1, InFlight: 8, Hold: short, Boot: boot, Stable: 2, Panic: 11}, 1},
		{"the past starts nothing for nobody", base,
			Observation{Stable: 30, Panic: 30}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := Desired(tt.policy, tt.seen); got != tt.want {
				t.Errorf("Desired(%+v, %+v) = %d, want %d", tt.policy, tt.seen, got, tt.want)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	base := Policy{Concurrency: 10, Max: 9, Idle: time.Minute}
	with := func(change func(*Policy)) Policy {
		p := base
		change(&p)
		return p
	}
	tests := []struct {
		rule   string
		policy Policy
		seen   Observation
		want   int
	}{
		{"nothing ever", base, Observation{}, 0},
		{"one for the next request", base, Observation{Ready: 3, LastSeen: ago(59 * time.Second)}, 1},
		{"to zero", base, Observation{Ready: 3, LastSeen: ago(time.Minute)}, 0},
		{"what is needed", base, Observation{Ready: 3, InFlight: 11}, 2},
		{"what was needed", base, Observation{Ready: 3, Stable: 11, LastSeen: now}, 2},
		{"a little load keeps none", base, Observation{Ready: 3, Stable: 0.5, LastSeen: ago(time.Minute)}, 0},
		{"all after a panic", base, Observation{Ready: 3, Panicked: true, LastSeen: now}, 3},
		{"min", with(func(p *Policy) { p.Min = 2 }), Observation{Ready: 3}, 2},
		{"idle ones besides the busy", with(func(p *Policy) { p.MinIdle = 2 }), Observation{Ready: 9, InFlight: 3, Busy: 3}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := Keep(tt.policy, tt.seen, now); got != tt.want {
				t.Errorf("Keep(%+v, %+v) = %d, want %d", tt.policy, tt.seen, got, tt.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	base := Policy{Concurrency: 10, Max: 9, MaxIdle: 2}
	with := func(change func(*Policy)) Policy {
		p := base
		change(&p)
		return p
	}
	tests := []struct {
		rule   string
		policy Policy
		seen   Observation
		want   int
	}{
		{"none is max", with(func(p *Policy) { p.MaxIdle = 0 }), Observation{InFlight: 5, Busy: 1}, 9},
		{"at rest", base, Observation{}, 2},
		{"besides the busy", base, Observation{InFlight: 3, Busy: 3}, 5},
		{"besides the needed", base, Observation{InFlight: 25, Busy: 1}, 5},
		{"never below min", with(func(p *Policy) { p.Min = 4 }), Observation{}, 4},
		{"never below min idle", with(func(p *Policy) { p.MinIdle = 3 }), Observation{}, 3},
		{"besides what was needed", base, Observation{Stable: 11}, 4},
		{"none is too many after a panic", base, Observation{Panicked: true}, 9},
		{"never above max", base, Observation{InFlight: 99, Busy: 9}, 9},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := Limit(tt.policy, tt.seen); got != tt.want {
				t.Errorf("Limit(%+v, %+v) = %d, want %d", tt.policy, tt.seen, got, tt.want)
			}
		})
	}
}

func FuzzDesired(f *testing.F) {
	f.Add(1, 0.5, 0, 10, 3, 4, 1, 2, 1, 1, 1.5, 2.5, int64(5), int64(200))
	f.Fuzz(func(t *testing.T, concurrency int, util float64, lo, hi, inFlight, queued, minIdle, maxIdle, busy, ready int, stable, panic float64, hold, boot int64) {
		inFlight, queued = inFlight&0xffff, queued&0xffff
		p := Policy{Concurrency: concurrency & 0xfff, TargetUtil: util, Min: lo & 0xff, Max: hi & 0xff, MinIdle: minIdle & 0xff, MaxIdle: maxIdle & 0xff}
		if !(stable >= 0 && stable < 1e6 && panic >= 0 && panic < 1e6) {
			return
		}
		o := Observation{
			InFlight: inFlight, Queued: queued, Busy: busy & 0xff, Ready: ready & 0xff, Stable: stable, Panic: panic,
			Hold: time.Duration(hold), Boot: time.Duration(boot),
		}
		for what, got := range map[string]int{"Desired": Desired(p, o), "Limit": Limit(p, o)} {
			if got > p.Max || got < min(p.Min, p.Max) {
				t.Errorf("%s(%+v, %+v) = %d: outside min and max", what, p, o, got)
			}
		}
		if Desired(p, o) == 0 && inFlight+queued > 0 && p.Max > 0 {
			t.Errorf("Desired(%+v, %+v) = 0 with requests", p, o)
		}
		if got := Keep(p, o, time.Unix(0, 0)); got > p.Max {
			t.Errorf("Keep(%+v, %+v) = %d", p, o, got)
		}
	})
}

func BenchmarkDesired(b *testing.B) {
	p := Policy{Concurrency: 80, TargetUtil: 0.6, Max: 100, Idle: time.Minute}
	for b.Loop() {
		Desired(p, Observation{InFlight: 70, Queued: 3, Ready: 1, Hold: time.Millisecond, Boot: time.Second})
	}
}
