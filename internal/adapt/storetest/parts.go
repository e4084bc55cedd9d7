package storetest

import (
	"slices"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// parts is an upload whose parts come in any order, and again.
func parts(t *testing.T, s objects.Store) {
	withBucket(t, s)
	for i, id := range []string{"two", "one", "plain"} {
		must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: id, Total: -1, CreateTime: at(9 - i), Multipart: id != "plain",
			Object: objects.NewObject{Bucket: "b", Name: "dir/o"}}))
	}
	for _, c := range []objects.Chunk{{Start: 30, Size: 5, Blob: "c"}, {Start: 10, Size: 7, Blob: "a"}, {Start: 20, Size: 1, Blob: "b"}} {
		old, err := s.PutPart(t.Context(), "one", c)
		must(t, err)
		if old != "" {
			t.Errorf("a new part replaced %q", old)
		}
	}
	old, err := s.PutPart(t.Context(), "one", objects.Chunk{Start: 10, Size: 8, Blob: "d"})
	must(t, err)
	if old != "a" {
		t.Errorf("replaced %q, want a", old)
	}
	u, err := s.GetUpload(t.Context(), "one")
	must(t, err)
	var got []string
	for _, c := range u.Chunks {
		got = append(got, c.Blob)
	}
	if !slices.Equal(got, []string{"d", "b", "c"}) || !u.Multipart {
		t.Errorf("parts %v, multipart %v", got, u.Multipart)
	}
	if used, err := s.UsedBytes(t.Context()); err != nil || used != 14 {
		t.Errorf("used %d, %v", used, err)
	}
	for prefix, want := range map[string][]string{"": {"one", "two"}, "dir/": {"one", "two"}, "dir_": nil} {
		uploads, err := s.PartUploads(t.Context(), "b", prefix, 9)
		must(t, err)
		var got []string
		for _, u := range uploads {
			got = append(got, u.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("uploads of %q: %v, want %v", prefix, got, want)
		}
	}
	must(t, s.Change(t.Context(), func(tx objects.Tx) error {
		chunks, err := tx.EndUpload("one", 7)
		if len(chunks) != 3 {
			t.Errorf("ended with %+v", chunks)
		}
		return err
	}))
	_, err = s.PutPart(t.Context(), "one", objects.Chunk{Start: 10, Blob: "e"})
	wantCode(t, err, sunya.Aborted)
	_, err = s.PutPart(t.Context(), "none", objects.Chunk{Start: 10, Blob: "e"})
	wantCode(t, err, sunya.NotFound)
	if uploads, err := s.PartUploads(t.Context(), "b", "", 9); err != nil || len(uploads) != 1 {
		t.Errorf("after the end: %+v, %v", uploads, err)
	}
}
