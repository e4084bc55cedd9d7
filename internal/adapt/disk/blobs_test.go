package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

func openBlobs(t testing.TB, now func() time.Time) *Blobs {
	t.Helper()
	b, err := OpenBlobs(filepath.Join(t.TempDir(), "blobs"), time.Hour, now)
	must(t, err)
	return b
}

// files lists everything in the store that is not a directory.
func files(t testing.TB, b *Blobs) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(b.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	}))
	return out
}

func TestBlobs(t *testing.T) {
	storetest.Blobs(t, blobBuffers*blobBuffer+1, func(t *testing.T, now func() time.Time) storetest.BlobStore {
		b := openBlobs(t, now)
		return storetest.BlobStore{
			Blobs: b,
			Left: func() (out []string) {
				for _, path := range files(t, b) {
					out = append(out, filepath.Base(path))
				}
				return out
			},
			Broken: func() {}, // see TestOpenRemovesHalfWritten
			Parts:  func() int { return len(entries(t, b.tmp.Name())) },
		}
	})
}

// failing is a disk that takes n bytes.
type failing struct {
	n   int
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, &fs.PathError{Op: "write", Path: "x", Err: f.err}
	}
	return len(p), nil
}

func TestDiskErrorsSayWhatToDo(t *testing.T) {
	for err, want := range map[error]sunya.Code{
		syscall.ENOSPC: sunya.ResourceExhausted, syscall.EDQUOT: sunya.ResourceExhausted,
		syscall.EIO: sunya.Unavailable, syscall.EROFS: sunya.Unavailable,
	} {
		got := copyBlob(t.Context(), &failing{100, err}, newSums(), bytes.NewReader(make([]byte, 1<<20)), -1)
		if sunya.CodeOf(got) != want || !errors.Is(got, err) {
			t.Errorf("%v became %v, want %v", err, got, want)
		}
	}
}

// TestDirectoryGone makes the last step, the rename, fail.
func TestDirectoryGone(t *testing.T) {
	b := openBlobs(t, time.Now)
	for _, e := range entries(t, b.dir) {
		if e != "tmp" {
			must(t, os.Remove(filepath.Join(b.dir, e)))
		}
	}
	if _, err := b.Write(t.Context(), bytes.NewReader([]byte("x")), -1); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	if left := files(t, b); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestOpenRemovesHalfWritten(t *testing.T) {
	b := openBlobs(t, time.Now)
	w, err := b.Write(t.Context(), bytes.NewReader([]byte("x")), -1)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(b.tmp.Name(), "blob-1"), []byte("half"), 0o600))
	must(t, b.tmp.Close()) // as the end of a process does
	again, err := OpenBlobs(b.dir, time.Hour, time.Now)
	must(t, err)
	if left := files(t, again); len(left) != 1 || filepath.Base(left[0]) != w.Blob {
		t.Errorf("left: %v, want %s", left, w.Blob)
	}
}

func BenchmarkBlobPut(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			store, data := openBlobs(b, time.Now), make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := store.Write(b.Context(), bytes.NewReader(data), -1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestDeleteLarge: the name of a large blob is gone at once; its space is freed
// afterwards, or at the next start.
func TestDeleteLarge(t *testing.T) {
	b := openBlobs(t, time.Now)
	w, err := b.Write(t.Context(), bytes.NewReader([]byte("x")), -1)
	must(t, err)
	must(t, os.Truncate(b.path(w.Blob), largeBlob))
	body, err := b.Open(t.Context(), w.Blob)
	must(t, err)
	defer body.Close()

	b.removing.Lock()
	must(t, b.Delete(t.Context(), w.Blob))
	if _, err := b.Open(t.Context(), w.Blob); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("a deleted blob is opened with %v", err)
	}
	if left := files(t, b); len(left) != 1 || filepath.Dir(left[0]) != b.tmp.Name() {
		t.Errorf("left: %q, want the blob aside", left)
	}
	p := make([]byte, 1)
	if _, err := body.Read(p); err != nil || p[0] != 'x' {
		t.Errorf("who reads it goes on with %q, %v", p, err)
	}
	must(t, b.tmp.Close()) // as the end of a process does
	_, err = OpenBlobs(b.dir, time.Hour, time.Now)
	must(t, err)
	if left := files(t, b); len(left) != 0 {
		t.Errorf("left after a start: %q", left)
	}
	b.removing.Unlock()
}

// TestTwoServersWriteBlobs opens the blobs while another server writes one.
func TestTwoServersWriteBlobs(t *testing.T) {
	dir := t.TempDir()
	open := func() *Blobs {
		b, err := OpenBlobs(dir, time.Hour, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	left := filepath.Join(dir, "tmp", "of a server that was killed")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	first := open()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left is there: %v", err)
	}
	r, w := io.Pipe()
	done := make(chan error)
	var got objects.Written
	go func() {
		var err error
		got, err = first.Write(t.Context(), r, -1)
		done <- err
	}()
	large := bytes.Repeat([]byte("x"), 1<<20)
	if _, err := w.Write(large); err != nil {
		t.Fatal(err)
	}
	second := open()
	if err := errors.Join(w.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	f, err := second.Open(t.Context(), got.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || !bytes.Equal(b, large) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
