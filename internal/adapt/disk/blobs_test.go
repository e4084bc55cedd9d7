package disk

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sunya-cloud/sunya"
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

func TestBlobRoundTrip(t *testing.T) {
	b := openBlobs(t, time.Now)
	for _, size := range []int{0, 1, blobBuffer, blobBuffer + 1, 1 << 20} {
		want := bytes.Repeat([]byte("sunya!"), size/6+1)[:size]
		w, err := b.Write(t.Context(), iotest.OneByteReader(bytes.NewReader(want[:min(size, 5)])), -1)
		must(t, err)
		must(t, b.Delete(t.Context(), w.Blob))
		w, err = b.Write(t.Context(), bytes.NewReader(want), int64(size))
		must(t, err)
		m := md5.Sum(want)
		if w.Size != int64(size) || w.CRC32C != crc32.Checksum(want, crc32.MakeTable(crc32.Castagnoli)) ||
			!bytes.Equal(w.MD5, m[:]) {
			t.Errorf("%d bytes: written %+v", size, w)
		}
		r, err := b.Open(t.Context(), w.Blob)
		must(t, err)
		got, err := io.ReadAll(r)
		must(t, errors.Join(err, r.Close()))
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d", size, len(got))
		}
	}
}

func TestFailedBlobLeavesNothing(t *testing.T) {
	broken := errors.New("the client went away")
	for _, tt := range []struct {
		rule string
		r    io.Reader
		want sunya.Code
	}{
		{"over the limit", bytes.NewReader(make([]byte, 101)), sunya.ResourceExhausted},
		{"the reader fails", io.MultiReader(bytes.NewReader(make([]byte, 50)), iotest.ErrReader(broken)), sunya.Unknown},
	} {
		b := openBlobs(t, time.Now)
		if _, err := b.Write(t.Context(), tt.r, 100); sunya.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.rule, err, tt.want)
		}
		if left := files(t, b); len(left) != 0 {
			t.Errorf("%s: %v is left", tt.rule, left)
		}
	}
	b := openBlobs(t, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Write(ctx, bytes.NewReader([]byte("x")), -1); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if left := files(t, b); len(left) != 0 {
		t.Errorf("canceled: %v is left", left)
	}
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

func TestBlobNamesAreNoPaths(t *testing.T) {
	b := openBlobs(t, time.Now)
	for _, blob := range []string{"", "..", "../tmp", "aa/../../etc/passwd", "0123456789abcdef0123456789abcdeg", "ab"} {
		if _, err := b.Open(t.Context(), blob); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("Open(%q) = %v", blob, err)
		}
		if err := b.Delete(t.Context(), blob); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("Delete(%q) = %v", blob, err)
		}
	}
	absent := "0123456789abcdef0123456789abcdef"
	if _, err := b.Open(t.Context(), absent); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("Open of an absent blob: %v", err)
	}
	if err := b.Delete(t.Context(), absent); err != nil {
		t.Errorf("Delete of an absent blob: %v", err)
	}
}

func TestSweep(t *testing.T) {
	now := time.Now()
	b := openBlobs(t, func() time.Time { return now })
	var blobs []string
	for range 3 {
		w, err := b.Write(t.Context(), bytes.NewReader([]byte("x")), -1)
		must(t, err)
		blobs = append(blobs, w.Blob)
	}
	used := func(blob string) (bool, error) { return blob == blobs[0], nil }
	must(t, b.Sweep(t.Context(), used))
	if left := files(t, b); len(left) != 3 {
		t.Errorf("%d blobs are left within the grace, want 3", len(left))
	}
	now = now.Add(2 * time.Hour)
	unknown := errors.New("unknown")
	if err := b.Sweep(t.Context(), func(string) (bool, error) { return false, unknown }); !errors.Is(err, unknown) {
		t.Errorf("Sweep = %v, want the error of inUse", err)
	}
	must(t, b.Sweep(t.Context(), used))
	if left := files(t, b); len(left) != 1 || filepath.Base(left[0]) != blobs[0] {
		t.Errorf("left: %v, want %s", left, blobs[0])
	}
}

func TestOpenRemovesHalfWritten(t *testing.T) {
	b := openBlobs(t, time.Now)
	w, err := b.Write(t.Context(), bytes.NewReader([]byte("x")), -1)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(b.tmp(), "blob-1"), []byte("half"), 0o600))
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
