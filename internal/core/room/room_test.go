package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const mib = 1 << 20

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// ask asks n times and returns the verdicts as a word.
func ask(r *Room, key string, n int, limit int64, m Machine) string {
	out := ""
	for range n {
		out += [...]string{Wait: "w", Go: "g", Refuse: "r"}[r.Ask(noon, key, limit, m)]
	}
	return out
}

func TestWithoutLimitsEverythingGoes(t *testing.T) {
	r := New(Options{})
	if got := ask(r, "a", 50, 0, Machine{}); got != "gggggggggggggggggggggggggggggggggggggggggggggggggg" {
		t.Errorf("verdicts = %s", got)
	}
}

func TestBootsAreBoundByCores(t *testing.T) {
	r, m := New(Options{}), Machine{Cores: 2, At: noon}
	if got := ask(r, "a", 6, 0, m); got != "ggggww" {
		t.Errorf("verdicts = %s, want four boots on two cores", got)
	}
	if got := r.Next(noon, m, true); got != (Step{Waiting: true}) {
		t.Errorf("next = %+v, want to wait", got)
	}
	r.Booted("a", 0)
	if got := r.Next(noon, m, true); got.Start != "a" {
		t.Errorf("next = %+v, want a start after a boot was over", got)
	}
	later := noon.Add(longBoot)
	if got := r.Next(later, m, true); got.Start != "a" {
		t.Errorf("next = %+v, want a start: the others wait for something", got)
	}
}

func TestIdleCoresBootMore(t *testing.T) {
	r, m := New(Options{}), Machine{Cores: 1, At: noon, Idle: 0.9}
	ask(r, "a", 5, 0, m)
	if got := r.Next(noon, m, true); got != (Step{Waiting: true}) {
		t.Errorf("next = %+v, want to wait for a look at the machine", got)
	}
	m.At = noon.Add(50 * time.Millisecond)
	now := m.At
	if got := r.Next(now, m, true); got.Start != "a" {
		t.Errorf("next = %+v, want one more on an idle core", got)
	}
	if got := r.Next(now, m, true); got != (Step{Waiting: true}) {
		t.Errorf("next = %+v, want one with each look", got)
	}
}

func TestAFloodDoesNotKeepOthersOut(t *testing.T) {
	r, m := New(Options{}), Machine{Cores: 2, At: noon}
	ask(r, "flood", 100, 0, m)
	for n := range 8 {
		ask(r, fmt.Sprint("first", n), 1, 0, m)
	}
	var order []string
	booting := []string{"flood", "flood", "flood", "flood"}
	for range 10 {
		r.Booted(booting[len(order)], 0) // the oldest
		got := r.Next(noon, m, true)
		if got.Start == "" {
			t.Fatalf("after %v: %+v", order, got)
		}
		order = append(order, got.Start)
		booting = append(booting, got.Start)
	}
	want := []string{"first0", "first1", "first2", "first3", "first4", "first5", "first6", "first7"}
	if got := slices.DeleteFunc(slices.Clone(order), func(s string) bool { return s == "flood" }); !slices.Equal(got, want) {
		t.Errorf("order = %v, want those without an instance in the order of arrival", order)
	}
	if n := slices.Index(order, "flood"); n < 1 || n > 4 {
		t.Errorf("order = %v, want the flood served now and then", order)
	}
}

func TestMemoryIsEstimated(t *testing.T) {
	r := New(Options{MaxMemory: 300 * mib})
	if got := ask(r, "a", 4, 400*mib, Machine{}); got != "gggw" { // a quarter of the limit each
		t.Errorf("verdicts = %s, want three of 100 MiB in 300", got)
	}
	for range 3 {
		r.Booted("a", 40*mib)
	}
	if r.Taken() != 150*mib {
		t.Errorf("taken = %d MiB, want 3 times 40 and a quarter", r.Taken()/mib)
	}
	if got := r.Next(noon, Machine{}, false); got.Start != "a" {
		t.Errorf("next = %+v, want a start", got)
	}
	for range 4 {
		r.Ended("a", false)
	}
	if got := ask(r, "a", 7, 400*mib, Machine{}); got != "ggggggw" {
		t.Errorf("verdicts = %s, want what was seen to be remembered", got)
	}
}

func TestTheMachinesMemory(t *testing.T) {
	r := New(Options{Reserve: 100 * mib})
	m := Machine{Known: true, Free: 350 * mib}
	if got := ask(r, "a", 4, 400*mib, m); got != "ggww" {
		t.Errorf("verdicts = %s, want two of 100 MiB above the reserve", got)
	}
	m.Free = 500 * mib
	m.Thrash = true
	if got := r.Next(noon, m, false); got.Start != "" {
		t.Error("an instance was started while programs wait for memory")
	}
	m.Thrash = false
	if got := r.Next(noon, m, false); got.Start != "a" {
		t.Errorf("next = %+v, want a start", got)
	}
}

