// Package s3 keeps the bytes of objects in a bucket of an S3-compatible store.
package s3

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Blobs keeps each blob as one object of the bucket, called PREFIX/s3-HEX with
// 128 random bits. A store shows an object once it is complete, so there is no
// half-written one. It implements objects.Blobs and is safe for concurrent use.
type Blobs struct {
	core   minio.Core
	bucket string
	prefix string // of the objects' names: empty, or ends in a slash
	grace  time.Duration
	now    func() time.Time
}

var _ objects.Blobs = (*Blobs)(nil)

var blobRE = regexp.MustCompile(`^s3-[0-9a-f]{32}$`)

// Open opens the store that a URL names (see Config). Credentials and what the
// URL leaves out come from AWS' variables, which getenv returns. Sweep spares what
// was written less than grace ago, by the store's clock. FailedPrecondition when
// the bucket cannot be used.
func Open(ctx context.Context, url string, getenv func(string) string, grace time.Duration, now func() time.Time) (*Blobs, error) {
	c, err := Parse(url, getenv)
	if err != nil {
		return nil, err
	}
	client, err := c.client(getenv)
	if err != nil {
		return nil, err
	}
	b := &Blobs{core: minio.Core{Client: client}, bucket: c.Bucket, prefix: c.Prefix, grace: grace, now: now}
	exists, err := client.BucketExists(ctx, c.Bucket)
	switch {
	case err != nil:
		return nil, sunya.Errorf(sunya.FailedPrecondition, url, "--blobs: the bucket %s at %s cannot be used: %v; check the address, region and credentials", c.Bucket, c.Endpoint, err)
	case !exists:
		return nil, sunya.Errorf(sunya.FailedPrecondition, url, "--blobs: there is no bucket %s at %s: make it first", c.Bucket, c.Endpoint)
	}
	return b, nil
}

// partSize is how much of a blob is in memory while it is sent; one that is
// larger goes in parts.
const partSize = 16 << 20

// Write implements objects.Blobs. An error of r comes back as it is; the
// store's are Unavailable.
func (b *Blobs) Write(ctx context.Context, r io.Reader, limit int64) (objects.Written, error) {
	var id [16]byte
	rand.Read(id[:])
	blob := "s3-" + hex.EncodeToString(id[:])
	s := newSource(r, limit)
	err := b.put(ctx, b.prefix+blob, s)
	if s.err != nil {
		return objects.Written{}, s.err
	}
	if err != nil {
		return objects.Written{}, fmt.Errorf("write blob: %w", b.failed(err))
	}
	return s.written(blob), nil
}

// put sends what fits into one part in one request.
func (b *Blobs) put(ctx context.Context, key string, s *source) error {
	first, err := s.first()
	if err != nil {
		return err
	}
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize, DisableContentSha256: b.core.EndpointURL().Scheme == "https"}
	if s.ended {
		info, err := b.core.Client.PutObject(ctx, b.bucket, key, first, s.size, opts)
		if err == nil && info.Size != s.size {
			err = fmt.Errorf("%d bytes were sent, %d are stored", s.size, info.Size)
		}
		return err
	}
	_, err = b.core.Client.PutObject(ctx, b.bucket, key, io.MultiReader(first, s), -1, opts)
	return err
}

// Open implements objects.Blobs: NotFound when there is no such blob.
func (b *Blobs) Open(ctx context.Context, blob string) (io.ReadSeekCloser, error) {
	if !blobRE.MatchString(blob) {
		return nil, sunya.Errorf(sunya.NotFound, blob, "not the name of a blob")
	}
	info, err := b.core.StatObject(ctx, b.bucket, b.prefix+blob, minio.StatObjectOptions{})
	if err != nil {
		if missing(err) {
			return nil, sunya.Errorf(sunya.NotFound, blob, "the blob does not exist")
		}
		return nil, fmt.Errorf("open blob: %w", b.failed(err))
	}
	return &reader{ctx: ctx, blobs: b, key: b.prefix + blob, size: info.Size}, nil
}

// Delete implements objects.Blobs. A blob that is gone is not an error.
func (b *Blobs) Delete(ctx context.Context, blob string) error {
	if !blobRE.MatchString(blob) {
		return sunya.Errorf(sunya.NotFound, blob, "not the name of a blob")
	}
	err := b.core.Client.RemoveObject(ctx, b.bucket, b.prefix+blob, minio.RemoveObjectOptions{})
	if err != nil && !missing(err) {
		return fmt.Errorf("delete blob: %w", b.failed(err))
	}
	return nil
}

// Sweep implements objects.Blobs: it also ends uploads that a crash broke off.
// It goes on past what cannot be removed and returns the errors.
func (b *Blobs) Sweep(ctx context.Context, inUse func(blob string) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listings
	old := b.now().Add(-b.grace)
	var errs []error
	for o := range b.core.Client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + "s3-", Recursive: true}) {
		if o.Err != nil {
			return errors.Join(append(errs, fmt.Errorf("sweep blobs: %w", b.failed(o.Err)))...)
		}
		blob := o.Key[len(b.prefix):]
		if o.LastModified.After(old) || !blobRE.MatchString(blob) {
			continue
		}
		used, err := inUse(blob)
		if err == nil && !used {
			err = b.Delete(ctx, blob)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep blobs: %w", err))
		}
	}
	return errors.Join(append(errs, b.endUploads(ctx, old))...)
}

func (b *Blobs) endUploads(ctx context.Context, old time.Time) error {
	var errs []error
	for u := range b.core.Client.ListIncompleteUploads(ctx, b.bucket, b.prefix+"s3-", true) {
		if u.Err != nil {
			return errors.Join(append(errs, fmt.Errorf("sweep uploads: %w", b.failed(u.Err)))...)
		}
		if u.Initiated.After(old) {
			continue
		}
		if err := b.core.AbortMultipartUpload(ctx, b.bucket, u.Key, u.UploadID); err != nil && !missing(err) {
			errs = append(errs, fmt.Errorf("sweep uploads: %w", b.failed(err)))
		}
	}
	return errors.Join(errs...)
}

func missing(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.Code == "NoSuchKey" || r.Code == "NoSuchUpload" || r.StatusCode == 404
}

// failed says what to do about an error of the store.
func (b *Blobs) failed(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &sunya.Error{Code: sunya.Unavailable, Err: err,
		Message: fmt.Sprintf("the bucket %s of %s cannot be used: %v; check that it is reachable and the credentials may write, then try again", b.bucket, b.core.EndpointURL().Host, err)}
}
