package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// The bytes of small objects are rows beside their metadata: written, synced and
// removed with it, in one transaction, where a file takes two syncs of its own.

const rowPrefix = "row-"

// RowBlob is the blob that a Store keeps itself, under this number.
func RowBlob(id int64) string { return rowPrefix + strconv.FormatInt(id, 10) }

// RowID is the number of a blob that a Store keeps itself.
func RowID(blob string) (id int64, ok bool) {
	digits, ok := strings.CutPrefix(blob, rowPrefix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil
}

// open returns the bytes of a blob; NotFound.
func (s *Service) open(ctx context.Context, blob string) (io.ReadSeekCloser, error) {
	if _, ok := RowID(blob); !ok {
		return s.blobs.Open(ctx, blob)
	}
	p, err := s.store.Bytes(ctx, blob)
	if err != nil {
		return nil, err
	}
	return row{bytes.NewReader(p)}, nil
}

// row is the bytes of a blob that a Store keeps.
type row struct{ *bytes.Reader }

// Close implements io.Closer.
func (row) Close() error { return nil }

// small reads what is to be a row. Of more than that it returns all again, to be
// read by Blobs.
func (s *Service) small(r io.Reader, size int64) (w *Written, all io.Reader, err error) {
	limit := s.opts.RowBytes
	if limit <= 0 || size > limit {
		return nil, r, nil
	}
	if size < 0 {
		size = limit
	}
	p := make([]byte, size+1)
	n := 0
	for err == nil && n < len(p) {
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	p = p[:n]
	switch err {
	case nil:
		return nil, io.MultiReader(bytes.NewReader(p), r), nil
	case io.EOF:
		sum := md5.Sum(p)
		return &Written{Bytes: p, Size: int64(n), CRC32C: crc32.Checksum(p, castagnoli()), MD5: sum[:]}, nil, nil
	default:
		return nil, nil, fmt.Errorf("read upload: %w", err)
	}
}
