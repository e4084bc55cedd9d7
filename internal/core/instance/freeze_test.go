package instance_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
)

// TestLongSleepersAreMovedToSwap: once for a sleep, not before it is a long one, and
// only while memory is wanted.
func TestLongSleepersAreMovedToSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		after := func(d time.Duration, want int, why string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := w.engine.Boxes()[0].PageOuts(); got != want {
				t.Errorf("%s: moved out %d times, want %d", why, got, want)
			}
		}
		after(5*time.Minute, 0, "there is memory enough")
		w.crowded.Store(true)
		after(30*time.Second, 1, "it is crowded")
		after(time.Hour, 1, "the same sleep")
		if _, err := i.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		i.Leave()
		after(55*time.Second, 1, "a short sleep")
		after(30*time.Second, 2, "another long sleep")
	})
}
