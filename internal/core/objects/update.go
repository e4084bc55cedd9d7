package objects

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Update changes the metadata of the live object, or with a generation of that
// one: ContentType, Metadata, Properties and Document. change gets a copy, and
// may be called again.
func (s *Service) Update(ctx context.Context, bucket, name string, generation int64, cond Conditions, change func(*Object) error) (*Object, error) {
	var out *Object
	err := s.change(ctx, func(w *work) error {
		b, o, err := w.find(bucket, name, generation, cond)
		if err != nil {
			return err
		}
		next := *o
		if err := change(&next); err != nil {
			return err
		}
		if err := cmp.Or(checkMetadata(next.Metadata), checkContentType(next.ContentType), mayChange(b, o, &next.Properties, w.now)); err != nil {
			return err
		}
		o.ContentType, o.Metadata, o.Properties, o.Document = next.ContentType, next.Metadata, next.Properties, next.Document
		o.Metageneration++
		o.UpdateTime = w.now
		out = o
		return w.save(o, MetadataUpdated)
	})
	if err != nil {
		return nil, fmt.Errorf("update object: %w", err)
	}
	return out, nil
}

// save writes a generation where it is, and tells of it.
func (w *work) save(o *Object, e Event) error {
	put := w.PutLive
	if !o.Live() {
		put = w.PutVersion
	}
	if err := put(o); err != nil {
		return err
	}
	return w.announce(Notice{Event: e, Object: *o})
}

// Delete ends the live object, which its bucket may archive, or with a
// generation that one, which is not archived. What may not go is
// PermissionDenied.
func (s *Service) Delete(ctx context.Context, bucket, name string, generation int64, cond Conditions) error {
	err := s.change(ctx, func(w *work) error { return w.delete(bucket, name, generation, cond) })
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

func (w *work) delete(bucket, name string, generation int64, cond Conditions) error {
	b, o, err := w.find(bucket, name, generation, cond)
	if err != nil {
		return err
	}
	end := w.remove
	if generation == 0 {
		end = w.retire
	}
	if err := end(b, o, 0); err != nil || !o.Live() {
		return err
	}
	return w.DropLive(bucket, name)
}

// find returns the generation that a request means and its bucket, unless cond
// does not hold of it.
func (w *work) find(bucket, name string, generation int64, cond Conditions) (*Bucket, *Object, error) {
	b, err := w.Bucket(bucket)
	if err != nil {
		return nil, nil, err
	}
	o, err := w.Live(bucket, name)
	if err != nil {
		return nil, nil, err
	}
	if generation != 0 && (o == nil || o.Generation != generation) {
		if o, err = w.Version(bucket, name, generation); err != nil {
			return nil, nil, err
		}
		if o == nil || o.Soft() {
			return nil, nil, noGeneration(bucket, name, generation)
		}
	}
	if o == nil {
		return nil, nil, sunya.Errorf(sunya.NotFound, path(bucket, name), "the object does not exist")
	}
	return b, o, cond.holds(bucket, name, o)
}

// Restore makes a softly deleted generation the live one again, under a new
// number; what is live goes the way of everything that is replaced.
func (s *Service) Restore(ctx context.Context, bucket, name string, generation int64, cond Conditions) (*Object, error) {
	var out Object
	err := s.change(ctx, func(w *work) error {
		old, err := w.Version(bucket, name, generation)
		if err != nil {
			return err
		}
		if old == nil || !old.Soft() {
			return sunya.Errorf(sunya.NotFound, path(bucket, name), "generation %d is not a soft-deleted one", generation)
		}
		out = *old
		out.DeleteTime, out.SoftDeleteTime, out.HardDeleteTime = time.Time{}, time.Time{}, time.Time{}
		out.Metageneration, out.CreateTime, out.UpdateTime = 1, w.now, w.now
		return w.put(&out, cond)
	})
	if err != nil {
		return nil, fmt.Errorf("restore object: %w", err)
	}
	return &out, nil
}

// purgeBatch is how many generations one transaction removes.
const purgeBatch = 500

// purge removes for good what was deleted softly and is past its time.
func (s *Service) purge(ctx context.Context) error {
	for {
		ended, err := s.store.EndedObjects(ctx, s.now(), purgeBatch)
		if err != nil {
			return fmt.Errorf("find deleted objects: %w", err)
		}
		err = s.change(ctx, func(w *work) error {
			for i := range ended {
				o := &ended[i]
				if err := w.DropVersion(o.Bucket, o.Name, o.Generation); err != nil {
					return err
				}
				w.dropped = append(w.dropped, o.Blob)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("remove deleted objects: %w", err)
		}
		if len(ended) < purgeBatch {
			return nil
		}
	}
}
