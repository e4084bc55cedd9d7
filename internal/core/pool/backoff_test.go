package pool

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var b Backoff
	if b.Wait(now) != 0 || !b.Clean(now) {
		t.Error("the zero value holds back")
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		b.Failed(now)
		if got := b.Wait(now); got != want*time.Second {
			t.Errorf("wait = %v, want %v", got, want*time.Second)
		}
	}
	b.Ended(now, LongEnough)
	if b.Wait(now) != 0 {
		t.Error("a long run is held against the program")
	}
	for n, want := range []time.Duration{0, 0, 0, 1, 1} {
		b.Ended(now, time.Second)
		if got := b.Wait(now); got != want*time.Second {
			t.Errorf("after %d quick ends wait = %v, want %v", n+1, got, want*time.Second)
		}
	}
	if !b.Clean(now.Add(time.Minute)) {
		t.Error("failures are never forgotten")
	}
}
