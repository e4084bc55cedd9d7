package agenda_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/agenda"
)

func at(n int) time.Time { return time.Unix(int64(n), 0) }

func TestEarliestFirst(t *testing.T) {
	a := agenda.New[int]()
	entries := make([]agenda.Entry[int], 200)
	due := map[int]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n, when := r.IntN(len(entries)), r.IntN(1000)
		entries[n].Item = n
		if old, planned := due[n]; r.IntN(2) == 0 {
			a.Move(&entries[n], at(when))
			due[n] = when
		} else {
			a.Latest(&entries[n], at(when))
			if !planned || when < old {
				due[n] = when
			}
		}
	}
	for now := range 1001 {
		for {
			n, ok, next := a.Take(at(now))
			if !ok {
				if !next.IsZero() && !next.After(at(now)) {
					t.Fatalf("nothing is due at %d, but the next is at %v", now, next)
				}
				break
			}
			if due[n] != now {
				t.Errorf("%d came at %d, want %d", n, now, due[n])
			}
			delete(due, n)
		}
	}
	if len(due) > 0 {
		t.Errorf("%d never came", len(due))
	}
}

func TestWake(t *testing.T) {
	a := agenda.New[string]()
	woken := func() bool {
		select {
		case <-a.Wake():
			return true
		default:
			return false
		}
	}
	x, y := agenda.Entry[string]{Item: "x"}, agenda.Entry[string]{Item: "y"}
	a.Move(&x, at(10))
	if !woken() {
		t.Error("the first entry does not wake")
	}
	a.Move(&y, at(20))
	a.Latest(&x, at(30))
	if woken() {
		t.Error("what is not first wakes")
	}
	a.Latest(&y, at(5))
	if !woken() {
		t.Error("a new first does not wake")
	}
}
