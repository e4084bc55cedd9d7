// Package objectstest is objects in memory, for tests of what stands on them.
// The contract suites of adapt/storetest hold of it too.
package objectstest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Store is an objects.Store that ends with its process. Use NewStore.
type Store struct {
	mu      sync.Mutex
	buckets map[string]objects.Bucket
	objects map[[2]string]objects.Object
	uploads map[string]objects.Upload
}

var _ objects.Store = (*Store)(nil)

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{buckets: map[string]objects.Bucket{}, objects: map[[2]string]objects.Object{}, uploads: map[string]objects.Upload{}}
}

func gone(resource string) error {
	return sunya.Errorf(sunya.NotFound, resource, "does not exist")
}

// CreateBucket implements objects.Store.
func (s *Store) CreateBucket(_ context.Context, b *objects.Bucket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[b.Name]; ok {
		return sunya.Errorf(sunya.AlreadyExists, b.Name, "exists already")
	}
	s.buckets[b.Name] = *b
	return nil
}

// GetBucket implements objects.Store.
func (s *Store) GetBucket(_ context.Context, name string) (*objects.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		return nil, gone(name)
	}
	return &b, nil
}

// ListBuckets implements objects.Store.
func (s *Store) ListBuckets(_ context.Context, project, prefix, after string, limit int) ([]objects.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []objects.Bucket
	for _, b := range s.buckets {
		if (project == "" || b.Project == project) && strings.HasPrefix(b.Name, prefix) && b.Name > after {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b objects.Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(limit, len(out))], nil
}

// UpdateBucket implements objects.Store.
func (s *Store) UpdateBucket(_ context.Context, name string, change func(*objects.Bucket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		return gone(name)
	}
	if err := change(&b); err != nil {
		return err
	}
	s.buckets[name] = b
	return nil
}

// DeleteBucket implements objects.Store.
func (s *Store) DeleteBucket(_ context.Context, name string, cond func(*objects.Bucket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		return gone(name)
	}
	if cond != nil {
		if err := cond(&b); err != nil {
			return err
		}
	}
	for k := range s.objects {
		if k[0] == name {
			return sunya.Errorf(sunya.FailedPrecondition, name, "not empty")
		}
	}
	delete(s.buckets, name)
	return nil
}

// PutObject implements objects.Store.
func (s *Store) PutObject(_ context.Context, o *objects.Object, cond func(*objects.Object) error) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(o, cond)
}

func (s *Store) put(o *objects.Object, cond func(*objects.Object) error) (string, error) {
	key := [2]string{o.Bucket, o.Name}
	live, old := (*objects.Object)(nil), ""
	if have, ok := s.objects[key]; ok {
		live, old = &have, have.Blob
	}
	if cond != nil {
		if err := cond(live); err != nil {
			return "", err
		}
	}
	if _, ok := s.buckets[o.Bucket]; !ok {
		return "", gone(o.Bucket)
	}
	s.objects[key] = *o
	if old == o.Blob {
		old = ""
	}
	return old, nil
}

// GetObject implements objects.Store.
func (s *Store) GetObject(_ context.Context, bucket, name string) (*objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[[2]string{bucket, name}]
	if !ok {
		return nil, gone(bucket + "/" + name)
	}
	return &o, nil
}

// ListObjects implements objects.Store.
func (s *Store) ListObjects(_ context.Context, bucket, prefix, start string, limit int) ([]objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[bucket]; !ok {
		return nil, gone(bucket)
	}
	var out []objects.Object
	for _, o := range s.objects {
		if o.Bucket == bucket && strings.HasPrefix(o.Name, prefix) && o.Name >= start {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b objects.Object) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(limit, len(out))], nil
}

// DeleteObject implements objects.Store.
func (s *Store) DeleteObject(_ context.Context, bucket, name string, cond func(*objects.Object) error) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[[2]string{bucket, name}]
	if !ok {
		return "", gone(bucket + "/" + name)
	}
	if cond != nil {
		if err := cond(&o); err != nil {
			return "", err
		}
	}
	delete(s.objects, [2]string{bucket, name})
	return o.Blob, nil
}

// BlobInUse implements objects.Store.
func (s *Store) BlobInUse(_ context.Context, blob string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if o.Blob == blob {
			return true, nil
		}
	}
	for _, u := range s.uploads {
		for _, c := range u.Chunks {
			if c.Blob == blob {
				return true, nil
			}
		}
	}
	return false, nil
}

// UsedBytes implements objects.Store.
func (s *Store) UsedBytes(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for _, o := range s.objects {
		n += o.Size
	}
	for _, u := range s.uploads {
		n += u.Received()
	}
	return n, nil
}

// CreateUpload implements objects.UploadStore.
func (s *Store) CreateUpload(_ context.Context, u *objects.Upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[u.ID] = *u
	return nil
}

// GetUpload implements objects.UploadStore.
func (s *Store) GetUpload(_ context.Context, id string) (*objects.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok {
		return nil, gone(id)
	}
	u.Chunks = slices.Clone(u.Chunks)
	return &u, nil
}

// AddChunk implements objects.UploadStore.
func (s *Store) AddChunk(_ context.Context, id string, c objects.Chunk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok {
		return gone(id)
	}
	if u.Generation != 0 || u.Received() != c.Start {
		return sunya.Errorf(sunya.Aborted, id, "continued by another request")
	}
	u.Chunks = append(slices.Clone(u.Chunks), c)
	s.uploads[id] = u
	return nil
}

// FinishUpload implements objects.UploadStore.
func (s *Store) FinishUpload(_ context.Context, id string, o *objects.Object, cond func(*objects.Object) error) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok {
		return nil, gone(id)
	}
	if u.Generation != 0 {
		return nil, sunya.Errorf(sunya.Aborted, id, "finished already")
	}
	old, err := s.put(o, cond)
	if err != nil {
		return nil, err
	}
	free := blobs(u.Chunks, o.Blob)
	if old != "" {
		free = append(free, old)
	}
	u.Generation, u.Chunks = o.Generation, nil
	s.uploads[id] = u
	return free, nil
}

func blobs(chunks []objects.Chunk, keep string) []string {
	var out []string
	for _, c := range chunks {
		if c.Blob != keep {
			out = append(out, c.Blob)
		}
	}
	return out
}

// DeleteUpload implements objects.UploadStore.
func (s *Store) DeleteUpload(_ context.Context, id string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok {
		return nil, gone(id)
	}
	delete(s.uploads, id)
	return blobs(u.Chunks, ""), nil
}

// OldUploads implements objects.UploadStore.
func (s *Store) OldUploads(_ context.Context, t time.Time, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, u := range s.uploads {
		if u.CreateTime.Before(t) && len(out) < limit {
			out = append(out, id)
		}
	}
	return out, nil
}
