package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// How long a manifest is kept that no tag, no revision and no other manifest
// that is kept refers to.
const (
	PushedLife = 30 * 24 * time.Hour
	PulledLife = 7 * 24 * time.Hour
)

// Lives says what a collection lets go.
type Lives struct {
	InUse  []string  // digests of manifests that are kept
	Pushed time.Time // manifests pushed before then may go
	Pulled time.Time // manifests pulled before then may go
	Blobs  time.Time // blobs that came before then and that no manifest names may go
}

// Collect removes the manifests that nobody needs any more, what only they
// named, and uploads that were given up. A manifest is needed by a tag, by
// inUse, by a needed index that names it, and by the needed manifest that it is
// about. The registry serves meanwhile.
func (s *Service) Collect(ctx context.Context, inUse []string) error {
	now := s.now()
	manifests, blobs, err := s.store.CollectRegistry(ctx, Lives{
		InUse:  inUse,
		Pushed: now.Add(-PushedLife),
		Pulled: now.Add(-PulledLife),
		Blobs:  now.Add(-BlobGrace),
	})
	if err != nil {
		return fmt.Errorf("collect images: %w", err)
	}
	if manifests+blobs > 0 {
		s.log.Info("removed images that nobody needs", "manifests", manifests, "blobs", blobs)
	}
	if err := s.blobs.Sweep(ctx, func(digest string) error { return s.release(ctx, digest) }); err != nil {
		return fmt.Errorf("collect blobs: %w", err)
	}
	return nil
}

// release removes the bytes of a blob that no repository has. Between the
// question and the removal none can get it.
func (s *Service) release(ctx context.Context, digest string) error {
	l := s.lock(digest)
	l.Lock()
	defer l.Unlock()
	_, err := s.store.FindRegistryBlob(ctx, "", digest)
	if sunya.CodeOf(err) != sunya.NotFound {
		return err
	}
	return s.blobs.Delete(ctx, digest)
}
