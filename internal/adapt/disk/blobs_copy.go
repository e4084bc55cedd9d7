package disk

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// blobBuffer is how much of a blob is in memory while it is copied.
const blobBuffer = 128 << 10

// sums computes what objects.Written says, on the way.
type sums struct {
	size int64
	crc  hash.Hash32
	md5  hash.Hash
}

func newSums() *sums {
	return &sums{crc: crc32.New(crc32.MakeTable(crc32.Castagnoli)), md5: md5.New()}
}

// Write implements io.Writer; it never fails.
func (s *sums) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	s.crc.Write(p)
	s.md5.Write(p)
	return len(p), nil
}

func (s *sums) written(blob string) objects.Written {
	return objects.Written{Blob: blob, Size: s.size, CRC32C: s.crc.Sum32(), MD5: s.md5.Sum(nil)}
}

// copyBlob copies r to w and s. A limit below 0 is none.
func copyBlob(ctx context.Context, w io.Writer, s *sums, r io.Reader, limit int64) error {
	buf := make([]byte, blobBuffer)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, rerr := r.Read(buf)
		if limit >= 0 && s.size+int64(n) > limit {
			return sunya.Errorf(sunya.ResourceExhausted, "", "more than %v: send less or raise the limit", sunya.Bytes(limit))
		}
		s.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return fmt.Errorf("write blob: %w", diskError(err))
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return fmt.Errorf("read upload: %w", rerr)
		}
	}
}

// diskError says what to do about an error of the disk.
func diskError(err error) error {
	e := &sunya.Error{Code: sunya.Unavailable, Err: err,
		Message: "the data directory cannot be used: check its disk, mount and owner, then try again"}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) {
			e.Code = sunya.ResourceExhausted
			e.Message = "the disk of the data directory is full: free some space and try again"
		}
	}
	return e
}

// syncBlobDir makes the names in a directory durable.
func syncBlobDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
