package meter

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// memory is a Store in memory.
type memory struct {
	mu   sync.Mutex
	rows ledger
	seqs map[string]int64
	fail error // of AddUsage: after it was done, or not at all
	late bool  // it was done
}

func newMemory() *memory { return &memory{rows: ledger{}, seqs: map[string]int64{}} }

func (s *memory) AddUsage(_ context.Context, writer string, seq int64, rows []Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil && !s.late {
		return s.fail
	}
	if s.seqs[writer] < seq {
		s.seqs[writer] = seq
		for _, r := range rows {
			s.rows.add(r)
		}
	}
	return s.fail
}

func (s *memory) UsageSeq(_ context.Context, writer string) (int64, error) {
	return s.seqs[writer], nil
}

func (s *memory) Usage(context.Context, Query) ([]Row, error) { return s.all(), nil }

func (s *memory) all() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows.rows()
}

func (s *memory) sum() (u Usage) {
	for _, r := range s.all() {
		u.Add(r.Usage)
	}
	return u
}

func (s *memory) NewestUsage(context.Context) (t time.Time, err error) {
	for _, r := range s.all() {
		if r.Hour.After(t) {
			t = r.Hour
		}
	}
	return t, nil
}

func (s *memory) PruneUsage(_ context.Context, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.rows {
		if k.hour < t.Unix() {
			delete(s.rows, k)
		}
	}
	return nil
}

// paper are the journals of several processes.
type paper map[string][][]byte

// sheet is the journal of one.
type sheet struct {
	all    paper
	writer string
	fail   error
}

func (p paper) sheet(writer int) *sheet {
	return &sheet{all: p, writer: strconv.Itoa(writer)}
}

func (s *sheet) Writer() string { return s.writer }

func (s *sheet) Append(record []byte) error {
	s.all[s.writer] = append(s.all[s.writer], record)
	return s.fail
}

func (s *sheet) Reset() error { delete(s.all, s.writer); return nil }

func (s *sheet) Orphans() (out []string, err error) {
	for w := range s.all {
		if w != s.writer {
			out = append(out, w)
		}
	}
	return out, nil
}

func (s *sheet) Replay(writer string, f func([]byte)) error {
	for _, r := range s.all[writer] {
		f(r)
	}
	return nil
}

func (s *sheet) Remove(writer string) error { delete(s.all, writer); return nil }

var quiet = slog.New(slog.DiscardHandler)

// start opens a meter and runs it until kill is called, which stops it without a
// last word, as a kill of the process does.
func start(t *testing.T, store Store, j Journal) (m *Meter, kill func()) {
	t.Helper()
	m, err := Open(t.Context(), store, j, time.Now, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	kill = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(kill)
	return m, kill
}

func revision() *sunya.Revision {
	return &sunya.Revision{
		Name: "projects/p/locations/l/services/s/revisions/r", Service: "projects/p/locations/l/services/s", Project: "p", Product: sunya.CloudRun,
		Container: sunya.Container{CPUMillis: 1000, MemoryBytes: 512 << 20},
	}
}

func always() *sunya.Revision {
	rev := revision()
	rev.Scaling.NoFreeze = true
	return rev
}

func request() *served.Request {
	return &served.Request{Revision: revision(), Begin: time.Now(), Status: 200, Received: 3, Sent: 5}
}

func TestBillableTime(t *testing.T) {
	type step struct {
		after time.Duration
		do    func(l served.Life, now time.Time)
	}
	busy := func(l served.Life, now time.Time) { l.Busy(now) }
	idle := func(l served.Life, now time.Time) { l.Idle(now) }
	ready := func(l served.Life, now time.Time) { l.Ready(now, 230*time.Millisecond, true) }
	ended := func(l served.Life, now time.Time) { l.Ended(now, served.Used{}) }
	ms := time.Millisecond
	for name, c := range map[string]struct {
		rev   *sunya.Revision
		steps []step
		want  time.Duration
	}{
		"a start is rounded up":                     {revision(), []step{{0, ready}}, 300 * ms},
		"a request is rounded up":                   {revision(), []step{{0, busy}, {120 * ms, idle}}, 200 * ms},
		"a whole granule is not":                    {revision(), []step{{0, busy}, {200 * ms, idle}}, 200 * ms},
		"stretches apart count each":                {revision(), []step{{0, busy}, {10 * ms, idle}, {time.Minute, busy}, {10 * ms, idle}}, 200 * ms},
		"what was rounded up is not counted again":  {revision(), []step{{0, busy}, {10 * ms, idle}, {10 * ms, busy}, {10 * ms, idle}}, 120 * ms},
		"a long one over many collections":          {revision(), []step{{0, busy}, {10*time.Second + ms, idle}}, 10100 * ms},
		"idle time costs nothing":                   {revision(), []step{{0, ready}, {time.Hour, busy}, {100 * ms, idle}, {time.Hour, ended}}, 400 * ms},
		"an end ends the request":                   {revision(), []step{{0, busy}, {150 * ms, ended}, {time.Second, idle}}, 200 * ms},
		"always allocated: from the start to death": {always(), []step{{0, ready}, {time.Hour, busy}, {time.Second, idle}, {time.Hour, ended}}, 2*time.Hour + time.Second + 300*ms},
		"a start that fails costs nothing":          {always(), []step{{time.Minute, ended}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				m, _ := start(t, store, paper{}.sheet(1))
				l := m.Born(c.rev, "i")
				for _, s := range c.steps {
					time.Sleep(s.after)
					s.do(l, time.Now())
				}
				if err := m.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := store.sum()
				want := c.want.Milliseconds()
				if got.InstanceMillis != want || got.CPUMicros != want*1000 || got.MemoryMiBMillis != want*512 {
					t.Errorf("usage %+v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestRequestsAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, journals := newMemory(), paper{}
		for life := range 5 {
			m, kill := start(t, store, journals.sheet(life))
			for range 100 {
				m.Observe(request())
				time.Sleep(1700 * time.Millisecond) // some are in the store, some in the journal
			}
			kill()
		}
		m, _ := start(t, store, journals.sheet(9))
		if _, err := m.Usage(t.Context(), Query{}); err != nil {
			t.Fatal(err)
		}
		want := Usage{Requests: 500, ReceivedBytes: 1500, SentBytes: 2500}
		if diff := cmp.Diff(want, store.sum()); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
		if len(journals) != 0 {
			t.Errorf("%d journals are left", len(journals))
		}
	})
}

func TestKillBetweenStoreAndJournalCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, journals := newMemory(), paper{}
		m, kill := start(t, store, journals.sheet(1))
		m.Observe(request())
		time.Sleep(1500 * time.Millisecond)
		kill()
		left := journals["1"]
		start(t, store, journals.sheet(2))
		journals["1"] = left // as if the file had stayed
		start(t, store, journals.sheet(3))
		if got := store.sum().Requests; got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

func TestFailingStoreLosesAndRepeatsNothing(t *testing.T) {
	for name, late := range map[string]bool{"before it adds": false, "after it has added": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				m, _ := start(t, store, paper{}.sheet(1))
				store.fail, store.late = errors.New("busy"), late
				for range 200 {
					m.Observe(request())
					time.Sleep(time.Second)
				}
				store.fail = nil
				if err := m.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := store.sum().Requests; got != 200 {
					t.Errorf("%d requests, want 200", got)
				}
			})
		})
	}
}

