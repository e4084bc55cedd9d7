package pubsub

import "context"

// window reads single messages of a list, several at a time where they lie close
// together.
type window struct {
	f      *feed
	wanted map[int64]bool // sequence numbers that will be asked for
	have   map[int64]*Stored
	bytes  int // of have
}

func newWindow(f *feed, list []again) *window {
	w := &window{f: f, wanted: make(map[int64]bool, len(list)), have: map[int64]*Stored{}}
	for _, a := range list {
		w.wanted[a.seq] = true
	}
	return w
}

// message returns one of the list, each of which is asked for once; nil when it is
// not there any more. The feed's lock is held, and free while it reads.
func (w *window) message(ctx context.Context, seq int64) (*Stored, error) {
	m := w.have[seq]
	if m == nil {
		if w.bytes > aheadBytes {
			clear(w.have)
			w.bytes = 0
		}
		found, err := w.f.read(ctx, seq, w.reach(seq))
		if err != nil {
			return nil, err
		}
		for i := range found {
			if f := &found[i]; w.wanted[f.Seq] && w.have[f.Seq] == nil {
				w.have[f.Seq] = f
				w.bytes += f.size()
			}
		}
		m = w.have[seq]
	}
	delete(w.wanted, seq)
	if m != nil {
		delete(w.have, seq)
		w.bytes -= m.size()
	}
	return m, nil
}

// reach is how many messages to read for those wanted near one: to the last of
// them, but not across more than a few that nobody wants.
func (w *window) reach(seq int64) int {
	const gap = 64
	last := seq
	for next := seq + 1; next <= last+gap && next < seq+aheadMessages; next++ {
		if w.wanted[next] {
			last = next
		}
	}
	return int(last-seq) + 1
}
