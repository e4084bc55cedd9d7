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
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// blobBuffer is how much of a blob is read, hashed and written at a time;
// blobBuffers of them go round.
const (
	blobBuffer  = 256 << 10
	blobBuffers = 4
)

var blobPool = sync.Pool{New: func() any { return new([blobBuffer]byte) }}

// sums computes what objects.Written says, on the way.
type sums struct {
	size int64
	crc  hash.Hash32
	md5  hash.Hash
}

func newSums() *sums {
	return &sums{crc: crc32.New(crc32.MakeTable(crc32.Castagnoli)), md5: md5.New()}
}

func (s *sums) written(blob string) objects.Written {
	return objects.Written{Blob: blob, Size: s.size, CRC32C: s.crc.Sum32(), MD5: s.md5.Sum(nil)}
}

// hash adds p to the checksums.
func (s *sums) hash(p []byte) {
	s.crc.Write(p)
	s.md5.Write(p)
}

// copyBlob copies r to w and s. A limit below 0 is none. MD5 is slower than
// disks: what is more than one buffer is hashed by a goroutine of its own.
func copyBlob(ctx context.Context, w io.Writer, s *sums, r io.Reader, limit int64) error {
	buf := blobPool.Get().(*[blobBuffer]byte)
	n, rerr := fill(ctx, r, buf[:])
	if rerr == io.EOF {
		defer blobPool.Put(buf)
		err := s.copy(w, buf[:n], limit)
		if err == nil {
			s.hash(buf[:n])
		}
		return err
	}
	side := newSideways(s.hash)
	defer side.end()
	for {
		side.hash(buf, n)
		if err := s.copy(w, buf[:n], limit); err != nil {
			return err
		}
		switch {
		case rerr == io.EOF:
			return nil
		case rerr != nil:
			return fmt.Errorf("read upload: %w", rerr)
		}
		buf = side.take()
		n, rerr = fill(ctx, r, buf[:])
	}
}

// copy writes p and counts it.
func (s *sums) copy(w io.Writer, p []byte, limit int64) error {
	s.size += int64(len(p))
	if limit >= 0 && s.size > limit {
		return sunya.Errorf(sunya.ResourceExhausted, "", "more than %v: send less or raise the limit", sunya.Bytes(limit))
	}
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("write blob: %w", diskError(err))
	}
	return nil
}

// flowStep is how much is written before the disk is told to begin with it.
const flowStep = 8 << 20

// flowing is a file whose bytes go to the disk while more of them come, so that
// little is left for the sync at the end.
type flowing struct {
	*os.File
	size, begun int64
}

// Write implements io.Writer.
func (f *flowing) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.size += int64(n)
	if rest := f.size - f.begun; rest >= flowStep {
		// Whether it works is for the sync to say.
		_ = unix.SyncFileRange(int(f.Fd()), f.begun, rest, unix.SYNC_FILE_RANGE_WRITE)
		f.begun = f.size
	}
	return n, err
}

// fill reads until p is full or r ends.
func fill(ctx context.Context, r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	return n, err
}

// sideways hashes buffers in their order while others are read and written.
type sideways struct {
	full chan filled
	free chan *[blobBuffer]byte
	done chan struct{}
}

type filled struct {
	buf *[blobBuffer]byte
	n   int
}

func newSideways(hash func([]byte)) *sideways {
	s := &sideways{make(chan filled, blobBuffers), make(chan *[blobBuffer]byte, blobBuffers), make(chan struct{})}
	for range blobBuffers - 1 { // the caller has one
		s.free <- blobPool.Get().(*[blobBuffer]byte)
	}
	go func() {
		defer close(s.done)
		for f := range s.full {
			hash(f.buf[:f.n])
			s.free <- f.buf
		}
	}()
	return s
}

// hash hands a buffer over. It may still be read until the next take.
func (s *sideways) hash(buf *[blobBuffer]byte, n int) { s.full <- filled{buf, n} }

// take returns a buffer that everybody has done with.
func (s *sideways) take() *[blobBuffer]byte { return <-s.free }

// end returns once all is hashed. Every buffer has been handed over, or is lost
// to the pool.
func (s *sideways) end() {
	close(s.full)
	<-s.done
	for {
		select {
		case buf := <-s.free:
			blobPool.Put(buf)
		default:
			return
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
