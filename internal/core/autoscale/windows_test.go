package autoscale

import (
	"math"
	"testing"
	"time"
)

// near leaves the bucket that is being filled out of account: a sixth of the
// panic window, a sixtieth of the other.
func near(a, b, part float64) bool { return math.Abs(a-b) < 0.01+part*math.Abs(b) }

func TestWindows(t *testing.T) {
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var w Windows
	check := func(what string, stable, panic float64, hold time.Duration) {
		t.Helper()
		if !near(w.Stable(), stable, 0.02) || !near(w.Panic(), panic, 0.2) || !near(w.Hold().Seconds(), hold.Seconds(), 0) {
			t.Errorf("%s: stable %.2f, panic %.2f, hold %v; want %.2f, %.2f, %v", what, w.Stable(), w.Panic(), w.Hold(), stable, panic, hold)
		}
	}
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	check("nothing seen", 0, 0, 0)
	w.Observe(at(0), 0)
	for range 12 {
		w.Arrived()
	}
	w.Observe(at(3*time.Second), 12)
	check("twelve requests for three seconds", 0.6, 6, 0)
	for range 12 {
		w.Done()
	}
	w.Observe(at(3*time.Second), 12)
	check("and they are over", 0.6, 6, 3*time.Second)
	w.Observe(at(9*time.Second), 0)
	check("a while later", 0.6, 0, 3*time.Second)
	w.Observe(at(59*time.Second), 0)
	check("a minute later", 0.6, 0, 3*time.Second)
	w.Observe(at(64*time.Second), 0)
	check("forgotten", 0, 0, 0)
	w.Observe(at(24*time.Hour), 2)
	check("two that lasted a day", 2, 2, 0)
}

// Requests that no slot was there for are load all the same.
func TestWindowsCountWhoWaits(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var w Windows
	w.Observe(now, 1)
	for range 600 { // of a second each, one at a time: 10 come in the time of one
		for range 10 {
			w.Arrived()
		}
		now = now.Add(time.Second)
		w.Observe(now, 1)
		w.Done()
	}
	if !near(w.Hold().Seconds(), 1, 0.02) || !near(w.Stable(), 10, 0.05) || !near(w.Panic(), 10, 0.2) {
		t.Errorf("hold %v, stable %.2f, panic %.2f; want 1s, 10, 10", w.Hold(), w.Stable(), w.Panic())
	}
}

func BenchmarkObserve(b *testing.B) {
	var w Windows
	now := time.Unix(1e9, 0)
	for b.Loop() {
		now = now.Add(time.Millisecond)
		w.Observe(now, 7)
	}
}
