package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the checksum that the API gives
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// source reads what is written, and computes what objects.Written says. The
// library takes some errors of a reader for its end, so it never sees them.
type source struct {
	r     io.Reader
	limit int64 // below 0: none
	size  int64
	crc   hash.Hash32
	md5   hash.Hash
	ended bool
	err   error // of r, or the limit
}

var errSource = errors.New("the source failed")

func newSource(r io.Reader, limit int64) *source {
	return &source{r: r, limit: limit, crc: crc32.New(crc32.MakeTable(crc32.Castagnoli)), md5: md5.New()} //nolint:gosec // see import
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, errSource
	}
	n, err := s.r.Read(p)
	s.size += int64(n)
	s.crc.Write(p[:n])
	s.md5.Write(p[:n])
	switch {
	case s.limit >= 0 && s.size > s.limit:
		s.err = sunya.Errorf(sunya.ResourceExhausted, "", "more than %v: send less or raise the limit", sunya.Bytes(s.limit))
	case err == io.EOF:
		s.ended = true
		return n, io.EOF
	case err != nil:
		s.err = fmt.Errorf("read upload: %w", err)
	}
	if s.err != nil {
		return 0, errSource
	}
	return n, nil
}

// first reads as much as one part holds; ended says whether that was all.
func (s *source) first() (*bytes.Reader, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, s, partSize); err != nil && err != io.EOF {
		return nil, err
	}
	return bytes.NewReader(b.Bytes()), nil
}

func (s *source) written(blob string) objects.Written {
	return objects.Written{Blob: blob, Size: s.size, CRC32C: s.crc.Sum32(), MD5: s.md5.Sum(nil)}
}

// reader reads a blob: one request from where it is, another one after a seek or
// where the connection breaks.
type reader struct {
	ctx   context.Context // of who opened it; a Reader has no other way to get it
	blobs *Blobs
	key   string
	size  int64
	at    int64
	body  io.ReadCloser // nil: none is open
	broke int           // connections that brought nothing
}

// readTries is how often in a row a connection may break without a byte.
const readTries = 3

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at >= r.size {
			return 0, io.EOF
		}
		if err := r.open(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p)
		r.at += int64(n)
		if n > 0 {
			r.broke = 0
		}
		if err == nil {
			return n, nil
		}
		r.broke++
		closed := r.Close()
		switch {
		case n > 0:
			return n, nil
		case r.ctx.Err() != nil:
			return 0, context.Cause(r.ctx)
		case r.broke >= readTries:
			return 0, fmt.Errorf("read blob: %w", r.blobs.failed(errors.Join(err, closed)))
		}
	}
}

func (r *reader) open() error {
	if r.body != nil {
		return nil
	}
	var opts minio.GetObjectOptions
	if r.at > 0 {
		if err := opts.SetRange(r.at, 0); err != nil {
			return fmt.Errorf("read blob: %w", err)
		}
	}
	body, _, _, err := r.blobs.core.GetObject(r.ctx, r.blobs.bucket, r.key, opts)
	if err != nil {
		return fmt.Errorf("read blob: %w", r.blobs.failed(err))
	}
	r.body = body
	return nil
}

// Seek implements io.Seeker.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.at, errors.New("seek blob: before its beginning")
	}
	if offset == r.at {
		return offset, nil
	}
	r.at = offset
	return offset, r.Close()
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}
