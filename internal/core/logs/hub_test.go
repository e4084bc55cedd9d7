package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
)

// disk is a Store that may be slow or full.
type disk struct {
	sink
	mu      sync.Mutex
	err     error
	batches int
	packs   []Pack
	gate    chan struct{} // nil, or every append takes one
}

func (d *disk) Append(ctx context.Context, entries []Entry, packs []Pack) error {
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batches++
	if d.err != nil {
		return d.err
	}
	d.Write(entries...)
	d.packs = append(d.packs, packs...)
	return nil
}

func (d *disk) Query(context.Context, Query) ([]Entry, error) { return d.all(), nil }

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// runHub runs a hub for as long as f; the returned error is Run's.
func runHub(t *testing.T, d *disk, o HubOptions, f func(h *Hub)) {
	t.Helper()
	h := NewHub(d, time.Now, slog.New(slog.DiscardHandler), o)
	runs(t, h, func() { f(h) })
}

func newHub(t *testing.T, d *disk) *Hub {
	t.Helper()
	return NewHub(d, time.Now, slog.New(slog.DiscardHandler), HubOptions{})
}

// runs runs a hub for as long as f.
func runs(t *testing.T, h *Hub, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	f()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func line(i int) Entry { return Entry{LogName: LogName("p", "l"), Text: fmt.Sprint(i)} }

func TestHubNumbersAndCommitsInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		runHub(t, d, HubOptions{}, func(h *Hub) {
			for i := range 100 {
				h.Write(line(i))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		})
		got := d.all()
		if len(got) != 100 || d.batches > 2 {
			t.Fatalf("%d entries in %d batches, want 100 in one or two", len(got), d.batches)
		}
		for i, e := range got {
			if e.Text != fmt.Sprint(i) || e.Timestamp.IsZero() || e.ReceiveTime.IsZero() || i > 0 && got[i-1].InsertID >= e.InsertID {
				t.Errorf("entry %d: %+v", i, e)
			}
		}
	})
}

func TestAppendWaitsForTheStoreAndNotForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		runHub(t, d, HubOptions{Linger: time.Hour}, func(h *Hub) {
			start := time.Now()
			if err := h.Append(t.Context(), line(1)); err != nil || len(d.all()) != 1 || time.Since(start) != 0 {
				t.Errorf("Append = %v after %v with %d entries stored", err, time.Since(start), len(d.all()))
			}
			full := errors.New("disk full")
			d.fail(full)
			if err := h.Append(t.Context(), line(2)); !errors.Is(err, full) {
				t.Errorf("Append = %v, want %v", err, full)
			}
		})
	})
}

func TestFullDiskLosesEntriesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		d.fail(errors.New("disk full"))
		runHub(t, d, HubOptions{}, func(h *Hub) {
			for i := range 10 {
				h.Write(line(i))
			}
			_ = h.Flush(t.Context())
			d.fail(nil)
			h.Write(line(10))
			if err := h.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v", err)
			}
		})
		got := d.texts()
		if len(got) != 2 || got[0] != "10" || !strings.HasPrefix(got[1], "dropped 10 log entries") {
			t.Errorf("stored %q, want the last entry and a marker", got)
		}
	})
}

func TestSlowStoreNeverBlocksWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{gate: make(chan struct{})}
		runHub(t, d, HubOptions{QueueEntries: 100, Grace: time.Hour}, func(h *Hub) {
			for i := range 250 {
				h.Write(line(i)) // returns at once: the test would hang otherwise
			}
			if err := h.Append(t.Context(), line(0)); sunya.CodeOf(err) != sunya.ResourceExhausted {
				t.Errorf("Append to a full queue = %v", err)
			}
			close(d.gate)
			if err := h.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v", err)
			}
			h.Write(line(250))
		})
		got := d.texts()
		if len(got) != 102 || !slices.Contains(got, "dropped 150 log entries: they came faster than the disk takes them, or the disk is full (see sunya doctor)") {
			t.Errorf("%d entries, the last %q", len(got), got[len(got)-1])
		}
	})
}

func TestWhatIsLeftIsCommittedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		var hub *Hub
		runHub(t, d, HubOptions{Linger: time.Hour}, func(h *Hub) {
			h.Write(line(1))
			synctest.Wait()
			hub = h
		})
		if got := d.texts(); len(got) != 1 {
			t.Errorf("stored %q", got)
		}
		if err := hub.Append(t.Context(), line(2)); sunya.CodeOf(err) != sunya.Unavailable {
			t.Errorf("Append after the end = %v", err)
		}
		hub.Write(line(3)) // neither blocks nor panics
	})
}

func TestFollowersSeeWhatTheyMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		var f *Follower
		runHub(t, d, HubOptions{}, func(h *Hub) {
			h.Write(line(0))
			_ = h.Flush(t.Context())
			var err error
			if f, err = h.Follow(func(e *Entry) bool { return e.Text != "1" }); err != nil {
				t.Fatal(err)
			}
			h.Write(line(1), line(2))
			got, lost, err := f.Next(t.Context())
			if len(got) != 1 || got[0].Text != "2" || lost != 0 || err != nil {
				t.Errorf("Next = %v, %d, %v", got, lost, err)
			}
			if len(d.all()) != 3 {
				t.Error("handed on before it was stored")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Next without entries = %v", err)
			}
		})
		if _, _, err := f.Next(t.Context()); sunya.CodeOf(err) != sunya.Unavailable {
			t.Errorf("Next after the hub's end = %v", err)
		}
	})
}

func TestSlowFollowerLearnsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runHub(t, &disk{}, HubOptions{Followers: 1}, func(h *Hub) {
			f, err := h.Follow(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Follow(nil); sunya.CodeOf(err) != sunya.ResourceExhausted {
				t.Errorf("one follower too many: %v", err)
			}
			for i := range followEntries + 7 {
				h.Write(line(i))
			}
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // what is stored is handed on after its writer heard
			got, lost, err := f.Next(t.Context())
			if len(got) != followEntries || lost != 7 || err != nil {
				t.Errorf("Next = %d entries, %d lost, %v", len(got), lost, err)
			}
			f.Close()
			if g, err := h.Follow(nil); err != nil {
				t.Errorf("Follow after Close: %v", err)
			} else {
				g.Close()
			}
		})
	})
}

func TestFollowersSeeWhatTheDiskLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		d.fail(errors.New("disk full"))
		runHub(t, d, HubOptions{}, func(h *Hub) {
			f, err := h.Follow(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			h.Write(line(1))
			_ = h.Append(t.Context(), line(2)) // refused: its writer knows
			if got, _, err := f.Next(t.Context()); len(got) != 1 || got[0].Text != "1" || err != nil {
				t.Errorf("Next = %v, %v; want the entry that nobody else sees", got, err)
			}
		})
	})
}

func BenchmarkHub(b *testing.B) {
	h := NewHub(nowhere{}, time.Now, slog.New(slog.DiscardHandler), HubOptions{})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	b.ReportAllocs()
	e := line(1)
	for b.Loop() {
		h.Write(e)
	}
	cancel()
	<-done
}

type nowhere struct{}

func (nowhere) Append(context.Context, []Entry, []Pack) error { return nil }
func (nowhere) Query(context.Context, Query) ([]Entry, error) { return nil, nil }
