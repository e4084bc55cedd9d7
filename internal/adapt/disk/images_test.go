package disk

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	digests "github.com/opencontainers/go-digest"

	"github.com/sunya-cloud/sunya"
)

func openImages(t *testing.T, dir string, now func() time.Time) *Images {
	t.Helper()
	d, err := OpenImages(dir, time.Hour, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// begin starts an upload of p/a.
func begin(t *testing.T, d *Images) string {
	t.Helper()
	id, err := d.Begin(t.Context(), "p/a")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func contentOf(t *testing.T, d *Images, digest string) string {
	t.Helper()
	f, size, err := d.Open(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("%d bytes of %d, %v", len(b), size, err)
	}
	return string(b)
}

func TestUploadInChunks(t *testing.T) {
	d := openImages(t, t.TempDir(), time.Now)
	id := begin(t, d)
	for i, chunk := range []string{"one", "", "two"} {
		at := []int64{0, 3, -1}[i]
		if _, err := d.Append(t.Context(), "p/a", id, at, strings.NewReader(chunk), 6); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := d.Append(t.Context(), "p/a", id, 3, strings.NewReader("x"), 9); n != 6 || sunya.CodeOf(err) != sunya.OutOfRange {
		t.Errorf("a chunk at the wrong place: %d, %v, want OutOfRange at 6", n, err)
	}
	if _, err := d.Append(t.Context(), "p/a", id, 6, strings.NewReader("x"), 6); sunya.CodeOf(err) != sunya.ResourceExhausted {
		t.Errorf("more than the limit: %v", err)
	}
	if _, err := d.Commit(t.Context(), "p/a", id, digests.FromString("other").String()); sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), digests.FromString("onetwo").String()) {
		t.Errorf("another digest: %v, want an error with the right one", err)
	}
	digest := digests.FromString("onetwo").String()
	if n, err := d.Commit(t.Context(), "p/a", id, digest); n != 6 || err != nil {
		t.Fatalf("commit: %d, %v", n, err)
	}
	if got := contentOf(t, d, digest); got != "onetwo" {
		t.Errorf("content = %q", got)
	}
	if _, err := d.Uploaded(t.Context(), "p/a", id); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("the upload is still there: %v", err)
	}
	if len(d.uploads) > 0 {
		t.Errorf("remembers %v", d.uploads)
	}
}

// What was acknowledged before a crash is gone on with, also for another
// algorithm than the one that was computed on the way.
func TestUploadGoesOnInAnotherProcess(t *testing.T) {
	for _, tt := range []struct{ digest string }{
		{digests.FromString("onetwo").String()},
		{fmt.Sprintf("sha512:%x", sha512.Sum512([]byte("onetwo")))},
	} {
		dir := t.TempDir()
		id := begin(t, openImages(t, dir, time.Now))
		if _, err := openImages(t, dir, time.Now).Append(t.Context(), "p/a", id, 0, strings.NewReader("one"), 9); err != nil {
			t.Fatal(err)
		}
		d := openImages(t, dir, time.Now)
		if n, err := d.Uploaded(t.Context(), "p/a", id); n != 3 || err != nil {
			t.Fatalf("uploaded: %d, %v", n, err)
		}
		if _, err := d.Append(t.Context(), "p/a", id, 3, strings.NewReader("two"), 9); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(t.Context(), "p/a", id, tt.digest); err != nil {
			t.Fatal(err)
		}
		if got := contentOf(t, d, tt.digest); got != "onetwo" {
			t.Errorf("content = %q", got)
		}
	}
}

func TestBytesBeforeABrokenConnectionStay(t *testing.T) {
	d := openImages(t, t.TempDir(), time.Now)
	id := begin(t, d)
	broken := errors.New("broken")
	n, err := d.Append(t.Context(), "p/a", id, 0, io.MultiReader(strings.NewReader("one"), badReader{broken}), 9)
	if n != 3 || !errors.Is(err, broken) {
		t.Errorf("%d, %v, want 3 bytes and the reader's error", n, err)
	}
	if n, err := d.Uploaded(t.Context(), "p/a", id); n != 3 || err != nil {
		t.Errorf("uploaded: %d, %v", n, err)
	}
}

type badReader struct{ err error }

func (r badReader) Read([]byte) (int, error) { return 0, r.err }

func TestUploadsOfOthers(t *testing.T) {
	d := openImages(t, t.TempDir(), time.Now)
	id := begin(t, d)
	for _, c := range []struct{ owner, id string }{
		{"p/b", id}, {"p/a", ""}, {"p/a", "../" + id}, {"p/a", strings.Repeat("0", 48)}, {"p/a", strings.Repeat("0", 32) + ownerMark("p/a")},
	} {
		if _, err := d.Uploaded(t.Context(), c.owner, c.id); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("%s of %s: %v, want NotFound", c.id, c.owner, err)
		}
		if err := d.Cancel(t.Context(), c.owner, c.id); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("cancel %s of %s: %v, want NotFound", c.id, c.owner, err)
		}
	}
	if err := d.Cancel(t.Context(), "p/a", id); err != nil {
		t.Error(err)
	}
}

