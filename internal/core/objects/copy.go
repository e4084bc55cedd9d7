package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Copy says what is copied where.
type Copy struct {
	Bucket, Name     string
	Generation       int64 // 0: the live one
	SourceConditions Conditions
	ToBucket, ToName string
	Conditions       Conditions
	Replace          *NewObject // metadata of the copy; nil: that of the source
}

// Copy makes an object with the bytes of another, which both have from then on:
// none are copied.
func (s *Service) Copy(ctx context.Context, c Copy) (*Object, error) {
	if err := CheckObjectName(c.ToName); err != nil {
		return nil, err
	}
	if n := c.Replace; n != nil {
		if err := cmp.Or(checkMetadata(n.Metadata), checkContentType(n.ContentType), checkClass(n.Properties.StorageClass)); err != nil {
			return nil, err
		}
	}
	var out *Object
	err := s.change(ctx, func(w *work) (err error) {
		_, o, err := w.find(c.Bucket, c.Name, c.Generation, c.SourceConditions)
		if err != nil {
			return err
		}
		out = c.of(o, w.now)
		return w.put(out, c.Conditions)
	})
	if err != nil {
		return nil, fmt.Errorf("copy object: %w", err)
	}
	return out, nil
}

// of is the copy of o.
func (c *Copy) of(o *Object, now time.Time) *Object {
	out := *o
	out.Bucket, out.Name, out.Metageneration = c.ToBucket, c.ToName, 1
	out.CreateTime, out.UpdateTime, out.DeleteTime = now, now, time.Time{}
	out.Properties.ClassTime, out.Properties.HoldReleased = time.Time{}, time.Time{}
	out.Properties.TemporaryHold, out.Properties.EventBasedHold, out.Properties.Retention = false, false, nil
	if c.Replace != nil {
		components, class := out.Properties.Components, out.Properties.StorageClass
		out.Metadata, out.Document, out.Properties = c.Replace.Metadata, c.Replace.Document, c.Replace.Properties
		out.Properties.Components = components
		out.Properties.StorageClass = cmp.Or(out.Properties.StorageClass, class)
		out.ContentType = cmp.Or(c.Replace.ContentType, out.ContentType)
	}
	return &out
}

// Move gives an object another name in its bucket, at once: nobody sees both or
// neither. It is a new generation, and what was there before goes.
func (s *Service) Move(ctx context.Context, bucket, name, to string, from, cond Conditions) (*Object, error) {
	if err := CheckObjectName(to); err != nil {
		return nil, err
	}
	if name == to {
		return nil, sunya.Invalid("destinationObject", "%q: it is there already", clip(to))
	}
	var out Object
	err := s.change(ctx, func(w *work) error {
		b, o, err := w.find(bucket, name, 0, from)
		if err != nil {
			return err
		}
		out = *o
		out.Name, out.Metageneration, out.UpdateTime = to, 1, w.now
		if err := w.put(&out, cond); err != nil {
			return err
		}
		if err := w.retire(b, o, 0); err != nil {
			return err
		}
		return w.DropLive(bucket, name)
	})
	if err != nil {
		return nil, fmt.Errorf("move object: %w", err)
	}
	return &out, nil
}

// maxComponents is how many objects are composed at a time.
const maxComponents = 32

// ComposePart is one source of a composition.
type ComposePart struct {
	Name       string
	Generation int64 // 0: the live one
	Conditions Conditions
}

// Compose makes an object of the bytes of others of its bucket, one after the
// other, and then deletes those when it is asked to.
func (s *Service) Compose(ctx context.Context, n NewObject, parts []ComposePart, deleteParts bool) (*Object, error) {
	if len(parts) < 1 || len(parts) > maxComponents {
		return nil, sunya.Invalid("sourceObjects", "%d of them: between 1 and %d", len(parts), maxComponents)
	}
	if err := s.admit(ctx, &n); err != nil {
		return nil, fmt.Errorf("compose object: %w", err)
	}
	sources, err := s.sources(ctx, n.Bucket, parts)
	if err != nil {
		return nil, fmt.Errorf("compose object: %w", err)
	}
	w, done, err := s.join(ctx, n, sources)
	if err != nil {
		return nil, fmt.Errorf("compose object: %w", err)
	}
	defer done()
	w.MD5 = nil // as a composite object has none
	o := s.object(n, w)
	o.Properties.Components = 0
	for _, source := range sources {
		o.Properties.Components += max(source.Properties.Components, 1)
	}
	err = s.change(ctx, func(t *work) error {
		if err := t.put(o, n.Conditions); err != nil || !deleteParts {
			return err
		}
		return t.deleteSources(sources, o)
	})
	if err != nil {
		s.freeRefused(ctx, err, w.Blob)
		return nil, fmt.Errorf("compose object: %w", err)
	}
	return o, nil
}

// sources are the generations that a composition is made of.
func (s *Service) sources(ctx context.Context, bucket string, parts []ComposePart) ([]*Object, error) {
	var out []*Object
	size := int64(0)
	for _, p := range parts {
		if p.Name == "" {
			return nil, sunya.Invalid("sourceObjects", "a source needs a name")
		}
		o, err := s.Get(ctx, bucket, p.Name, p.Generation, p.Conditions)
		if err != nil {
			return nil, err
		}
		size += o.Size
		out = append(out, o)
	}
	if size > s.opts.MaxObjectBytes {
		m := metered{what: bucket, limit: s.opts.MaxObjectBytes}
		return nil, m.tooLarge()
	}
	return out, nil
}

// join writes the bytes of all sources as one blob, checked against their
// checksums on the way.
func (s *Service) join(ctx context.Context, n NewObject, sources []*Object) (Written, func(), error) {
	var chunks []Chunk
	total := int64(0)
	for i, o := range sources {
		chunks = append(chunks, Chunk{Start: int64(i), Size: o.Size, Blob: o.Blob})
		total += o.Size
	}
	at := 0
	r := &chain{chunks: chunks, open: func(blob string) (io.ReadCloser, error) {
		o := sources[at]
		at++
		body, err := s.open(ctx, blob)
		if sunya.CodeOf(err) == sunya.NotFound {
			return nil, sunya.Errorf(sunya.Aborted, path(o.Bucket, o.Name), "the object was replaced while it was composed: try again")
		}
		if err != nil {
			return nil, err
		}
		_, checked, err := s.verified(o, body)
		return checked, err
	}}
	w, done, err := s.write(ctx, path(n.Bucket, n.Name), r, total, s.opts.MaxObjectBytes)
	if cerr := r.Close(); err == nil && cerr != nil {
		done()
		s.free(ctx, w.Blob)
		err = cerr
	}
	return w, done, errors.Join(err)
}

// deleteSources ends what was composed and is still what it was, but not the
// composition itself.
func (w *work) deleteSources(sources []*Object, made *Object) error {
	seen := map[string]bool{made.Name: true}
	for _, o := range sources {
		if seen[o.Name] {
			continue
		}
		seen[o.Name] = true
		err := w.delete(o.Bucket, o.Name, 0, Conditions{GenerationMatch: &o.Generation})
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
	}
	return nil
}
