package registry

import (
	"context"
	"io"

	"github.com/sunya-cloud/sunya"
)

// BeginUpload starts the upload of a blob to a repository.
func (s *Service) BeginUpload(ctx context.Context, repository string) (id string, err error) {
	if err := CheckName(repository); err != nil {
		return "", err
	}
	return s.blobs.Begin(ctx, repository)
}

// Uploaded is how many bytes an upload has.
func (s *Service) Uploaded(ctx context.Context, repository, id string) (int64, error) {
	n, err := s.blobs.Uploaded(ctx, repository, id)
	return n, unknownUpload(err, id)
}

// Append adds bytes to an upload, at the place where the client believes that
// it is; -1: wherever that is. It returns how many bytes there are then.
func (s *Service) Append(ctx context.Context, repository, id string, at int64, body io.Reader) (int64, error) {
	n, err := s.blobs.Append(ctx, repository, id, at, body, MaxBlobBytes)
	return n, unknownUpload(because(err, sunya.OutOfRange, BlobUploadInvalid, "the upload goes on at byte %d, not at %d", n, at), id)
}

// FinishUpload makes the uploaded bytes a blob of the repository.
func (s *Service) FinishUpload(ctx context.Context, repository, id, digest string) (*Blob, error) {
	if err := CheckDigest(digest); err != nil {
		return nil, err
	}
	l := s.lock(digest)
	l.RLock()
	defer l.RUnlock()
	size, err := s.blobs.Commit(ctx, repository, id, digest)
	if err != nil {
		return nil, unknownUpload(err, id)
	}
	b := Blob{Digest: digest, Size: size, Time: s.now()}
	if err := s.store.PutRegistryBlob(ctx, repository, b); err != nil {
		return nil, err
	}
	return &b, nil
}

// CancelUpload ends an upload and forgets its bytes.
func (s *Service) CancelUpload(ctx context.Context, repository, id string) error {
	return unknownUpload(s.blobs.Cancel(ctx, repository, id), id)
}

// Put uploads a blob in one go.
func (s *Service) Put(ctx context.Context, repository, digest string, body io.Reader) (*Blob, error) {
	id, err := s.BeginUpload(ctx, repository)
	if err != nil {
		return nil, err
	}
	if _, err = s.Append(ctx, repository, id, 0, body); err == nil {
		var b *Blob
		if b, err = s.FinishUpload(ctx, repository, id, digest); err == nil {
			return b, nil
		}
	}
	if e := s.CancelUpload(context.WithoutCancel(ctx), repository, id); e != nil {
		s.log.Warn("forget an upload", "err", e)
	}
	return nil, err
}

func unknownUpload(err error, id string) error {
	return because(err, sunya.NotFound, BlobUploadUnknown, "there is no upload %.100q: it has ended, or nobody went on with it for a day; begin it again", id)
}