// Two clients at once do not mix their bytes: the second waits, and then is in
// the wrong place.
func TestTwoClientsOfOneUpload(t *testing.T) {
	d := openImages(t, t.TempDir(), time.Now)
	id := begin(t, d)
	r, w := io.Pipe()
	first := make(chan error, 1)
	go func() {
		_, err := d.Append(context.Background(), "p/a", id, 0, r, 9)
		first <- err
	}()
	if _, err := w.Write([]byte("one")); err != nil { // the first has the upload
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		_, err := d.Append(context.Background(), "p/a", id, 0, strings.NewReader("two"), 9)
		second <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Uploaded(ctx, "p/a", id); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever waits can leave: %v", err)
	}
	w.Close()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; sunya.CodeOf(err) != sunya.OutOfRange {
		t.Errorf("second: %v, want OutOfRange", err)
	}
}

func TestImagesSweep(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	d := openImages(t, dir, func() time.Time { return now })
	put := func(text string) string {
		id := begin(t, d)
		if _, err := d.Append(t.Context(), "p/a", id, 0, strings.NewReader(text), 9); err != nil {
			t.Fatal(err)
		}
		digest := digests.FromString(text).String()
		if _, err := d.Commit(t.Context(), "p/a", id, digest); err != nil {
			t.Fatal(err)
		}
		return digest
	}
	old := put("old")
	given, kept := begin(t, d), begin(t, d)
	before := now.Add(-2 * time.Hour)
	path, _ := d.path(old)
	for _, p := range []string{path, d.uploadPath(given)} {
		if err := os.Chtimes(p, before, before); err != nil {
			t.Fatal(err)
		}
	}
	put("young")
	var seen []string
	err := d.Sweep(t.Context(), func(digest string) error {
		seen = append(seen, digest)
		return d.Delete(t.Context(), digest)
	})
	if err != nil || len(seen) != 1 || seen[0] != old {
		t.Errorf("saw %v, %v, want the old one", seen, err)
	}
	if _, _, err := d.Open(t.Context(), old); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("the old one: %v", err)
	}
	if _, err := d.Uploaded(t.Context(), "p/a", given); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("the upload that was given up: %v", err)
	}
	if _, err := d.Uploaded(t.Context(), "p/a", kept); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "uploads")); len(left) != 1 {
		t.Errorf("uploads = %v", left)
	}
}

func TestDigestsArePathsOnlyWhenTheyAreDigests(t *testing.T) {
	d := openImages(t, t.TempDir(), time.Now)
	for _, digest := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:" + strings.Repeat("0", 32), "sha256:" + strings.Repeat("G", 64)} {
		if _, _, err := d.Open(t.Context(), digest); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("open %q: %v", digest, err)
		}
		if err := d.Delete(t.Context(), digest); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("delete %q: %v", digest, err)
		}
	}
}

func BenchmarkUpload(b *testing.B) {
	d, err := OpenImages(b.TempDir(), time.Hour, time.Hour, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	digest := digests.FromBytes(body).String()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		id, err := d.Begin(b.Context(), "p/a")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Append(b.Context(), "p/a", id, 0, bytes.NewReader(body), 1<<30); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Commit(b.Context(), "p/a", id, digest); err != nil {
			b.Fatal(err)
		}
	}
}
