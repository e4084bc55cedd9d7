package objects

import (
	"context"
	"slices"
	"time"
)

// work is one change of the Store with this package's rules.
type work struct {
	Tx
	s       *Service
	now     time.Time
	dropped []string // blobs that lost a user
	told    bool     // it has notices
}

// change runs do in one transaction and then frees the blobs that nobody has
// any more.
func (s *Service) change(ctx context.Context, do func(*work) error) error {
	var free []string
	var told bool
	err := s.store.Change(ctx, func(tx Tx) error {
		w := &work{Tx: tx, s: s, now: s.now()}
		if err := do(w); err != nil {
			return err
		}
		told = w.told
		var err error
		free, err = w.unused()
		return err
	})
	if err != nil {
		return err
	}
	if told {
		s.Tell()
	}
	s.free(ctx, free...)
	return nil
}

// unused returns what was dropped and is not used elsewhere, but for the rows, which
// it removes. Writers come one after the other and can only use a blob that something
// has, so nobody can begin to use these.
func (w *work) unused() ([]string, error) {
	var out []string
	slices.Sort(w.dropped)
	for _, blob := range slices.Compact(w.dropped) {
		used, err := w.BlobInUse(blob)
		if err != nil {
			return nil, err
		}
		if blob == "" || used {
			continue
		}
		if _, ok := RowID(blob); ok {
			if err := w.DropBytes(blob); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, blob)
	}
	return out, nil
}

// announce writes down a change for those that want to know.
func (w *work) announce(n Notice) error {
	found, err := w.Notifications(n.Object.Bucket)
	if err != nil {
		return err
	}
	for _, to := range found {
		if !to.wants(n.Event, n.Object.Name) {
			continue
		}
		n.Notification, n.Time = to, w.now
		if err := w.AddNotice(&n); err != nil {
			return err
		}
		w.told = true
	}
	return nil
}

// put makes o the live generation, in place of the one that cond holds of.
func (w *work) put(o *Object, cond Conditions) error {
	b, err := w.Bucket(o.Bucket)
	if err != nil {
		return err
	}
	live, err := w.Live(o.Bucket, o.Name)
	if err != nil {
		return err
	}
	if err := cond.holds(o.Bucket, o.Name, live); err != nil {
		return err
	}
	if o.Generation, err = w.generation(o, live); err != nil {
		return err
	}
	made := Notice{Event: Finalized}
	if live != nil {
		made.Overwrote = live.Generation
		if err := w.retire(b, live, o.Generation); err != nil {
			return err
		}
	}
	if o.Properties.StorageClass == "" {
		o.Properties.StorageClass = b.Rules.StorageClass
	}
	o.Properties.EventBasedHold = o.Properties.EventBasedHold || b.Rules.HoldNew
	if w.s.opts.Inherit != nil && !b.Rules.Uniform {
		if o.Document, err = w.s.opts.Inherit(b.Document, o.Document); err != nil {
			return err
		}
	}
	if err := w.PutLive(o); err != nil {
		return err
	}
	made.Object = *o
	return w.announce(made)
}

// generation is the number of a new generation: above all that its name had.
func (w *work) generation(o, live *Object) (int64, error) {
	newest, err := w.Newest(o.Bucket, o.Name)
	if err != nil {
		return 0, err
	}
	if live != nil {
		newest = max(newest, live.Generation)
	}
	return w.s.generation(newest), nil
}

// retire does with the live generation what its bucket says: archives it, or
// removes it. by is the generation that takes its place, 0 for none; the caller
// writes or removes the live row.
func (w *work) retire(b *Bucket, live *Object, by int64) error {
	if !b.Rules.Versioning {
		return w.remove(b, live, by)
	}
	old := *live
	old.DeleteTime = w.now
	if err := w.PutVersion(&old); err != nil {
		return err
	}
	return w.announce(Notice{Event: Archived, Object: old, OverwrittenBy: by})
}

// remove ends a generation, softly where the bucket says so. The caller takes
// away the live row, where it was live.
func (w *work) remove(b *Bucket, o *Object, by int64) error {
	if err := mayGo(b, o, w.now); err != nil {
		return err
	}
	gone := *o
	if gone.DeleteTime.IsZero() {
		gone.DeleteTime = w.now
	}
	if keep := b.Rules.SoftDelete.Keep; keep > 0 {
		gone.SoftDeleteTime, gone.HardDeleteTime = w.now, w.now.Add(keep)
		if err := w.PutVersion(&gone); err != nil {
			return err
		}
	} else {
		w.dropped = append(w.dropped, o.Blob)
		if !o.Live() {
			if err := w.DropVersion(o.Bucket, o.Name, o.Generation); err != nil {
				return err
			}
		}
	}
	return w.announce(Notice{Event: Deleted, Object: gone, OverwrittenBy: by})
}
