// Package objectstest is objects in memory, for tests of what stands on them.
// The contract suites of adapt/storetest hold of it too.
package objectstest

import (
	"bytes"
	"cmp"
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
	old     map[version]objects.Object // not live
	uploads map[string]objects.Upload
	bytes   map[string][]byte // small blobs

	notifications []objects.Notification
	notices       []objects.Notice
	lastID        int64
}

// version names a generation.
type version struct {
	bucket, name string
	generation   int64
}

var _ objects.Store = (*Store)(nil)

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{buckets: map[string]objects.Bucket{}, objects: map[[2]string]objects.Object{}, old: map[version]objects.Object{}, uploads: map[string]objects.Upload{}, bytes: map[string][]byte{}}
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
func (s *Store) DeleteBucket(_ context.Context, name string, cond func(*objects.Bucket) error) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		return nil, gone(name)
	}
	if cond != nil {
		if err := cond(&b); err != nil {
			return nil, err
		}
	}
	for k := range s.objects {
		if k[0] == name {
			return nil, sunya.Errorf(sunya.FailedPrecondition, name, "not empty")
		}
	}
	var free []string
	for k, o := range s.old {
		if k.bucket == name && !o.Soft() {
			return nil, sunya.Errorf(sunya.FailedPrecondition, name, "not empty")
		}
	}
	for k, o := range s.old {
		if k.bucket == name {
			delete(s.old, k)
			if _, ok := objects.RowID(o.Blob); ok && !s.inUse(o.Blob) {
				delete(s.bytes, o.Blob)
			} else if !s.inUse(o.Blob) {
				free = append(free, o.Blob)
			}
		}
	}
	delete(s.buckets, name)
	s.notifications = slices.DeleteFunc(s.notifications, func(n objects.Notification) bool { return n.Bucket == name })
	return free, nil
}

// GetObject implements objects.Store.
func (s *Store) GetObject(_ context.Context, bucket, name string, generation int64) (*objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[[2]string{bucket, name}]; ok && (generation == 0 || generation == o.Generation) {
		return &o, nil
	}
	if o, ok := s.old[version{bucket, name, generation}]; ok {
		return &o, nil
	}
	return nil, gone(bucket + "/" + name)
}

// ListObjects implements objects.Store.
func (s *Store) ListObjects(_ context.Context, r objects.Range) ([]objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[r.Bucket]; !ok {
		return nil, gone(r.Bucket)
	}
	var out []objects.Object
	add := func(o objects.Object) {
		behind := o.Name > r.Start || o.Name == r.Start && o.Generation >= r.Generation
		if o.Bucket == r.Bucket && strings.HasPrefix(o.Name, r.Prefix) && behind {
			out = append(out, o)
		}
	}
	for _, o := range s.objects {
		if r.Which != objects.SoftDeleted {
			add(o)
		}
	}
	for _, o := range s.old {
		if r.Which == objects.SoftDeleted && o.Soft() || r.Which == objects.AllVersions && !o.Soft() {
			add(o)
		}
	}
	slices.SortFunc(out, func(a, b objects.Object) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Generation, b.Generation))
	})
	return out[:min(r.Limit, len(out))], nil
}

// EndedObjects implements objects.Store.
func (s *Store) EndedObjects(_ context.Context, t time.Time, limit int) ([]objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []objects.Object
	for _, o := range s.old {
		if o.Soft() && o.HardDeleteTime.Before(t) && len(out) < limit {
			out = append(out, o)
		}
	}
	return out, nil
}

// Bytes implements objects.Store.
func (s *Store) Bytes(_ context.Context, blob string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.bytes[blob]
	if !ok {
		return nil, gone(blob)
	}
	return bytes.Clone(p), nil
}

// Rows is how many small blobs there are.
func (s *Store) Rows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bytes)
}

// BlobInUse implements objects.Store.
func (s *Store) BlobInUse(_ context.Context, blob string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse(blob), nil
}

func (s *Store) inUse(blob string) bool {
	for _, o := range s.objects {
		if o.Blob == blob {
			return true
		}
	}
	for _, o := range s.old {
		if o.Blob == blob {
			return true
		}
	}
	for _, u := range s.uploads {
		for _, c := range u.Chunks {
			if c.Blob == blob {
				return true
			}
		}
	}
	return false
}

// UsedBytes implements objects.Store.
func (s *Store) UsedBytes(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for _, o := range s.objects {
		n += o.Size
	}
	for _, o := range s.old {
		n += o.Size
	}
	for _, u := range s.uploads {
		for _, c := range u.Chunks {
			n += c.Size
		}
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

func blobs(chunks []objects.Chunk) []string {
	var out []string
	for _, c := range chunks {
		out = append(out, c.Blob)
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
	return blobs(u.Chunks), nil
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
