package s3

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Both writes to one store and reads and tidies two: so a server may begin to
// use a bucket, and cease to, and no object is lost.
type Both struct {
	Files objects.Blobs
	S3    *Blobs // nil: what is in it cannot be read
}

var _ objects.Blobs = Both{}

// of is the store that a blob is in.
func (b Both) of(blob string) (objects.Blobs, error) {
	switch {
	case !strings.HasPrefix(blob, "s3-"):
		return b.Files, nil
	case b.S3 != nil:
		return b.S3, nil
	}
	return nil, sunya.Errorf(sunya.FailedPrecondition, blob, "the bytes are in an S3 bucket: start the server with its --blobs again")
}

// Write implements objects.Blobs.
func (b Both) Write(ctx context.Context, r io.Reader, limit int64) (objects.Written, error) {
	if b.S3 != nil {
		return b.S3.Write(ctx, r, limit)
	}
	return b.Files.Write(ctx, r, limit)
}

// Open implements objects.Blobs.
func (b Both) Open(ctx context.Context, blob string) (io.ReadSeekCloser, error) {
	s, err := b.of(blob)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, blob)
}

// Delete implements objects.Blobs.
func (b Both) Delete(ctx context.Context, blob string) error {
	s, err := b.of(blob)
	if err != nil {
		return err
	}
	return s.Delete(ctx, blob)
}

// Sweep implements objects.Blobs.
func (b Both) Sweep(ctx context.Context, inUse func(string) (bool, error)) error {
	err := b.Files.Sweep(ctx, inUse)
	if b.S3 != nil {
		err = errors.Join(err, b.S3.Sweep(ctx, inUse))
	}
	return err
}