func TestTheFirstOfAllIsNotHeldBack(t *testing.T) {
	r := New(Options{MaxMemory: mib})
	if got := ask(r, "a", 2, 0, Machine{}); got != "gw" {
		t.Errorf("verdicts = %s", got)
	}
}

func TestIdleInstancesMakeRoom(t *testing.T) {
	r := New(Options{MaxMemory: 250 * mib})
	ask(r, "idle", 2, 400*mib, Machine{})
	r.Booted("idle", 0)
	r.Booted("idle", 0)
	ask(r, "a", 1, 400*mib, Machine{})
	if got := r.Next(noon, Machine{}, true); got != (Step{Victim: true}) {
		t.Fatalf("next = %+v, want a victim", got)
	}
	r.Leaving("idle")
	if got := r.Next(noon, Machine{}, true); got != (Step{Waiting: true}) {
		t.Fatalf("next = %+v, want to wait for the victim", got)
	}
	r.Ended("idle", true)
	if got := r.Next(noon, Machine{}, true); got.Start != "a" {
		t.Fatalf("next = %+v, want a start", got)
	}
}

func TestWithoutRoomStartsAreRefusedInTime(t *testing.T) {
	r := New(Options{MaxMemory: 100 * mib, Patience: 10 * time.Second})
	ask(r, "a", 1, 400*mib, Machine{})
	ask(r, "b", 3, 400*mib, Machine{})
	if got := r.Next(noon, Machine{}, false); got != (Step{Waiting: true}) {
		t.Errorf("next = %+v", got)
	}
	if got := r.Next(noon.Add(10*time.Second), Machine{}, false); got != (Step{Refuse: "b", N: 3}) {
		t.Errorf("next = %+v, want the refusal of b", got)
	}
	if got := r.Next(noon.Add(10*time.Second), Machine{}, false); got != (Step{}) {
		t.Errorf("next = %+v, want nothing", got)
	}
}

// Whatever happens, the sums are right and nobody is forgotten.
func TestRandom(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		r := New(Options{MaxMemory: int64(200+rnd.IntN(400)) * mib, MaxLine: 5})
		m := Machine{Cores: 1 + rnd.IntN(3)}
		now := noon
		booting, live, waits := []string{}, []string{}, map[string]int{}
		take := func(from *[]string) string {
			i := rnd.IntN(len(*from))
			key := (*from)[i]
			*from = slices.Delete(*from, i, i+1)
			return key
		}
		for range 500 {
			now = now.Add(time.Duration(rnd.IntN(2000)) * time.Millisecond)
			switch n := rnd.IntN(10); {
			case n < 4:
				key := string(rune('a' + rnd.IntN(8)))
				switch r.Ask(now, key, 200*mib, m) {
				case Go:
					booting = append(booting, key)
				case Wait:
					waits[key]++
				}
			case n < 6 && len(booting) > 0:
				key := take(&booting)
				r.Booted(key, int64(rnd.IntN(60))*mib)
				live = append(live, key)
			case n < 7 && len(live) > 0:
				key, left := take(&live), rnd.IntN(2) == 0
				if left {
					r.Leaving(key)
				}
				r.Ended(key, left)
			default:
				step := r.Next(now, m, false)
				if step.Start != "" {
					waits[step.Start]--
					booting = append(booting, step.Start)
				}
				if step.Refuse != "" {
					waits[step.Refuse] -= step.N
				}
			}
			var taken, promised int64
			for _, key := range booting {
				taken += r.uses[key].estimate()
				promised += r.uses[key].estimate()
			}
			for _, key := range live {
				taken += r.uses[key].estimate()
			}
			if taken != r.taken || promised != r.promised || r.leaving != 0 || len(booting) != r.Boots() {
				t.Fatalf("seed %d: taken %d, promised %d, leaving %d, boots %d; want %d, %d, 0, %d", seed, r.taken, r.promised, r.leaving, r.Boots(), taken, promised, len(booting))
			}
			for key, n := range waits {
				u := r.uses[key]
				if n > 0 && (u == nil || u.wants != n || !slices.Contains(r.lineOf(u).q, u)) {
					t.Fatalf("seed %d: %s waits for %d, and the room knows %+v", seed, key, n, u)
				}
			}
		}
	}
}
