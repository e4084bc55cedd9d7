package objects

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// Update changes the metadata of the live object: ContentType, Metadata and
// Document. change gets a copy and may be called again.
func (s *Service) Update(ctx context.Context, bucket, name string, generation int64, cond Conditions, change func(*Object) error) (*Object, error) {
	o := &Object{Bucket: bucket, Name: name}
	_, err := s.store.PutObject(ctx, o, func(live *Object) error {
		if err := present(live, bucket, name, generation, cond); err != nil {
			return err
		}
		next := *live
		if err := change(&next); err != nil {
			return err
		}
		if err := cmp.Or(checkMetadata(next.Metadata), checkContentType(next.ContentType)); err != nil {
			return err
		}
		*o = *live
		o.ContentType, o.Metadata, o.Document = next.ContentType, next.Metadata, next.Document
		o.Metageneration++
		o.UpdateTime = s.now()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("update object: %w", err)
	}
	return o, nil
}

// Delete removes the live object and then its bytes.
func (s *Service) Delete(ctx context.Context, bucket, name string, generation int64, cond Conditions) error {
	old, err := s.store.DeleteObject(ctx, bucket, name, func(live *Object) error {
		return present(live, bucket, name, generation, cond)
	})
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	s.free(ctx, old)
	return nil
}

// present checks that the live object is the one that a request means.
func present(live *Object, bucket, name string, generation int64, cond Conditions) error {
	if live == nil {
		return sunya.Errorf(sunya.NotFound, path(bucket, name), "the object does not exist")
	}
	if err := live.is(generation); err != nil {
		return err
	}
	return cond.holds(bucket, name, live)
}
