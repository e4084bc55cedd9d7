// Package untar writes one layer of a container image into a directory: files
// with their owners, modes and attributes, and what the layer removes of those
// below it as marks of overlayfs. The archive is a stranger's. Nothing outside
// the directory is written, whatever it says; the kernel checks every path while
// it resolves it.
//
// It runs as root of a user namespace in which nothing else runs.
package untar

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
)

// Limits bound what an archive may become.
type Limits struct {
	Bytes int64 // of the uncompressed archive
	Files int   // entries
}

// Sum is what was unpacked.
type Sum struct {
	DiffID string // sha256:<hex> of the uncompressed archive
	Bytes  int64  // of the files' contents
	Files  int    // entries
}

// window is how much memory one frame of zstd may ask for; its own tool takes
// no more by default.
const window = 128 << 20

// Extract unpacks an archive into dir, which is empty. The archive may be
// compressed with gzip or zstd. Its error is a *sunya.Error: InvalidArgument,
// where the archive is to blame, names the entry; ResourceExhausted says which
// limit it has reached.
func Extract(dir string, archive io.Reader, limits Limits) (Sum, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Sum{}, fmt.Errorf("open layer: %w", err)
	}
	plain, done, err := decompress(archive)
	if err != nil {
		_ = unix.Close(fd)
		return Sum{}, err
	}
	defer done()
	hash := sha256.New()
	capped := &capped{r: plain, left: limits.Bytes, limit: limits.Bytes}
	x := &extractor{root: fd, parent: -1, limits: limits}
	defer x.close()
	r := io.TeeReader(capped, hash)
	err = x.all(tar.NewReader(r))
	if err == nil {
		// The digest is of everything, the padding behind the end too.
		_, err = io.Copy(io.Discard, r)
	}
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		return Sum{}, x.explain(err)
	}
	return Sum{DiffID: "sha256:" + hex.EncodeToString(hash.Sum(nil)), Bytes: x.bytes, Files: x.files}, nil
}

// decompress looks at the first bytes, as every runtime does: media types of
// real images are wrong now and then. done ends what the reader has started.
func decompress(r io.Reader) (plain io.Reader, done func(), err error) {
	b := bufio.NewReaderSize(r, 1<<20)
	head, _ := b.Peek(4) // a shorter one is no archive of any kind
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b: // RFC 1952
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, broken(err)
		}
		return z, func() {}, nil
	case string(head) == "\x28\xb5\x2f\xfd": // RFC 8878
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, broken(err)
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}

// capped ends with ResourceExhausted where a reader gives more than it may.
type capped struct {
	r           io.Reader
	left, limit int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		var one [1]byte
		if n, err := c.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, sunya.Errorf(sunya.ResourceExhausted, "", "the layer unpacks to more than %v", sunya.Bytes(c.limit))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

func broken(err error) error {
	return sunya.Errorf(sunya.InvalidArgument, "", "the layer is not a readable archive: %v", err)
}

// explain makes a *sunya.Error of what went wrong.
func (x *extractor) explain(err error) error {
	var e *sunya.Error
	switch {
	case errors.As(err, &e):
		return err
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return sunya.Errorf(sunya.ResourceExhausted, "", "the disk is full: %v", err)
	case x.writing:
		return sunya.Errorf(sunya.Internal, "", "write layer: %v", err)
	}
	return broken(err)
}
