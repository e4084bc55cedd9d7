package logs

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a Backlog whose packs hold as many entries as they have bytes.
type shelf struct {
	mu    sync.Mutex
	packs []Pack
	lost  map[string]int64
}

func (s *shelf) Take() ([]Pack, map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	packs, lost := s.packs, s.lost
	s.packs, s.lost = nil, nil
	return packs, lost
}

func (*shelf) Unpack(p *Pack) (out []Entry, _ error) {
	for i, b := range p.Body {
		at := p.First.Add(time.Duration(b) * time.Millisecond)
		out = append(out, Entry{LogName: p.LogName, Text: fmt.Sprint("packed ", i), Timestamp: at, ReceiveTime: at})
	}
	return out, nil
}

// put adds a pack with entries that arrived so many milliseconds from now.
func (s *shelf) put(h *Hub, millis ...byte) {
	s.mu.Lock()
	s.packs = append(s.packs, Pack{LogName: LogName("p", "l"), Count: len(millis), First: time.Now(), Last: time.Now(), Body: millis})
	s.mu.Unlock()
	h.Wake()
}

func TestPacksAreStoredAsTheyAreAndFollowedAsEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &disk{}, &shelf{}
		h := newHub(t, d)
		h.SetBacklog(s)
		runs(t, h, func() {
			f, err := h.Follow(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			s.put(h, 0, 10)
			time.Sleep(5 * time.Millisecond)
			h.Write(line(1))
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(d.packs) != 1 || len(d.all()) != 1 {
				t.Errorf("%d packs and %d entries in the store, want one of each", len(d.packs), len(d.all()))
			}
			got, _, err := f.Next(t.Context())
			if err != nil || len(got) != 3 || got[0].Text != "packed 0" || got[1].Text != "1" || got[2].Text != "packed 1" {
				t.Errorf("followed %+v, %v; want all in the order in which they arrived", got, err)
			}
		})
	})
}

func TestPacksAloneAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &disk{}, &shelf{}
		h := newHub(t, d)
		h.SetBacklog(s)
		runs(t, h, func() {
			s.put(h, 0)
			time.Sleep(time.Second)
		})
		if len(d.packs) != 1 {
			t.Errorf("%d packs are stored", len(d.packs))
		}
	})
}

func TestPacksWrittenBeforeTheEndAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &disk{}, &shelf{}
		h := newHub(t, d)
		h.SetBacklog(s)
		runs(t, h, func() { s.put(h, 0) })
		if len(d.packs) != 1 {
			t.Errorf("%d packs are stored", len(d.packs))
		}
	})
}

func TestLostPacksAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &disk{}, &shelf{lost: map[string]int64{"p": 5}}
		h := newHub(t, d)
		h.SetBacklog(s)
		runs(t, h, func() {
			d.fail(errors.New("disk full"))
			s.put(h, 0, 1, 2)
			time.Sleep(time.Second)
			d.fail(nil)
			h.Write(line(1))
			time.Sleep(time.Second)
		})
		if got := d.all(); len(got) != 2 || !strings.Contains(got[1].Text, "dropped 8 log entries") {
			t.Errorf("entries %+v, want one and a marker of 8", got)
		}
	})
}
