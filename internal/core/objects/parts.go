package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/sunya-cloud/sunya"
)

// The limits of uploads in parts
// (cloud.google.com/storage/docs/multipart-uploads).
const (
	MaxParts    = 10_000
	minPartSize = 5 << 20 // of every part but the last
)

// partStride is how far the Starts of two parts are from each other: a part is a
// chunk at its number times this, which is more than one can have bytes.
const partStride = 1 << 43

// PartNumber is the number of a chunk of a multipart upload.
func (c *Chunk) PartNumber() int { return int(c.Start / partStride) }

// PartRef names a part that an uploader has sent.
type PartRef struct {
	Number int
	MD5    []byte
}

// StartParts begins a multipart upload: its parts come in any order, also side by
// side, and CompleteParts makes the object of those that it names.
func (s *Service) StartParts(ctx context.Context, n NewObject) (*Upload, error) {
	if err := s.admit(ctx, &n); err != nil {
		return nil, fmt.Errorf("start multipart upload: %w", err)
	}
	u := &Upload{ID: rand.Text(), Object: n, Total: -1, CreateTime: s.now(), Multipart: true}
	if err := s.store.CreateUpload(ctx, u); err != nil {
		return nil, fmt.Errorf("start multipart upload: %w", err)
	}
	return u, nil
}

// Parts returns a multipart upload with what has come of it; NotFound also when
// it is finished.
func (s *Service) Parts(ctx context.Context, id string) (*Upload, error) {
	u, err := s.store.GetUpload(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("get multipart upload: %w", err)
	}
	if !u.Multipart || u.Generation != 0 || s.now().Sub(u.CreateTime) > s.opts.UploadLife {
		return nil, sunya.Errorf(sunya.NotFound, id, "the upload is finished, or has expired: start a new one")
	}
	return u, nil
}

// PartUploads returns unfinished multipart uploads, in the order of the names of
// their objects.
func (s *Service) PartUploads(ctx context.Context, bucket, prefix string, limit int) ([]Upload, error) {
	uploads, err := s.store.PartUploads(ctx, bucket, prefix, limit)
	if err != nil {
		return nil, fmt.Errorf("list multipart uploads: %w", err)
	}
	return uploads, nil
}

// PutPart stores a part, in place of one that had its number. size is below 0
// when unknown.
func (s *Service) PutPart(ctx context.Context, id string, number int, r io.Reader, size int64, expect Checksums) (*Chunk, error) {
	u, err := s.Parts(ctx, id)
	if err != nil {
		return nil, err
	}
	if number < 1 || number > MaxParts {
		return nil, sunya.Invalid("partNumber", "%d: 1 to %d", number, MaxParts)
	}
	w, done, err := s.write(ctx, path(u.Object.Bucket, u.Object.Name), r, size, s.opts.MaxObjectBytes)
	if err != nil {
		return nil, fmt.Errorf("put part: %w", err)
	}
	defer done()
	if err := expect.check(u.Object.Bucket, u.Object.Name, w); err != nil {
		s.free(ctx, w.Blob)
		return nil, err
	}
	c := Chunk{Start: int64(number) * partStride, Size: w.Size, Blob: w.Blob, CRC32C: w.CRC32C, MD5: w.MD5}
	old, err := s.store.PutPart(ctx, id, c)
	if err != nil {
		s.freeRefused(ctx, err, w.Blob)
		return nil, fmt.Errorf("put part: %w", err)
	}
	s.free(ctx, old)
	return &c, nil
}

// CompleteParts makes the object of the parts that are named, in the order of
// their numbers, and ends the upload. A part that has not come, or with another
// MD5, is InvalidArgument and leaves everything as it is; so does a condition that
// does not hold: cond, or if that asks for nothing what the upload began with.
func (s *Service) CompleteParts(ctx context.Context, id string, want []PartRef, cond Conditions) (*Object, error) {
	u, err := s.Parts(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.Chunks, u.Total, err = u.choose(want); err != nil {
		return nil, err
	}
	if err := s.fits(u, u.Total); err != nil {
		return nil, err
	}
	if !cond.None() {
		u.Object.Conditions = cond
	}
	if err := s.admit(ctx, &u.Object); err != nil { // before bytes are moved
		return nil, fmt.Errorf("complete multipart upload: %w", err)
	}
	w, err := s.assemble(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("complete multipart upload: %w", err)
	}
	o, err := s.become(ctx, u, w)
	if err != nil {
		return nil, fmt.Errorf("complete multipart upload: %w", err)
	}
	return o, nil
}

// choose returns the chunks of the parts that are named, and how long they are
// together.
func (u *Upload) choose(want []PartRef) (chunks []Chunk, total int64, err error) {
	have := map[int]Chunk{}
	for _, c := range u.Chunks {
		have[c.PartNumber()] = c
	}
	last := 0
	for _, p := range want {
		if p.Number <= last {
			return nil, 0, sunya.Invalid("PartNumber", "%d comes after %d: list the parts in the order of their numbers", p.Number, last)
		}
		last = p.Number
	}
	for i, p := range want {
		c, ok := have[p.Number]
		switch {
		case !ok || !bytes.Equal(c.MD5, p.MD5):
			return nil, 0, sunya.Invalid("Part", "part %d has not arrived, or its ETag is another", p.Number)
		case i < len(want)-1 && c.Size < minPartSize:
			return nil, 0, sunya.Invalid("Part", "part %d has %d bytes: every part but the last has at least %v", p.Number, c.Size, sunya.Bytes(minPartSize))
		}
		chunks = append(chunks, c)
		total += c.Size
	}
	return chunks, total, nil
}
