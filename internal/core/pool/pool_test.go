package pool

import (
	"fmt"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// play drives a pool whose instances start when the test says so.
type play struct {
	t      *testing.T
	p      *Pool
	now    time.Time
	starts int
	ended  []*Member
	n      int
}

func newPlay(t *testing.T, change func(*Config)) *play {
	c := Config{
		Policy:   autoscale.Policy{Concurrency: 1, Max: 20, Idle: 15 * time.Minute},
		MaxQueue: 1000, QueueTimeout: time.Minute, StartLimit: 75 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	return &play{t: t, p: New(c), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func (y *play) settle() {
	for _, act := range y.p.Actions() {
		switch {
		case act.Start != 0:
			y.starts++
		case act.Stop != nil:
			y.ended = append(y.ended, act.Stop)
		}
	}
	for ; len(y.ended) > 0; y.ended = y.ended[1:] {
		y.p.Ended(y.now, y.ended[0])
	}
}

// pass lets time pass, with the ticks that fall due.
func (y *play) pass(d time.Duration) {
	end := y.now.Add(d)
	for due := y.p.Due(); !due.IsZero() && !due.After(end); due = y.p.Due() {
		if due.After(y.now) {
			y.now = due
		}
		y.p.Tick(y.now)
		y.settle()
	}
	y.now = end
}

// boot lets all starts succeed after a time.
func (y *play) boot(took time.Duration) {
	y.pass(took)
	for ; y.starts > 0; y.starts-- {
		y.n++
		y.p.Started(y.now, &Member{ID: fmt.Sprint("rev-", y.n), Since: y.now, Boot: took})
	}
	y.settle()
}

// ask is a request that comes.
func (y *play) ask() (*Member, *Waiter) {
	if m := y.p.Take(y.now, ""); m != nil {
		y.settle()
		return m, nil
	}
	w := &Waiter{}
	if err := y.p.Queue(y.now, w); err != nil {
		y.t.Fatal(err)
	}
	y.settle()
	return nil, w
}

func (y *play) done(m *Member) {
	y.p.Release(y.now, m)
	y.settle()
}

// short makes requests of 5 ms, one after the other, to an instance that took 200
// ms to start.
func short(y *play) {
	_, w := y.ask()
	y.boot(200 * time.Millisecond)
	y.done(w.Member)
	for range 100 {
		m, _ := y.ask()
		y.pass(5 * time.Millisecond)
		y.done(m)
	}
}

func TestWhoIsServedSoonStartsNothing(t *testing.T) {
	y := newPlay(t, nil)
	short(y)
	for range 20 {
		y.ask()
	}
	if y.starts != 0 {
		t.Errorf("%d starts for 20 requests of 5 ms, want none", y.starts)
	}
	for range 60 {
		y.ask()
	}
	if y.starts != 1 {
		t.Errorf("%d starts for 80 requests of 5 ms, want 1", y.starts)
	}
}

// TestWhoHasWaitedLongerThanAStartStartsOne: requests have become longer than
// anybody foresaw.
func TestWhoHasWaitedLongerThanAStartStartsOne(t *testing.T) {
	y := newPlay(t, nil)
	short(y)
	for range 9 {
		y.ask()
	}
	y.pass(199 * time.Millisecond)
	if y.starts != 0 {
		t.Errorf("%d starts before the wait was as long as a start takes", y.starts)
	}
	for _, want := range []int{1, 2, 4} { // as many again as there are
		y.pass(time.Millisecond)
		if y.starts != want {
			t.Fatalf("%d starts for who waits, want %d", y.starts, want)
		}
		y.boot(200 * time.Millisecond)
	}
}

func TestMaxPendingStartsAnother(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.MaxPending = time.Second })
	short(y)
	y.ask()
	y.ask()
	y.pass(999 * time.Millisecond)
	if y.starts != 0 {
		t.Error("an instance was started for requests that are short")
	}
	y.pass(time.Millisecond)
	if y.starts != 1 {
		t.Errorf("%d starts for a request that has waited for max_pending_latency, want 1", y.starts)
	}
}

func TestOneLongRequestStartsOneInstance(t *testing.T) {
	y := newPlay(t, nil)
	load(y, 1, time.Minute)
	load(y, 2, time.Minute)
	if n := y.p.Members(); n != 2 {
		t.Errorf("%d instances for two requests, want 2", n)
	}
}

func TestRequestsThatLastStartAnother(t *testing.T) {
	y := newPlay(t, nil)
	_, w := y.ask()
	y.boot(200 * time.Millisecond)
	for range 20 {
		y.pass(time.Second)
		y.done(w.Member)
		w.Member, _ = y.ask()
	}
	for range 3 {
		y.ask()
	}
	if y.starts != 3 {
		t.Errorf("%d starts for 3 who wait for requests of a second, want 3", y.starts)
	}
}

// load holds n slots for a time.
func load(y *play, n int, d time.Duration) {
	var held []*Waiter
	for range n {
		m, w := y.ask()
		if w == nil {
			w = &Waiter{Member: m}
		}
		held = append(held, w)
	}
	y.boot(0)
	y.pass(d)
	for _, w := range held {
		y.done(w.Member)
	}
}

func TestTheStableWindowKeepsWhatWasNeeded(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.Idle = time.Second })
	load(y, 4, 10*time.Minute)
	y.p.calmAt = time.Time{}
	y.pass(5 * time.Second)
	if n := y.p.Members(); n != 4 {
		t.Errorf("%d instances right after ten minutes of load, want 4", n)
	}
	y.pass(30 * time.Second)
	if n := y.p.Members(); n < 2 || n > 3 {
		t.Errorf("%d instances half a minute later, want 2 or 3", n)
	}
	y.pass(40 * time.Second)
	if n := y.p.Members(); n != 0 || !y.p.AtRest(y.now) {
		t.Errorf("%d instances when the minute has passed, want none", n)
	}
}

