package registry

import (
	"context"
	"io"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Blob returns what is known of a blob of a repository.
func (s *Service) Blob(ctx context.Context, repository, digest string) (*Blob, error) {
	if err := CheckName(repository); err != nil {
		return nil, err
	}
	if err := CheckDigest(digest); err != nil {
		return nil, err
	}
	b, err := s.store.GetRegistryBlob(ctx, repository, digest)
	if err != nil {
		return nil, because(err, sunya.NotFound, BlobUnknown, "the repository %s has no blob %s", repository, digest)
	}
	return b, nil
}

// OpenBlob returns the bytes of a blob of a repository.
func (s *Service) OpenBlob(ctx context.Context, repository, digest string) (*Blob, io.ReadSeekCloser, error) {
	b, err := s.Blob(ctx, repository, digest)
	if err != nil {
		return nil, nil, err
	}
	body, _, err := s.blobs.Open(ctx, digest)
	if err != nil {
		return nil, nil, because(err, sunya.NotFound, BlobUnknown, "the blob %s is lost: push it again", digest)
	}
	return b, body, nil
}

// Offer is Blob for a client that asks before it pushes: the blob then stays
// long enough for a manifest that names it.
func (s *Service) Offer(ctx context.Context, repository, digest string) (*Blob, error) {
	b, err := s.Blob(ctx, repository, digest)
	if err != nil || s.now().Sub(b.Time) < BlobGrace/2 {
		return b, err
	}
	b.Time = s.now()
	if err := s.keep(ctx, repository, *b); err != nil {
		return nil, because(err, sunya.NotFound, BlobUnknown, "the repository %s has no blob %s", repository, digest)
	}
	return b, nil
}

// keep makes a blob belong to a repository, if its bytes are there.
func (s *Service) keep(ctx context.Context, repository string, b Blob) error {
	l := s.lock(b.Digest)
	l.RLock()
	defer l.RUnlock()
	body, size, err := s.blobs.Open(ctx, b.Digest)
	if err != nil {
		return err
	}
	b.Size = size
	if err := body.Close(); err != nil {
		return err
	}
	return s.store.PutRegistryBlob(ctx, repository, b)
}

// Mount makes a blob of another repository belong to this one, too, without
// uploading it again. From "" takes it from any repository of the same project.
// NotFound says that it has to be uploaded.
func (s *Service) Mount(ctx context.Context, repository, from, digest string) error {
	if err := CheckName(repository); err != nil {
		return err
	}
	if err := CheckDigest(digest); err != nil {
		return err
	}
	if err := s.has(ctx, repository, from, digest); err != nil {
		return err
	}
	return s.keep(ctx, repository, Blob{Digest: digest, Time: s.now()})
}

func (s *Service) has(ctx context.Context, repository, from, digest string) error {
	if from == "" {
		_, err := s.store.FindRegistryBlob(ctx, ProjectOf(repository), digest)
		return err
	}
	if err := CheckName(from); err != nil {
		return err
	}
	_, err := s.store.GetRegistryBlob(ctx, from, digest)
	return err
}

// DeleteBlob takes a blob out of a repository. Its bytes go with the next
// collection, unless another repository has it.
func (s *Service) DeleteBlob(ctx context.Context, repository, digest string) error {
	if _, err := s.Blob(ctx, repository, digest); err != nil {
		return err
	}
	return s.store.DeleteRegistryBlob(ctx, repository, digest)
}

// BlobGrace is how long a blob is kept that no manifest names: as long as it
// takes to push the rest of an image.
const BlobGrace = 24 * time.Hour