func TestFailingJournalLosesNothingWhileTheServerLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, j := newMemory(), paper{}.sheet(1)
		m, _ := start(t, store, j)
		j.fail = errors.New("no space left on device")
		m.Observe(request())
		time.Sleep(2 * time.Minute)
		if got := store.sum().Requests; got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

func TestAdoptedInstanceIsNotCountedTwice(t *testing.T) {
	store := newMemory()
	m, err := Open(t.Context(), store, paper{}.sheet(1), time.Now, quiet)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	l := m.Born(always(), "i")
	l.Adopted(now, served.Used{CPU: time.Hour})
	l.Frozen(now, served.Used{CPU: time.Hour + time.Second})
	l.Ended(now.Add(time.Second), served.Used{CPU: time.Hour + 2*time.Second})
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := store.sum(); got.CPUUsedMicros != 2_000_000 || got.InstanceMillis != 1000 || got.Starts != 0 {
		t.Errorf("usage %+v", got)
	}
}

func TestClockThatJumpsDoesNoHarm(t *testing.T) {
	store := newMemory()
	now := time.Now()
	old := Row{Hour: now.UTC().Truncate(time.Hour).Add(-keep / 2), Usage: Usage{Requests: 7}}
	if err := store.AddUsage(t.Context(), "before", 1, []Row{old}); err != nil {
		t.Fatal(err)
	}
	m, err := Open(t.Context(), store, paper{}.sheet(1), func() time.Time { return now }, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, now.AddDate(50, 0, 0), now.Add(-time.Hour), now.AddDate(0, -1, 0), now} {
		now = at.Round(0)
		m.Observe(request())
		m.beat(t.Context())
		m.prune(t.Context())
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := store.sum(); got.Requests != 7+5 {
		t.Errorf("%d requests are left, want 12", got.Requests)
	}
}

func TestOldRowsArePruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		now := time.Now().UTC().Truncate(time.Hour)
		rows := []Row{{Hour: now.Add(-keep - time.Hour)}, {Hour: now.Add(-keep + 2*time.Hour)}, {Hour: now}}
		if err := store.AddUsage(t.Context(), "before", 1, rows); err != nil {
			t.Fatal(err)
		}
		start(t, store, paper{}.sheet(1))
		time.Sleep(90 * time.Minute)
		if got := len(store.all()); got != 2 {
			t.Errorf("%d rows after an hour, want 2", got)
		}
		time.Sleep(3 * time.Hour)
		if got := len(store.all()); got != 1 {
			t.Errorf("%d rows after some more, want 1", got)
		}
	})
}

func TestRestIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := start(t, newMemory(), paper{}.sheet(1))
		m.Observe(request())
		time.Sleep(2 * time.Minute)
		if m.awake.Load() {
			t.Error("it still works")
		}
		m.accounts.Range(func(name, _ any) bool { t.Errorf("%v is remembered", name); return true })
	})
}

func TestManyCountersLoseNothing(t *testing.T) {
	store := newMemory()
	m, err := Open(t.Context(), store, paper{}.sheet(1), time.Now, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := request()
			for i := range 5000 {
				m.Observe(r)
				if i%500 == 0 {
					m.beat(context.Background())
				}
			}
		})
	}
	wg.Wait()
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := store.sum().Requests; got != 20_000 {
		t.Errorf("%d requests, want 20000", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	m, err := Open(b.Context(), newMemory(), paper{}.sheet(1), time.Now, quiet)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := request()
		for pb.Next() {
			m.Observe(r)
		}
	})
}
