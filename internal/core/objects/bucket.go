package objects

import (
	"context"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// CreateBucket makes a bucket; its times and metageneration are set here. Names
// are unique on the whole platform: AlreadyExists.
func (s *Service) CreateBucket(ctx context.Context, b Bucket) (*Bucket, error) {
	if err := CheckBucketName(b.Name); err != nil {
		return nil, err
	}
	return s.createBucket(ctx, b)
}

// EnsureBucket returns the bucket of this name, which is made when missing. It
// is for the buckets that belong to a product (staging.P.appspot.com), whose
// names may be any. AlreadyExists when another project has it.
func (s *Service) EnsureBucket(ctx context.Context, b Bucket) (*Bucket, error) {
	if err := checkBucketShape(b.Name); err != nil {
		return nil, err
	}
	have, err := s.store.GetBucket(ctx, b.Name)
	if sunya.CodeOf(err) == sunya.NotFound {
		have, err = s.createBucket(ctx, b)
	}
	if sunya.CodeOf(err) == sunya.AlreadyExists {
		have, err = s.store.GetBucket(ctx, b.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("ensure bucket: %w", err)
	}
	if have.Project != b.Project {
		return nil, sunya.Errorf(sunya.AlreadyExists, b.Name, "the bucket belongs to project %s: delete it there or use another name", have.Project)
	}
	return have, nil
}

func (s *Service) createBucket(ctx context.Context, b Bucket) (*Bucket, error) {
	if err := sunya.CheckProject(b.Project); err != nil {
		return nil, err
	}
	b.Metageneration = 1
	b.CreateTime = s.now()
	b.UpdateTime = b.CreateTime
	if err := s.store.CreateBucket(ctx, &b); err != nil {
		return nil, fmt.Errorf("create bucket: %w", err)
	}
	return &b, nil
}

// GetBucket returns a bucket; NotFound.
func (s *Service) GetBucket(ctx context.Context, name string, cond Conditions) (*Bucket, error) {
	b, err := s.store.GetBucket(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get bucket: %w", err)
	}
	if err := cond.holdsOf(b); err != nil {
		return nil, err
	}
	return b, nil
}

func (c Conditions) holdsOf(b *Bucket) error {
	c.GenerationMatch, c.GenerationNotMatch = nil, nil
	return c.check(b.Name, 0, b.Metageneration)
}

// ListBuckets returns a project's buckets, or with an empty project those of all,
// in byte order, at most limit. next is
// the name to continue after, empty at the end.
func (s *Service) ListBuckets(ctx context.Context, project, prefix, after string, limit int) (buckets []Bucket, next string, err error) {
	buckets, err = s.store.ListBuckets(ctx, project, prefix, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list buckets: %w", err)
	}
	if len(buckets) > limit {
		buckets = buckets[:limit]
		next = buckets[limit-1].Name
	}
	return buckets, next, nil
}

// UpdateBucket changes what may be changed of a bucket: its Rules, Document and
// Policy.
func (s *Service) UpdateBucket(ctx context.Context, name string, cond Conditions, change func(*Bucket) error) (*Bucket, error) {
	var out Bucket
	err := s.store.UpdateBucket(ctx, name, func(b *Bucket) error {
		next := *b
		if err := cond.holdsOf(b); err != nil {
			return err
		}
		if err := change(&next); err != nil {
			return err
		}
		b.Document, b.Rules, b.Policy = next.Document, next.Rules, next.Policy
		b.Metageneration++
		b.UpdateTime = s.now()
		out = *b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("update bucket: %w", err)
	}
	return &out, nil
}

// LockRetention makes the retention of a bucket one that can only be made longer, for
// good. InvalidArgument when there is none.
func (s *Service) LockRetention(ctx context.Context, name string, cond Conditions) (*Bucket, error) {
	return s.UpdateBucket(ctx, name, cond, func(b *Bucket) error {
		if b.Rules.Retention == nil {
			return sunya.Invalid("retentionPolicy", "bucket %s has no retention policy to lock", name)
		}
		locked := *b.Rules.Retention
		locked.Locked = true
		b.Rules.Retention = &locked
		return nil
	})
}

// DeleteBucket removes an empty bucket; FailedPrecondition while it holds
// objects, live or archived. What was deleted softly goes with it.
func (s *Service) DeleteBucket(ctx context.Context, name string, cond Conditions) error {
	free, err := s.store.DeleteBucket(ctx, name, cond.holdsOf)
	if err != nil {
		return fmt.Errorf("delete bucket: %w", err)
	}
	s.free(ctx, free...)
	return nil
}
