package objects_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// TestSmallObjects: bytes of small objects are rows, whoever says their size, and
// go when the last object that has them does.
func TestSmallObjects(t *testing.T) {
	f := setup(t, objects.Options{RowBytes: 8})
	for _, tt := range []struct {
		rule, body string
		size       int64
		rows       int
	}{
		{"empty", "", 0, 1},
		{"empty, of unknown size", "", -1, 1},
		{"just small", "12345678", 8, 1},
		{"just small, of unknown size", "12345678", -1, 1},
		{"too large", "123456789", 9, 0},
		{"too large, of unknown size", "123456789", -1, 0},
		{"much too large, of unknown size", strings.Repeat("x", 1000), -1, 0},
	} {
		o, err := f.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: "o"}, iotest.OneByteReader(strings.NewReader(tt.body)), tt.size)
		if err != nil {
			t.Fatalf("%s: %v", tt.rule, err)
		}
		_, isRow := objects.RowID(o.Blob)
		if isRow != (tt.rows == 1) || f.store.Rows() != tt.rows || len(f.blobs.Names()) != 1-tt.rows {
			t.Errorf("%s: blob %q, %d rows, blobs %q", tt.rule, o.Blob, f.store.Rows(), f.blobs.Names())
		}
		if got := f.read(t, "o"); got != tt.body {
			t.Errorf("%s: %q", tt.rule, got)
		}
	}
	f.put(t, "o", "small")
	if _, err := f.Copy(t.Context(), objects.Copy{Bucket: "stuff", Name: "o", ToBucket: "stuff", ToName: "copy"}); err != nil {
		t.Fatal(err)
	}
	parts := []objects.ComposePart{{Name: "o"}, {Name: "copy"}}
	if _, err := f.Compose(t.Context(), objects.NewObject{Bucket: "stuff", Name: "both"}, parts, false); err != nil {
		t.Fatal(err)
	}
	if got := f.read(t, "both"); got != "smallsmall" {
		t.Errorf("composed: %q", got)
	}
	for i, name := range []string{"o", "copy"} {
		if f.store.Rows() != 1 {
			t.Errorf("%d rows after %d of two were deleted", f.store.Rows(), i)
		}
		if err := f.Delete(t.Context(), "stuff", name, 0, objects.Conditions{}); err != nil {
			t.Fatal(err)
		}
	}
	if f.store.Rows() != 0 {
		t.Errorf("%d rows are left", f.store.Rows())
	}
}

// TestSmallRefused: what is refused leaves no row, and a body that breaks off is
// none.
func TestSmallRefused(t *testing.T) {
	f := setup(t, objects.Options{RowBytes: 8})
	zero, wrong := int64(0), uint32(1)
	f.put(t, "o", "small")
	for _, tt := range []struct {
		rule string
		n    objects.NewObject
		body io.Reader
		size int64
		want sunya.Code
	}{
		{"a condition", objects.NewObject{Conditions: objects.Conditions{GenerationMatch: &zero}}, strings.NewReader("other"), 5, sunya.FailedPrecondition},
		{"a checksum", objects.NewObject{Expect: objects.Checksums{CRC32C: &wrong}}, strings.NewReader("other"), 5, sunya.InvalidArgument},
		{"too few bytes", objects.NewObject{}, strings.NewReader("other"), 6, sunya.InvalidArgument},
		{"too many bytes", objects.NewObject{}, strings.NewReader("other"), 4, sunya.InvalidArgument},
		{"a broken body", objects.NewObject{}, io.MultiReader(strings.NewReader("ot"), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, sunya.Unknown},
	} {
		tt.n.Bucket, tt.n.Name = "stuff", "o"
		_, err := f.Put(t.Context(), tt.n, tt.body, tt.size)
		wantCode(t, err, tt.want)
		if f.store.Rows() != 1 || len(f.blobs.Names()) != 0 || f.read(t, "o") != "small" {
			t.Errorf("%s: %d rows, %q", tt.rule, f.store.Rows(), f.read(t, "o"))
		}
	}
}

func (f *fixture) read(t *testing.T, name string) string {
	t.Helper()
	_, body, err := f.Read(t.Context(), "stuff", name, 0, objects.Conditions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
