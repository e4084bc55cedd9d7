//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// storageClient is Google's client with what its variable does, which would hold
// for all tests of this process.
func storageClient(t *testing.T, s *platform.Server) *storage.Client {
	t.Helper()
	return newStorage(t, option.WithEndpoint(s.URL()+"/storage/v1/"), option.WithoutAuthentication())
}

func newStorage(t *testing.T, opts ...option.ClientOption) *storage.Client {
	t.Helper()
	c, err := storage.NewClient(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestStorageGo does with Google's client for Go what programs do with objects.
func TestStorageGo(t *testing.T) {
	s := platform.Start(t)
	t.Setenv("STORAGE_EMULATOR_HOST", s.URL()) // which is all that it takes
	c := newStorage(t)
	bucket := c.Bucket("everyday-go")
	if err := bucket.Create(t.Context(), "sunya", nil); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB
	w := bucket.Object("big.bin").NewWriter(t.Context())
	w.ChunkSize = 8 << 20
	if _, err := w.Write(big); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ offset, length int64 }{{0, -1}, {16, 32}, {-16, -1}} {
		r, err := bucket.Object("big.bin").NewRangeReader(t.Context(), tt.offset, tt.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		want := big
		switch {
		case tt.offset < 0:
			want = big[len(big)+int(tt.offset):]
		case tt.length >= 0:
			want = big[tt.offset : tt.offset+tt.length]
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("range %v: %d bytes, %v", tt, len(got), err)
		}
		r.Close()
	}
}

// killer reads a file and kills the server in its middle, which then comes back.
type killer struct {
	io.Reader
	left int
	kill func()
}

func (k *killer) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	if k.left > 0 && k.left <= n {
		k.kill()
	}
	k.left -= n
	return n, err
}

// TestStorageUploadSurvives is an upload in chunks that goes on behind a kill of
// the server, without the program's doing.
func TestStorageUploadSurvives(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	c := storageClient(t, s)
	bucket := c.Bucket("survives")
	if err := bucket.Create(t.Context(), "sunya", nil); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 8<<16) // 8 MiB
	w := bucket.Object("big.bin").Retryer(storage.WithPolicy(storage.RetryAlways)).NewWriter(t.Context())
	w.ChunkSize = 1 << 20
	from := &killer{Reader: bytes.NewReader(big), left: 4 << 20, kill: func() { s.Kill(); s.Up() }}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, from, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := bucket.Object("big.bin").NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
