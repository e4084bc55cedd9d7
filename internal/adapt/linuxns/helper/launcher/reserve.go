package launcher

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// When the reserve is filled and emptied.
const (
	reserveQuiet = 300 * time.Millisecond // after a start: programs that boot have the machine first
	reserveBusy  = 10 * time.Minute       // after the last start of a kind only one of it is kept
	reserveRest  = 24 * time.Hour         // and then none, unless the server wants it
	reserveAge   = time.Hour              // what was prepared before is prepared again
	reserveRetry = time.Minute            // after one could not be made
)

// reserve keeps sandboxes of the kinds in use ready, so that a start has only to
// do what depends on its program. It never makes one while a start is under way,
// and none that a start would have to wait for.
type reserve struct {
	size int // of each kind, at most; 0: nothing is prepared
	make func(ipc.Kind) (*shell, error)
	drop func(*shell)

	wake  chan struct{} // look again
	stop  chan struct{} // closed by close
	ended chan struct{} // closed when nothing is left

	mu     sync.Mutex
	stocks map[ipc.Kind]*stock // empty until the server asks for the first
	last   time.Time           // when the last start began
	failed time.Time           // when the last could not be made
	closed bool
}

// stock is what there is of one kind.
type stock struct {
	ready  []*prepared // the oldest first
	used   time.Time
	wanted bool // by the server, used or not
}

// prepared is a shell with what it was made from.
type prepared struct {
	*shell
	born  time.Time
	stamp string
}

func newReserve(size int, make func(ipc.Kind) (*shell, error), drop func(*shell)) *reserve {
	return &reserve{
		size: size, make: make, drop: drop, stocks: map[ipc.Kind]*stock{},
		wake: newSignal(), stop: newSignal(), ended: newSignal(),
	}
}

func newSignal() chan struct{} { return make(chan struct{}, 1) }

// keep asks for a kind to be there before it has been used. Other kinds are kept
// from their first start after that on.
func (r *reserve) keep(kind ipc.Kind) {
	if r.size == 0 {
		return
	}
	r.mu.Lock()
	s := r.stockOf(kind)
	s.wanted, s.used = true, time.Now()
	r.mu.Unlock()
	r.nudge()
}

// take returns a prepared shell of the kind, or nil, and has it replaced later.
func (r *reserve) take(kind ipc.Kind) *shell {
	defer r.nudge()
	stamp := hostStamp()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	if len(r.stocks) == 0 {
		return nil
	}
	s := r.stockOf(kind)
	s.used = r.last
	for len(s.ready) > 0 {
		p := s.ready[0]
		s.ready = s.ready[1:]
		if p.stamp == stamp && p.isAlive() {
			return p.shell
		}
		go r.drop(p.shell)
	}
	return nil
}

// count is how many are ready.
func (r *reserve) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.stocks {
		n += len(s.ready)
	}
	return n
}

func (r *reserve) stockOf(kind ipc.Kind) *stock {
	s := r.stocks[kind]
	if s == nil {
		s = &stock{}
		r.stocks[kind] = s
	}
	return s
}

func (r *reserve) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run fills and empties the reserve until close.
func (r *reserve) run() {
	defer close(r.ended)
	for {
		todo := r.plan(time.Now())
		for _, p := range todo.drop {
			r.drop(p.shell)
		}
		if todo.make != nil {
			r.fill(*todo.make)
			continue
		}
		if todo.over {
			return
		}
		timer := time.NewTimer(todo.wait)
		select {
		case <-r.wake:
		case <-r.stop:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// todo is what the reserve has to do next; first drop, then make, then wait.
type todo struct {
	drop []*prepared
	make *ipc.Kind
	wait time.Duration
	over bool // after drop
}

// plan decides what to do at a moment.
func (r *reserve) plan(now time.Time) todo {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := todo{wait: reserveAge, over: r.closed}
	for kind, s := range r.stocks {
		want := min(r.size, s.want(now))
		if r.closed {
			want = 0
		}
		for len(s.ready) > 0 && (len(s.ready) > want || now.Sub(s.ready[0].born) >= reserveAge) {
			t.drop = append(t.drop, s.ready[0])
			s.ready = s.ready[1:]
		}
		if len(s.ready) < want {
			t.make = &kind
		}
		if want == 0 && !s.wanted {
			delete(r.stocks, kind)
		}
	}
	until := max(r.last.Add(reserveQuiet).Sub(now), r.failed.Add(reserveRetry).Sub(now))
	if t.make != nil && until > 0 {
		t.make, t.wait = nil, until
	}
	return t
}

// want is how many of a kind there should be.
func (s *stock) want(now time.Time) int {
	switch idle := now.Sub(s.used); {
	case idle < reserveBusy:
		return int(^uint(0) >> 1) // as many as there may be
	case idle < reserveRest || s.wanted:
		return 1
	}
	return 0
}

func (r *reserve) fill(kind ipc.Kind) {
	stamp := hostStamp()
	sh, err := r.make(kind)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		fmt.Fprintln(os.Stderr, "launcher: prepare a sandbox:", err)
		r.failed = time.Now()
		return
	}
	s := r.stockOf(kind)
	s.ready = append(s.ready, &prepared{shell: sh, born: time.Now(), stamp: stamp})
}

// close ends what is prepared and returns when nothing of it is left.
func (r *reserve) close() {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		close(r.stop)
	}
	<-r.ended
}

// stamped are the places of the host that small files of every root are copied
// from: a prepared root is out of date once one of them has changed. What is
// larger is mounted and changes by itself.
var stamped = []string{"/", "/etc", "/etc/ssl", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone"}

func hostStamp() string {
	stamp := ""
	for _, path := range stamped {
		var st unix.Stat_t
		_ = unix.Stat(path, &st) // one that is not there has a stamp too
		stamp += fmt.Sprintf("%d.%d.%d ", st.Ino, st.Ctim.Sec, st.Ctim.Nsec)
	}
	return stamp
}
