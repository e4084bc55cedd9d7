package storetest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// BlobStore is a store under test, over what may be looked at beside it.
type BlobStore struct {
	objects.Blobs
	Left func() []string // the names of all blobs that are there, in any order
	// Broken leaves what a server leaves that is killed while it writes a large
	// blob, and Parts is how many of such there are.
	Broken func()
	Parts  func() int
}

// Blobs is the contract of objects.Blobs. open opens a store that is empty, with
// a grace of an hour; large is a size that no part or buffer holds at once.
func Blobs(t *testing.T, large int, open func(t *testing.T, now func() time.Time) BlobStore) {
	t.Run("what is written is read", func(t *testing.T) { blobsRoundTrip(t, open(t, time.Now), large) })
	t.Run("seek", func(t *testing.T) { blobsSeek(t, open(t, time.Now)) })
	t.Run("what fails leaves nothing", func(t *testing.T) { blobsFail(t, open(t, time.Now), large) })
	t.Run("names", func(t *testing.T) { blobsNames(t, open(t, time.Now)) })
	t.Run("sweep", func(t *testing.T) { blobsSweep(t, open) })
}

func blobContent(n int) []byte { return bytes.Repeat([]byte("sunya!?"), n/7+1)[:n] }

func writeBlob(t *testing.T, b BlobStore, content []byte) objects.Written {
	t.Helper()
	w, err := b.Write(t.Context(), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func blobsRoundTrip(t *testing.T, b BlobStore, large int) {
	for _, size := range []int{0, 1, 100_000, large} {
		want := blobContent(size)
		w := writeBlob(t, b, want)
		sum := md5.Sum(want)
		if w.Size != int64(size) || w.CRC32C != crc32.Checksum(want, crc32.MakeTable(crc32.Castagnoli)) || !bytes.Equal(w.MD5, sum[:]) {
			t.Errorf("%d bytes: written %+v", size, w)
		}
		r, err := b.Open(t.Context(), w.Blob)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
		}
		if err := errors.Join(b.Delete(t.Context(), w.Blob), b.Delete(t.Context(), w.Blob)); err != nil {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := b.Open(t.Context(), w.Blob); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("deleted and opened: %v", err)
		}
	}
	w, err := b.Write(t.Context(), iotest.OneByteReader(bytes.NewReader([]byte("slow"))), -1)
	if err != nil || w.Size != 4 {
		t.Errorf("byte by byte, without a limit: %+v, %v", w, err)
	}
}

func blobsSeek(t *testing.T, b BlobStore) {
	content := blobContent(300_000)
	r, err := b.Open(t.Context(), writeBlob(t, b, content).Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, tt := range []struct {
		offset int64
		whence int
		at     int64
	}{{-5, io.SeekEnd, 299_995}, {0, io.SeekStart, 0}, {1000, io.SeekCurrent, 1010}, {250_000, io.SeekStart, 250_000}, {-100_000, io.SeekCurrent, 150_010}, {0, io.SeekEnd, 300_000}} {
		at, err := r.Seek(tt.offset, tt.whence)
		if err != nil || at != tt.at {
			t.Fatalf("Seek(%d, %d) = %d, %v, want %d", tt.offset, tt.whence, at, err, tt.at)
		}
		want := content[at:min(at+10, 300_000)]
		got := make([]byte, 10)
		n, err := io.ReadFull(r, got)
		if !bytes.Equal(got[:n], want) || (n < 10) != (err != nil) {
			t.Errorf("at %d: %q, %v, want %q", at, got[:n], err, want)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek before the beginning is no error")
	}
}

func blobsFail(t *testing.T, b BlobStore, large int) {
	broken := errors.New("the client went away")
	half := func(err error) io.Reader {
		return io.MultiReader(bytes.NewReader(blobContent(large)), iotest.ErrReader(err))
	}
	canceled, cancel := context.WithCancel(t.Context())
	for _, tt := range []struct {
		rule  string
		ctx   context.Context
		r     io.Reader
		limit int64
		want  func(error) bool
	}{
		{"over the limit", t.Context(), bytes.NewReader(blobContent(101)), 100, func(err error) bool { return sunya.CodeOf(err) == sunya.ResourceExhausted }},
		{"far over the limit", t.Context(), bytes.NewReader(blobContent(large + 1)), int64(large), func(err error) bool { return sunya.CodeOf(err) == sunya.ResourceExhausted }},
		{"the reader fails at once", t.Context(), iotest.ErrReader(broken), -1, func(err error) bool { return errors.Is(err, broken) }},
		{"the reader fails late", t.Context(), half(broken), -1, func(err error) bool { return errors.Is(err, broken) }},
		{"the reader ends too early", t.Context(), half(io.ErrUnexpectedEOF), -1, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"canceled", canceled, io.MultiReader(bytes.NewReader(blobContent(large)), readerFunc(func() { cancel() }), bytes.NewReader(blobContent(large))), -1, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		if _, err := b.Write(tt.ctx, tt.r, tt.limit); err == nil || !tt.want(err) {
			t.Errorf("%s: %v", tt.rule, err)
		}
		if left := b.Left(); len(left) != 0 {
			t.Errorf("%s: %v is left", tt.rule, left)
		}
		if n := b.Parts(); n != 0 {
			t.Errorf("%s: %d parts are left", tt.rule, n)
		}
	}
}

// readerFunc does something when it is reached, and is empty.
type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) { f(); return 0, io.EOF }

func blobsNames(t *testing.T, b BlobStore) {
	for _, blob := range []string{"", "..", "../tmp", "aa/../../etc/passwd", "0123456789abcdef0123456789abcdeg", "ab", "s3-", "s3-../x"} {
		if _, err := b.Open(t.Context(), blob); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("Open(%q) = %v", blob, err)
		}
		if err := b.Delete(t.Context(), blob); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("Delete(%q) = %v", blob, err)
		}
	}
}

func blobsSweep(t *testing.T, open func(*testing.T, func() time.Time) BlobStore) {
	now := time.Now()
	b := open(t, func() time.Time { return now })
	var blobs []string
	for range 3 {
		blobs = append(blobs, writeBlob(t, b, []byte("x")).Blob)
	}
	b.Broken()
	used := func(blob string) (bool, error) { return blob == blobs[0], nil }
	if err := b.Sweep(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if left := b.Left(); len(left) != 3 {
		t.Errorf("%v are left within the grace, want 3", left)
	}
	now = now.Add(2 * time.Hour)
	unknown := errors.New("unknown")
	if err := b.Sweep(t.Context(), func(string) (bool, error) { return false, unknown }); !errors.Is(err, unknown) {
		t.Errorf("Sweep = %v, want the error of inUse", err)
	}
	if err := b.Sweep(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if left := b.Left(); !slices.Equal(left, blobs[:1]) || b.Parts() != 0 {
		t.Errorf("left: %v and %d parts, want %s alone", left, b.Parts(), blobs[0])
	}
}
