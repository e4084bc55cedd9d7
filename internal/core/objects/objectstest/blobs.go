package objectstest

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Blobs is an objects.Blobs in memory. Its zero value is empty.
type Blobs struct {
	mu   sync.Mutex
	last int
	data map[string][]byte
}

var _ objects.Blobs = (*Blobs)(nil)

// Write implements objects.Blobs.
func (b *Blobs) Write(_ context.Context, r io.Reader, limit int64) (objects.Written, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return objects.Written{}, err
	}
	if limit >= 0 && int64(len(data)) > limit {
		return objects.Written{}, sunya.Errorf(sunya.ResourceExhausted, "", "more than %v", sunya.Bytes(limit))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.data == nil {
		b.data = map[string][]byte{}
	}
	b.last++
	blob := fmt.Sprint("blob-", b.last)
	b.data[blob] = data
	m := md5.Sum(data)
	return objects.Written{Blob: blob, Size: int64(len(data)), MD5: m[:],
		CRC32C: crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))}, nil
}

// Open implements objects.Blobs.
func (b *Blobs) Open(_ context.Context, blob string) (io.ReadSeekCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.data[blob]
	if !ok {
		return nil, gone(blob)
	}
	return body{bytes.NewReader(data)}, nil
}

type body struct{ *bytes.Reader }

// Close implements io.Closer.
func (body) Close() error { return nil }

// Delete implements objects.Blobs.
func (b *Blobs) Delete(_ context.Context, blob string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.data, blob)
	return nil
}

// Sweep implements objects.Blobs, without any grace.
func (b *Blobs) Sweep(ctx context.Context, inUse func(string) (bool, error)) error {
	for _, blob := range b.Names() {
		used, err := inUse(blob)
		if err != nil {
			return err
		}
		if !used {
			if err := b.Delete(ctx, blob); err != nil {
				return err
			}
		}
	}
	return nil
}

// Names returns the blobs there are, in no order.
func (b *Blobs) Names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for blob := range b.data {
		out = append(out, blob)
	}
	return out
}

// Damage changes the last byte of a blob.
func (b *Blobs) Damage(blob string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if data := bytes.Clone(b.data[blob]); len(data) > 0 {
		data[len(data)-1] ^= 1
		b.data[blob] = data
	}
}
