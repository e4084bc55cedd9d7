// Package room decides which revision may start an instance now, which waits for
// its turn, and which is refused, by what the machine has left. Like core/pool
// it is a state machine without goroutine, lock or clock.
//
// Two things are short. Booting takes CPU: only a few instances boot at once for
// each core, more while cores are idle, so that fifty that start together do
// not make all of them late. And instances take memory: one is started only if
// what it is likely to use is there. What a revision may use says little of that,
// so the most that its instances were seen to use is taken, with a quarter on top,
// and a quarter of its limit until one was seen.
//
// Who finds no room stands in line. The first instance of a revision comes before
// further ones of others, three times of four, and further ones take turns, so
// that nobody's flood keeps others out.
package room

import (
	"cmp"
	"math"
	"time"
)

// Machine is what is left of it at a moment. The zero value is a machine that
// nobody looks at: everything is there.
type Machine struct {
	At     time.Time // when it was looked at
	Known  bool      // Free is known
	Free   int64     // bytes of memory that programs could still be given
	Cores  int       // 0: unknown, boots are not limited
	Idle   float64   // cores that had nothing to do lately
	Thrash bool      // memory is so short that programs wait for it
}

// Options are the limits. Zero values are the defaults named.
type Options struct {
	MaxMemory int64         // bytes for all instances together; no limit but the machine's
	Reserve   int64         // bytes that stay free; none
	Patience  time.Duration // longest wait in line while memory is short; 10 s
	MaxLine   int           // revisions in line; 10,000
}

// The limits of boots.
const (
	bootsPerCore = 2
	longBoot     = 15 * time.Second // a boot that takes longer is no longer counted: it waits for something
	idleCores    = 0.5              // with more than that idle, one more boots with each look at the machine
)

// firstInRow is how many first instances go before one that is not, when both wait.
const firstInRow = 3

// Room is the machine as shared by all revisions. It is not safe for concurrent
// use.
type Room struct {
	opts     Options
	uses     map[string]*use
	taken    int64  // what all instances are estimated to take
	leaving  int64  // of that, those that are being stopped
	boots    []boot // under way, the oldest first
	promised int64  // what boots are estimated to take and the machine does not show yet
	first    line   // revisions without an instance
	more     line   // the others
	row      int    // grants in a row to first while more waited
	extraAt  time.Time
	fullAt   time.Time // since when memory is short; zero: it is not
}

type boot struct {
	u     *use
	began time.Time
}

// New returns an empty room.
func New(o Options) *Room {
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	o.MaxLine = cmp.Or(o.MaxLine, 10_000)
	return &Room{opts: o, uses: map[string]*use{}}
}

// Verdict is what becomes of a start.
type Verdict uint8

// The verdicts.
const (
	Wait   Verdict = iota // in line: Next names it in time
	Go                    // it may start now
	Refuse                // the line is full
)

// Ask asks for one start of the revision with the key, whose instances may use
// limit bytes each (0: no limit).
func (r *Room) Ask(now time.Time, key string, limit int64, m Machine) Verdict {
	u := r.use(key, limit)
	switch {
	case u.wants > 0:
		u.wants++
		return Wait
	case r.waiting() == 0 && r.bootsEach(now, m) > u.boots && r.short(u, m) <= 0:
		r.begin(now, u)
		return Go
	case r.waiting() >= r.opts.MaxLine:
		r.forget(u)
		return Refuse
	}
	u.wants, u.since = 1, now
	r.lineOf(u).push(u)
	return Wait
}

// Step is what happens next in line.
type Step struct {
	Start   string // the key of a revision that may start an instance now
	Refuse  string // one whose starts, N of them, are refused: there has been no room for too long
	N       int
	Victim  bool          // an idle instance should make room: call Leaving and Next again, or Next with evict false
	Waited  time.Duration // with Victim: how long it has been waited for
	Waiting bool          // somebody still waits: look again soon, or when something ends
}

// Next says what happens next. evict: idle instances can be asked to leave.
func (r *Room) Next(now time.Time, m Machine, evict bool) Step {
	u := r.head(now, m)
	if u == nil {
		return Step{Waiting: r.waiting() > 0}
	}
	short := r.short(u, m)
	if short <= 0 {
		r.fullAt = time.Time{}
		return r.grant(now, u)
	}
	if r.fullAt.IsZero() {
		r.fullAt = now
	}
	if evict && short > r.leaving {
		return Step{Victim: true, Waited: now.Sub(u.since)}
	}
	if late := r.late(now); late != nil {
		n := late.wants
		late.wants = 0
		r.lineOf(late).remove(late)
		r.forget(late)
		return Step{Refuse: late.key, N: n}
	}
	return Step{Waiting: true}
}

