package autoscale

import (
	"math"
	"testing"
	"time"
)

func TestDesired(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	base := Policy{Concurrency: 10, Max: 5, Idle: time.Minute}
	with := func(change func(*Policy)) Policy {
		p := base
		change(&p)
		return p
	}
	tests := []struct {
		rule   string
		policy Policy
		sample Sample
		want   int
	}{
		{"nothing ever", base, Sample{}, 0},
		{"one request needs one", base, Sample{Queued: 1, LastSeen: now}, 1},
		{"full is still one", base, Sample{InFlight: 10, LastSeen: now}, 1},
		{"rounds up", base, Sample{InFlight: 10, Queued: 1, LastSeen: now}, 2},
		{"capped", base, Sample{Queued: 900, LastSeen: now}, 5},
		{"kept warm", base, Sample{LastSeen: ago(59 * time.Second)}, 1},
		{"to zero", base, Sample{LastSeen: ago(time.Minute)}, 0},
		{"min is kept", with(func(p *Policy) { p.Min = 2 }), Sample{}, 2},
		{"min does not add to need", with(func(p *Policy) { p.Min = 2 }), Sample{InFlight: 25, LastSeen: now}, 3},
		{"max wins over min", with(func(p *Policy) { p.Min, p.Max = 4, 2 }), Sample{}, 2},
		{"no max, none", with(func(p *Policy) { p.Max = 0 }), Sample{Queued: 1, LastSeen: now}, 0},
		{"target scales earlier", with(func(p *Policy) { p.TargetUtil = 0.6 }), Sample{InFlight: 7, LastSeen: now}, 2},
		{"at target is enough", with(func(p *Policy) { p.TargetUtil = 0.6 }), Sample{InFlight: 6, LastSeen: now}, 1},
		{"target above one counts as one", with(func(p *Policy) { p.TargetUtil = 3 }), Sample{InFlight: 11, LastSeen: now}, 2},
		{"NaN counts as one", with(func(p *Policy) { p.TargetUtil = math.NaN() }), Sample{InFlight: 10, LastSeen: now}, 1},
		{"concurrency zero counts as one", with(func(p *Policy) { p.Concurrency = 0 }), Sample{InFlight: 3, LastSeen: now}, 3},
		{"idle ones besides the busy", with(func(p *Policy) { p.MinIdle = 2 }), Sample{InFlight: 3, Busy: 2, LastSeen: now}, 4},
		{"idle ones besides the needed", with(func(p *Policy) { p.MinIdle = 1 }), Sample{InFlight: 11, Busy: 1, LastSeen: now}, 3},
		{"idle ones at rest", with(func(p *Policy) { p.MinIdle = 2 }), Sample{}, 2},
		{"idle ones within max", with(func(p *Policy) { p.MinIdle = 9 }), Sample{}, 5},
		{"min counts idle ones in", with(func(p *Policy) { p.Min, p.MinIdle = 3, 1 }), Sample{InFlight: 1, Busy: 1}, 3},
		{"tiny target is one request each", with(func(p *Policy) { p.Concurrency, p.TargetUtil = 1, 0.1 }), Sample{InFlight: 3, LastSeen: now}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := Desired(tt.policy, tt.sample, now); got != tt.want {
				t.Errorf("Desired(%+v, %+v) = %d, want %d", tt.policy, tt.sample, got, tt.want)
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
		sample Sample
		want   int
	}{
		{"none is max", with(func(p *Policy) { p.MaxIdle = 0 }), Sample{InFlight: 5, Busy: 1}, 9},
		{"at rest", base, Sample{}, 2},
		{"besides the busy", base, Sample{InFlight: 3, Busy: 3}, 5},
		{"besides the needed", base, Sample{InFlight: 25, Busy: 1}, 5},
		{"never below min", with(func(p *Policy) { p.Min = 4 }), Sample{}, 4},
		{"never below min idle", with(func(p *Policy) { p.MinIdle = 3 }), Sample{}, 3},
		{"never above max", base, Sample{InFlight: 99, Busy: 9}, 9},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := Limit(tt.policy, tt.sample); got != tt.want {
				t.Errorf("Limit(%+v, %+v) = %d, want %d", tt.policy, tt.sample, got, tt.want)
			}
		})
	}
}

func FuzzDesired(f *testing.F) {
	f.Add(1, 0.5, 0, 10, 3, 4, 1, 2, 1)
	f.Fuzz(func(t *testing.T, concurrency int, util float64, lo, hi, inFlight, queued, minIdle, maxIdle, busy int) {
		inFlight, queued = inFlight&0xffff, queued&0xffff
		p := Policy{Concurrency: concurrency & 0xfff, TargetUtil: util, Min: lo & 0xff, Max: hi & 0xff, MinIdle: minIdle & 0xff, MaxIdle: maxIdle & 0xff}
		sample := Sample{InFlight: inFlight, Queued: queued, Busy: busy & 0xff}
		got := Desired(p, sample, time.Unix(0, 0))
		if limit := Limit(p, sample); got > limit {
			t.Errorf("Desired(%+v, %+v) = %d, and %d are too many", p, sample, got, limit)
		}
		if got < min(p.Min, p.Max) || got > p.Max {
			t.Errorf("Desired(%+v) = %d: outside min and max", p, got)
		}
		if got == 0 && inFlight+queued > 0 && p.Max > 0 {
			t.Errorf("Desired(%+v) = 0 with %d requests", p, inFlight+queued)
		}
	})
}

func BenchmarkDesired(b *testing.B) {
	p := Policy{Concurrency: 80, TargetUtil: 0.6, Max: 100, Idle: time.Minute}
	now := time.Unix(1000, 0)
	for b.Loop() {
		Desired(p, Sample{InFlight: 70, Queued: 3, LastSeen: now}, now)
	}
}
