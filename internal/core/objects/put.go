package objects

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/sunya-cloud/sunya"
)

// NewObject is what an upload makes.
type NewObject struct {
	Bucket      string
	Name        string
	ContentType string // empty: application/octet-stream
	Metadata    map[string]string
	Properties  Properties
	Document    []byte
	Conditions  Conditions
	Expect      Checksums
}

// Checksums is what an uploader computed of its bytes; nil fields are not
// checked.
type Checksums struct {
	CRC32C *uint32
	MD5    []byte
}

// Put writes r to a new generation. size is what r should have, below 0 when
// unknown. Nothing is left of an upload that fails.
func (s *Service) Put(ctx context.Context, n NewObject, r io.Reader, size int64) (*Object, error) {
	if err := s.admit(ctx, &n); err != nil {
		return nil, fmt.Errorf("put object: %w", err)
	}
	w, done, err := s.writeObject(ctx, path(n.Bucket, n.Name), r, size)
	if err != nil {
		return nil, fmt.Errorf("put object: %w", err)
	}
	defer done()
	o, err := s.record(ctx, n, w)
	if err != nil {
		return nil, fmt.Errorf("put object: %w", err)
	}
	return o, nil
}

// admit checks everything that can be checked before the bytes arrive.
func (s *Service) admit(ctx context.Context, n *NewObject) error {
	if err := CheckObjectName(n.Name); err != nil {
		return err
	}
	if err := cmp.Or(checkMetadata(n.Metadata), checkContentType(n.ContentType), checkClass(n.Properties.StorageClass)); err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = "application/octet-stream"
	}
	if _, err := s.store.GetBucket(ctx, n.Bucket); err != nil {
		return err
	}
	if n.Conditions.None() {
		return nil
	}
	live, err := s.live(ctx, n.Bucket, n.Name)
	if err != nil {
		return err
	}
	return n.Conditions.holds(n.Bucket, n.Name, live)
}

// live returns the live object, nil when there is none.
func (s *Service) live(ctx context.Context, bucket, name string) (*Object, error) {
	o, err := s.store.GetObject(ctx, bucket, name, 0)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return o, err
}

// write stores r as a blob within the quota. The caller calls done when the
// blob is recorded or gone.
func (s *Service) write(ctx context.Context, what string, r io.Reader, size, limit int64) (w Written, done func(), err error) {
	return s.measure(ctx, what, r, size, limit, func(r io.Reader) (Written, error) { return s.blobs.Write(ctx, r, limit) })
}

// writeObject is write for a whole object, which may be small enough for a row.
func (s *Service) writeObject(ctx context.Context, what string, r io.Reader, size int64) (Written, func(), error) {
	limit := s.opts.MaxObjectBytes
	return s.measure(ctx, what, r, size, limit, func(r io.Reader) (Written, error) {
		w, all, err := s.small(r, size)
		if err != nil {
			return Written{}, err
		}
		if w != nil {
			return *w, nil
		}
		return s.blobs.Write(ctx, all, limit)
	})
}

// measure holds r against the quota and its announced size while do stores it.
func (s *Service) measure(ctx context.Context, what string, r io.Reader, size, limit int64, do func(io.Reader) (Written, error)) (w Written, done func(), err error) {
	m := &metered{ctx: ctx, r: r, quota: s.quota, what: what, limit: limit}
	if err := m.expect(size); err != nil {
		return w, nil, err
	}
	w, err = do(m)
	if err == nil && size >= 0 && w.Size != size && broken(r) == nil {
		s.free(ctx, w.Blob)
		err = sunya.Invalid("Content-Length", "%d bytes announced, %d arrived", size, w.Size)
	}
	if err != nil {
		m.release()
		return w, nil, err
	}
	return w, m.release, nil
}

// record makes a blob the live generation of its object.
func (s *Service) record(ctx context.Context, n NewObject, w Written) (*Object, error) {
	if err := n.Expect.check(n.Bucket, n.Name, w); err != nil {
		s.free(ctx, w.Blob)
		return nil, err
	}
	o := s.object(n, w)
	err := s.change(ctx, func(t *work) (err error) {
		if w.Bytes != nil {
			if o.Blob, err = t.PutBytes(w.Bytes); err != nil {
				return err
			}
		}
		return t.put(o, n.Conditions)
	})
	if err != nil {
		s.freeRefused(ctx, err, w.Blob)
		return nil, err
	}
	return o, nil
}

// freeRefused deletes a blob that the store certainly did not record. After any
// other error the record may exist after a crash, so Sweep decides.
func (s *Service) freeRefused(ctx context.Context, err error, blob string) {
	switch sunya.CodeOf(err) {
	case sunya.FailedPrecondition, sunya.NotFound, sunya.Aborted, sunya.ResourceExhausted, sunya.PermissionDenied, sunya.InvalidArgument:
		s.free(ctx, blob)
	}
}

// object is the object that n and w make, but for its generation.
func (s *Service) object(n NewObject, w Written) *Object {
	now := s.now()
	return &Object{
		Bucket: n.Bucket, Name: n.Name, ContentType: n.ContentType, Metadata: n.Metadata, Document: n.Document, Properties: n.Properties,
		Metageneration: 1, Size: w.Size, CRC32C: w.CRC32C, MD5: w.MD5, Blob: w.Blob, CreateTime: now, UpdateTime: now,
	}
}

// check compares what was announced with what arrived.
func (c Checksums) check(bucket, name string, w Written) error {
	if c.CRC32C != nil && *c.CRC32C != w.CRC32C {
		return &sunya.Error{Code: sunya.InvalidArgument, Resource: path(bucket, name), Field: "crc32c",
			Message: fmt.Sprintf("%08x announced, %08x arrived: send the bytes again", *c.CRC32C, w.CRC32C)}
	}
	if c.MD5 != nil && !bytes.Equal(c.MD5, w.MD5) {
		return &sunya.Error{Code: sunya.InvalidArgument, Resource: path(bucket, name), Field: "md5Hash",
			Message: fmt.Sprintf("%x announced, %x arrived: send the bytes again", c.MD5, w.MD5)}
	}
	return nil
}