func TestALowerMaximumEndsWhatIsIdle(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.Idle = time.Hour })
	load(y, 2, time.Minute)
	if n := y.p.Members(); n < 2 {
		t.Fatalf("%d instances under load, want 2 at least", n)
	}
	y.p.Limit(y.now, 0)
	y.pass(time.Minute)
	if n := y.p.Members(); n != 0 {
		t.Errorf("%d instances a minute after the maximum became 0", n)
	}
}

// flow makes so many requests of 5 ms every 5 ms; an instance boots in 200.
func flow(y *play, each int, d time.Duration) {
	var held []*Waiter
	for n := range int(d / (5 * time.Millisecond)) {
		var rest, over []*Waiter
		for _, w := range held {
			if w.Member == nil {
				rest = append(rest, w)
			} else {
				over = append(over, w)
			}
		}
		for _, w := range over {
			y.done(w.Member)
		}
		held = rest
		for range each {
			m, w := y.ask()
			if w == nil {
				w = &Waiter{Member: m}
			}
			held = append(held, w)
		}
		y.pass(5 * time.Millisecond)
		if n%40 == 39 {
			starts := y.starts
			y.boot(0)
			if starts > 0 {
				y.p.boot = 200 * time.Millisecond
			}
		}
	}
	for _, w := range held {
		y.p.Abandon(y.now, w)
	}
	y.settle()
}

func TestLoadThatMultipliesGetsWhatItNeeds(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.Idle = time.Second })
	short(y)
	flow(y, 6, 10*time.Second)
	if n := y.p.Members(); n < 6 || n > 12 || y.p.Queued() > 0 {
		t.Fatalf("%d instances and %d who wait for six requests of 5 ms every 5 ms, want 6 or a few more", n, y.p.Queued())
	}
}

// TestNothingStopsAfterAPanic: more comes than the maximum can take.
func TestNothingStopsAfterAPanic(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.Idle, c.Max, c.MaxQueue = time.Second, 3, 100000 })
	short(y)
	flow(y, 8, 8*time.Second)
	y.pass(40 * time.Second)
	if got := y.p.Members(); got != 3 {
		t.Errorf("%d instances within a minute of a panic, want 3", got)
	}
	y.pass(2 * time.Minute)
	if got := y.p.Members(); got != 0 {
		t.Errorf("%d instances in the end, want none", got)
	}
}

// TestDoubt: a request that is made again meets another instance, where there is
// one.
func TestDoubt(t *testing.T) {
	y := newPlay(t, func(c *Config) { c.Concurrency = 10 })
	load(y, 11, time.Second)
	bad, _ := y.ask()
	keep, _ := y.ask()
	if keep != bad {
		t.Fatal("want both in the same instance")
	}
	y.p.Doubt(y.now, bad)
	y.done(bad)
	again, _ := y.ask()
	if again == bad {
		t.Error("the request met the instance again that broke it off")
	}
	if m := y.p.Take(y.now, bad.ID); m == bad {
		t.Error("an instance in doubt was preferred")
	}
	y.pass(2 * time.Second)
	y.done(keep) // touches it
	if m := y.p.Take(y.now, bad.ID); m != bad {
		t.Error("the doubt does not end")
	}
}

func TestDoubtOfTheOnlyInstance(t *testing.T) {
	y := newPlay(t, nil)
	load(y, 1, time.Second)
	only, _ := y.ask()
	y.p.Doubt(y.now, only)
	y.done(only)
	if m, _ := y.ask(); m != only {
		t.Error("the only instance was not used")
	}
}
