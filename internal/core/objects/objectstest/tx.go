package objectstest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// tx is an objects.Tx: the Store while its lock is held.
type tx struct{ *Store }

var _ objects.Tx = tx{}

// Change implements objects.Store.
func (s *Store) Change(_ context.Context, do func(objects.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	live, old, uploads, notices, kept := maps.Clone(s.objects), maps.Clone(s.old), maps.Clone(s.uploads), slices.Clone(s.notices), maps.Clone(s.bytes)
	err := do(tx{s})
	if err != nil {
		s.objects, s.old, s.uploads, s.notices, s.bytes = live, old, uploads, notices, kept
	}
	return err
}

// Bucket implements objects.Tx.
func (t tx) Bucket(name string) (*objects.Bucket, error) {
	b, ok := t.buckets[name]
	if !ok {
		return nil, gone(name)
	}
	return &b, nil
}

// Live implements objects.Tx.
func (t tx) Live(bucket, name string) (*objects.Object, error) {
	if o, ok := t.objects[[2]string{bucket, name}]; ok {
		return &o, nil
	}
	return nil, nil
}

// Version implements objects.Tx.
func (t tx) Version(bucket, name string, generation int64) (*objects.Object, error) {
	if o, ok := t.old[version{bucket, name, generation}]; ok {
		return &o, nil
	}
	return nil, nil
}

// Newest implements objects.Tx.
func (t tx) Newest(bucket, name string) (int64, error) {
	n := int64(0)
	for k := range t.old {
		if k.bucket == bucket && k.name == name {
			n = max(n, k.generation)
		}
	}
	return n, nil
}

// PutLive implements objects.Tx.
func (t tx) PutLive(o *objects.Object) error {
	if _, ok := t.buckets[o.Bucket]; !ok {
		return gone(o.Bucket)
	}
	t.objects[[2]string{o.Bucket, o.Name}] = *o
	return nil
}

// DropLive implements objects.Tx.
func (t tx) DropLive(bucket, name string) error {
	delete(t.objects, [2]string{bucket, name})
	return nil
}

// PutVersion implements objects.Tx.
func (t tx) PutVersion(o *objects.Object) error {
	if _, ok := t.buckets[o.Bucket]; !ok {
		return gone(o.Bucket)
	}
	t.old[version{o.Bucket, o.Name, o.Generation}] = *o
	return nil
}

// DropVersion implements objects.Tx.
func (t tx) DropVersion(bucket, name string, generation int64) error {
	delete(t.old, version{bucket, name, generation})
	return nil
}

// EndUpload implements objects.Tx.
func (t tx) EndUpload(id string, generation int64) ([]objects.Chunk, error) {
	u, ok := t.uploads[id]
	if !ok {
		return nil, gone(id)
	}
	if u.Generation != 0 {
		return nil, sunya.Errorf(sunya.Aborted, id, "finished already")
	}
	chunks := u.Chunks
	u.Generation, u.Chunks = generation, nil
	t.uploads[id] = u
	return chunks, nil
}

// Notifications implements objects.Tx.
func (t tx) Notifications(bucket string) ([]objects.Notification, error) { return t.of(bucket), nil }

// AddNotice implements objects.Tx.
func (t tx) AddNotice(n *objects.Notice) error {
	t.lastID++
	kept := *n
	kept.ID = t.lastID
	t.notices = append(t.notices, kept)
	return nil
}

// PutBytes implements objects.Tx.
func (t tx) PutBytes(p []byte) (string, error) {
	t.lastID++
	blob := objects.RowBlob(t.lastID)
	t.bytes[blob] = bytes.Clone(p)
	return blob, nil
}

// DropBytes implements objects.Tx.
func (t tx) DropBytes(blob string) error {
	delete(t.bytes, blob)
	return nil
}

// BlobInUse implements objects.Tx.
func (t tx) BlobInUse(blob string) (bool, error) { return t.inUse(blob), nil }

func (s *Store) of(bucket string) []objects.Notification {
	var out []objects.Notification
	for _, n := range s.notifications {
		if n.Bucket == bucket {
			out = append(out, n)
		}
	}
	return out
}

// CreateNotification implements objects.NotificationStore.
func (s *Store) CreateNotification(_ context.Context, n *objects.Notification, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[n.Bucket]; !ok {
		return gone(n.Bucket)
	}
	if len(s.of(n.Bucket)) >= limit {
		return sunya.Errorf(sunya.ResourceExhausted, n.Bucket, "too many")
	}
	s.lastID++
	n.ID = strconv.FormatInt(s.lastID, 10)
	s.notifications = append(s.notifications, *n)
	return nil
}

// Notifications implements objects.NotificationStore.
func (s *Store) Notifications(_ context.Context, bucket string) ([]objects.Notification, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(bucket), nil
}

// DeleteNotification implements objects.NotificationStore.
func (s *Store) DeleteNotification(_ context.Context, bucket, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.notifications {
		if n.Bucket == bucket && n.ID == id {
			s.notifications = slices.Delete(slices.Clone(s.notifications), i, i+1)
			return nil
		}
	}
	return gone(bucket + "/notificationConfigs/" + id)
}

// Notices implements objects.NotificationStore.
func (s *Store) Notices(_ context.Context, after int64, limit int) ([]objects.Notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []objects.Notice
	for _, n := range s.notices {
		if n.ID > after && len(out) < limit {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b objects.Notice) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// DeleteNotices implements objects.NotificationStore.
func (s *Store) DeleteNotices(_ context.Context, ids []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices = slices.DeleteFunc(slices.Clone(s.notices), func(n objects.Notice) bool { return slices.Contains(ids, n.ID) })
	return nil
}
