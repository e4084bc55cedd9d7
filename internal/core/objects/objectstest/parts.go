package objectstest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// PutPart implements objects.UploadStore.
func (s *Store) PutPart(_ context.Context, id string, c objects.Chunk) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok {
		return "", gone(id)
	}
	if u.Generation != 0 {
		return "", sunya.Errorf(sunya.Aborted, id, "finished already")
	}
	old := ""
	chunks := slices.DeleteFunc(slices.Clone(u.Chunks), func(have objects.Chunk) bool {
		if have.Start == c.Start {
			old = have.Blob
		}
		return have.Start == c.Start
	})
	u.Chunks = append(chunks, c)
	slices.SortFunc(u.Chunks, func(a, b objects.Chunk) int { return cmp.Compare(a.Start, b.Start) })
	s.uploads[id] = u
	return old, nil
}

// PartUploads implements objects.UploadStore.
func (s *Store) PartUploads(_ context.Context, bucket, prefix string, limit int) ([]objects.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []objects.Upload
	for _, u := range s.uploads {
		if u.Multipart && u.Generation == 0 && u.Object.Bucket == bucket && strings.HasPrefix(u.Object.Name, prefix) {
			u.Chunks = nil
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b objects.Upload) int {
		return cmp.Or(cmp.Compare(a.Object.Name, b.Object.Name), a.CreateTime.Compare(b.CreateTime))
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}