// grant lets u start one, and go to the end of the line if it wants more.
func (r *Room) grant(now time.Time, u *use) Step {
	l := r.lineOf(u)
	if l == &r.first && r.more.n() > 0 {
		r.row++
	} else {
		r.row = 0
	}
	l.remove(u)
	rest := u.wants - 1
	u.wants = 0
	r.begin(now, u)
	if u.wants = rest; rest > 0 {
		r.more.push(u) // it has an instance now
	}
	return Step{Start: u.key}
}

// lineOf is the line that u stands in, or would.
func (r *Room) lineOf(u *use) *line {
	if u.live > 0 {
		return &r.more
	}
	return &r.first
}

// head is who is next; nil when nobody may boot now.
func (r *Room) head(now time.Time, m Machine) *use {
	a, b := &r.first, &r.more
	if r.row >= firstInRow {
		a, b = b, a
	}
	most := r.bootsEach(now, m)
	for _, l := range [...]*line{a, b} {
		for _, u := range l.q {
			if u.boots < most {
				return u
			}
		}
	}
	return nil
}

// late is somebody who has stood in line for too long while memory was short.
func (r *Room) late(now time.Time) *use {
	if now.Sub(r.fullAt) < r.opts.Patience {
		return nil
	}
	for _, l := range [...]*line{&r.more, &r.first} {
		for _, u := range l.q {
			if now.Sub(u.since) >= r.opts.Patience {
				return u
			}
		}
	}
	return nil
}

// bootsEach is how many boots one revision may have under way, when one more may
// begin: half of what all may have, while several wait. 0: none may begin.
func (r *Room) bootsEach(now time.Time, m Machine) int {
	if m.Cores == 0 {
		return math.MaxInt
	}
	most, counted := m.Cores*bootsPerCore, 0
	for _, b := range r.boots {
		if now.Sub(b.began) < longBoot {
			counted++
		}
	}
	switch {
	case counted < most && r.waiting() > 1:
		return most / 2
	case counted < most, m.Idle > idleCores && m.At.After(r.extraAt):
		return math.MaxInt
	}
	return 0
}

func (r *Room) waiting() int { return r.first.n() + r.more.n() }

// short is how many bytes are missing for one more instance of u. The first of
// all instances is not held back by an estimate.
func (r *Room) short(u *use, m Machine) int64 {
	need := u.estimate()
	var short int64
	if m.Known {
		short = need - (m.Free - r.opts.Reserve - r.promised)
	}
	if r.opts.MaxMemory > 0 {
		short = max(short, need-(r.opts.MaxMemory-r.taken))
	}
	if m.Thrash {
		short = max(short, need)
	}
	if r.taken == 0 {
		return 0
	}
	return short
}

func (r *Room) begin(now time.Time, u *use) {
	r.extraAt = now
	r.boots = append(r.boots, boot{u, now})
	u.boots++
	r.promised += u.estimate()
	r.enter(u, 1)
}

// enter counts instances of u, which stands in the other line from then on if it
// waits for more.
func (r *Room) enter(u *use, n int) {
	was := r.lineOf(u)
	u.live += n
	r.taken += int64(n) * u.estimate()
	if is := r.lineOf(u); u.wants > 0 && is != was {
		was.remove(u)
		is.push(u)
	}
}

// Adopted counts an instance that was there before.
func (r *Room) Adopted(key string, limit int64) {
	r.enter(r.use(key, limit), 1)
}

// Booted says that a boot is over: it uses so many bytes by now, 0 if that is not
// known. When it came to nothing, Ended follows.
func (r *Room) Booted(key string, bytes int64) {
	u := r.uses[key]
	for i, b := range r.boots {
		if b.u == u {
			r.boots = append(r.boots[:i], r.boots[i+1:]...)
			r.promised -= u.estimate()
			u.boots--
			break
		}
	}
	r.Seen(key, bytes)
}

// Ended says that nothing is left of an instance; left: Leaving was said of it.
func (r *Room) Ended(key string, left bool) {
	u := r.uses[key]
	if u == nil || u.live == 0 {
		return
	}
	if left && u.leaving > 0 {
		u.leaving--
		r.leaving -= u.estimate()
	}
	r.enter(u, -1)
	r.forget(u)
}

func (r *Room) use(key string, limit int64) *use {
	u := r.uses[key]
	if u == nil {
		u = &use{key: key, limit: limit}
		r.uses[key] = u
	}
	return u
}

// Boots is how many instances boot at the moment.
func (r *Room) Boots() int { return len(r.boots) }

// Taken is what all instances are estimated to take, in bytes.
func (r *Room) Taken() int64 { return r.taken }

// line is revisions in the order in which they are served.
type line struct{ q []*use }

func (l *line) n() int      { return len(l.q) }
func (l *line) push(u *use) { l.q = append(l.q, u) }

func (l *line) remove(u *use) {
	for i, o := range l.q {
		if o == u {
			l.q = append(l.q[:i], l.q[i+1:]...)
			return
		}
	}
}
