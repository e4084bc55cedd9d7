package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Objects is the contract of objects.Store.
func Objects(t *testing.T, open func(testing.TB) objects.Store) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, objects.Store)
	}{
		{"Buckets", buckets},
		{"ListBuckets", listBuckets},
		{"PutThenGet", objectRoundTrip},
		{"PutReturnsWhatItReplaced", objectReplace},
		{"RefusedPutWritesNothing", objectRefused},
		{"Delete", objectDelete},
		{"ListsInByteOrder", objectList},
		{"ConditionsAreAtomic", objectRace},
		{"UsedBytes", usedBytes},
		{"Uploads", uploads},
		{"FinishUpload", finishUpload},
		{"OldUploads", oldUploads},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func bucket(n string) objects.Bucket {
	return objects.Bucket{Name: n, Project: "p", Location: "LOCAL", Metageneration: 1, CreateTime: at(1), UpdateTime: at(2), Document: []byte(`{"labels":{}}`)}
}

func object(n, blob string, size int64) objects.Object {
	return objects.Object{Bucket: "b", Name: n, Generation: 1<<53 + 1, Metageneration: 3, Size: size, ContentType: "text/plain",
		CRC32C: 0xffffffff, MD5: []byte{0, 1, 2}, Blob: blob, Metadata: map[string]string{"k": "ü"}, CreateTime: at(1), UpdateTime: at(2), Document: []byte(`{}`)}
}

func put(t *testing.T, s objects.Store, o objects.Object) (oldBlob string) {
	t.Helper()
	old, err := s.PutObject(t.Context(), &o, nil)
	must(t, err)
	return old
}

func withBucket(t *testing.T, s objects.Store) {
	t.Helper()
	b := bucket("b")
	must(t, s.CreateBucket(t.Context(), &b))
}

func buckets(t *testing.T, s objects.Store) {
	_, err := s.GetBucket(t.Context(), "b")
	wantCode(t, err, sunya.NotFound)
	b := bucket("b")
	must(t, s.CreateBucket(t.Context(), &b))
	wantCode(t, s.CreateBucket(t.Context(), &b), sunya.AlreadyExists)
	must(t, s.UpdateBucket(t.Context(), "b", func(b *objects.Bucket) error {
		b.Metageneration, b.Document = 2, nil
		return nil
	}))
	refused := sunya.Errorf(sunya.FailedPrecondition, "b", "no")
	err = s.UpdateBucket(t.Context(), "b", func(b *objects.Bucket) error { b.Location = "X"; return refused })
	wantCode(t, err, sunya.FailedPrecondition)
	got, err := s.GetBucket(t.Context(), "b")
	must(t, err)
	b.Metageneration, b.Document = 2, nil
	wantSame(t, got, &b)

	put(t, s, object("o", "blob", 1))
	wantCode(t, s.DeleteBucket(t.Context(), "b", nil), sunya.FailedPrecondition)
	_, err = s.DeleteObject(t.Context(), "b", "o", nil)
	must(t, err)
	wantCode(t, s.DeleteBucket(t.Context(), "b", func(*objects.Bucket) error { return refused }), sunya.FailedPrecondition)
	must(t, s.DeleteBucket(t.Context(), "b", nil))
	wantCode(t, s.DeleteBucket(t.Context(), "b", nil), sunya.NotFound)
}

func listBuckets(t *testing.T, s objects.Store) {
	for _, n := range []string{"c", "ab", "aa", "b"} {
		b := bucket(n)
		must(t, s.CreateBucket(t.Context(), &b))
	}
	other := bucket("a-other")
	other.Project = "q"
	must(t, s.CreateBucket(t.Context(), &other))
	for _, tt := range []struct {
		project, prefix, after string
		limit                  int
		want                   []string
	}{
		{"p", "", "", 10, []string{"aa", "ab", "b", "c"}},
		{"p", "a", "", 10, []string{"aa", "ab"}},
		{"p", "a", "aa", 10, []string{"ab"}},
		{"p", "", "aa", 2, []string{"ab", "b"}},
		{"", "a", "", 10, []string{"a-other", "aa", "ab"}},
	} {
		found, err := s.ListBuckets(t.Context(), tt.project, tt.prefix, tt.after, tt.limit)
		must(t, err)
		var got []string
		for _, b := range found {
			got = append(got, b.Name)
		}
		wantSame(t, got, tt.want)
	}
}

func objectRoundTrip(t *testing.T, s objects.Store) {
	o := object("o", "blob", 5)
	_, err := s.PutObject(t.Context(), &o, nil)
	wantCode(t, err, sunya.NotFound) // no bucket
	withBucket(t, s)
	_, err = s.GetObject(t.Context(), "b", "o")
	wantCode(t, err, sunya.NotFound)
	put(t, s, o)
	got, err := s.GetObject(t.Context(), "b", "o")
	must(t, err)
	wantSame(t, got, &o)
}

func objectReplace(t *testing.T, s objects.Store) {
	withBucket(t, s)
	if old := put(t, s, object("o", "one", 1)); old != "" {
		t.Errorf("a new object replaced %q", old)
	}
	if old := put(t, s, object("o", "two", 1)); old != "one" {
		t.Errorf("replaced %q, want one", old)
	}
	if old := put(t, s, object("o", "two", 1)); old != "" {
		t.Errorf("a change of metadata replaced %q", old)
	}
	o := objects.Object{Bucket: "b", Name: "o"}
	_, err := s.PutObject(t.Context(), &o, func(live *objects.Object) error { o = *live; o.Metageneration = 9; return nil })
	must(t, err)
	got, err := s.GetObject(t.Context(), "b", "o")
	must(t, err)
	if got.Metageneration != 9 || got.Blob != "two" {
		t.Errorf("what the condition wrote is not stored: %+v", got)
	}
}

func objectRefused(t *testing.T, s objects.Store) {
	withBucket(t, s)
	put(t, s, object("o", "one", 1))
	o := object("o", "two", 2)
	_, err := s.PutObject(t.Context(), &o, func(live *objects.Object) error {
		return sunya.Errorf(sunya.FailedPrecondition, live.Name, "no")
	})
	wantCode(t, err, sunya.FailedPrecondition)
	got, err := s.GetObject(t.Context(), "b", "o")
	must(t, err)
	if got.Blob != "one" {
		t.Errorf("a refused write stored %q", got.Blob)
	}
}

func objectDelete(t *testing.T, s objects.Store) {
	withBucket(t, s)
	_, err := s.DeleteObject(t.Context(), "b", "o", nil)
	wantCode(t, err, sunya.NotFound)
	put(t, s, object("o", "one", 1))
	used, err := s.BlobInUse(t.Context(), "one")
	must(t, err)
	_, err = s.DeleteObject(t.Context(), "b", "o", func(*objects.Object) error { return sunya.Errorf(sunya.Aborted, "", "no") })
	wantCode(t, err, sunya.Aborted)
	old, err := s.DeleteObject(t.Context(), "b", "o", nil)
	must(t, err)
	still, err := s.BlobInUse(t.Context(), "one")
	must(t, err)
	if old != "one" || !used || still {
		t.Errorf("deleted %q, in use before %v, after %v", old, used, still)
	}
}

func objectList(t *testing.T, s objects.Store) {
	_, err := s.ListObjects(t.Context(), "b", "", "", 10)
	wantCode(t, err, sunya.NotFound)
	withBucket(t, s)
	names := []string{"A", "a", "a/1", "a/2", "a0", "b%", "b_", "ü", "𝄞"}
	for i := range names {
		put(t, s, object(names[len(names)-1-i], name("blob%d", i), 1))
	}
	for _, tt := range []struct {
		prefix, start string
		limit         int
		want          []string
	}{
		{"", "", 100, names},
		{"a/", "", 100, []string{"a/1", "a/2"}},
		{"", "a/2", 2, []string{"a/2", "a0"}},
		{"a", "a/1\x00", 100, []string{"a/2", "a0"}},
		{"b%", "", 100, []string{"b%"}},
		{"b_", "", 100, []string{"b_"}},
		{"zz", "", 100, nil},
	} {
		found, err := s.ListObjects(t.Context(), "b", tt.prefix, tt.start, tt.limit)
		must(t, err)
		var got []string
		for _, o := range found {
			got = append(got, o.Name)
		}
		wantSame(t, got, tt.want)
	}
}

func objectRace(t *testing.T, s objects.Store) {
	withBucket(t, s)
	errs := together(t.Context(), 20, func(ctx context.Context, i int) error {
		o := object("o", name("blob%d", i), 1)
		_, err := s.PutObject(ctx, &o, func(live *objects.Object) error {
			if live != nil {
				return sunya.Errorf(sunya.FailedPrecondition, "o", "exists")
			}
			return nil
		})
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d writers found no object, want 1", won)
	}
}

func usedBytes(t *testing.T, s objects.Store) {
	withBucket(t, s)
	want := func(what string, want int64) {
		t.Helper()
		got, err := s.UsedBytes(t.Context())
		must(t, err)
		if got != want {
			t.Errorf("%s: %d bytes used, want %d", what, got, want)
		}
	}
	want("empty", 0)
	put(t, s, object("o", "one", 5))
	put(t, s, object("p", "two", 7))
	want("two objects", 12)
	put(t, s, object("o", "three", 50))
	want("replaced", 57)
	must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: "u"}))
	must(t, s.AddChunk(t.Context(), "u", objects.Chunk{Size: 100, Blob: "c1"}))
	want("a chunk", 157)
	_, err := s.DeleteUpload(t.Context(), "u")
	must(t, err)
	_, err = s.DeleteObject(t.Context(), "b", "o", nil)
	must(t, err)
	want("deleted", 7)
}

func uploads(t *testing.T, s objects.Store) {
	_, err := s.GetUpload(t.Context(), "u")
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.AddChunk(t.Context(), "u", objects.Chunk{}), sunya.NotFound)
	gen := int64(7)
	u := objects.Upload{ID: "u", Total: -1, CreateTime: at(1), Object: objects.NewObject{Bucket: "b", Name: "o",
		Metadata: map[string]string{"k": "v"}, Document: []byte(`{}`), Conditions: objects.Conditions{GenerationMatch: &gen}}}
	must(t, s.CreateUpload(t.Context(), &u))
	u.Chunks = []objects.Chunk{{Start: 0, Size: 10, Blob: "c1", CRC32C: 5, MD5: []byte{1}}, {Start: 10, Size: 5, Blob: "c2"}}
	for _, c := range u.Chunks {
		must(t, s.AddChunk(t.Context(), "u", c))
		wantCode(t, s.AddChunk(t.Context(), "u", c), sunya.Aborted)
	}
	got, err := s.GetUpload(t.Context(), "u")
	must(t, err)
	wantSame(t, got, &u)
	used, err := s.BlobInUse(t.Context(), "c2")
	must(t, err)
	if !used {
		t.Error("a chunk's blob is not in use")
	}
	free, err := s.DeleteUpload(t.Context(), "u")
	must(t, err)
	wantSame(t, free, []string{"c1", "c2"})
	_, err = s.DeleteUpload(t.Context(), "u")
	wantCode(t, err, sunya.NotFound)
}

func finishUpload(t *testing.T, s objects.Store) {
	withBucket(t, s)
	put(t, s, object("o", "old", 1))
	must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: "u", CreateTime: at(1)}))
	must(t, s.AddChunk(t.Context(), "u", objects.Chunk{Start: 0, Size: 10, Blob: "c1"}))
	must(t, s.AddChunk(t.Context(), "u", objects.Chunk{Start: 10, Size: 10, Blob: "c2"}))
	o := object("o", "whole", 20)
	no := errors.New("no")
	if _, err := s.FinishUpload(t.Context(), "u", &o, func(*objects.Object) error { return no }); !errors.Is(err, no) {
		t.Errorf("refused: %v", err)
	}
	free, err := s.FinishUpload(t.Context(), "u", &o, nil)
	must(t, err)
	wantSame(t, free, []string{"c1", "c2", "old"})
	_, err = s.FinishUpload(t.Context(), "u", &o, nil)
	wantCode(t, err, sunya.Aborted)
	wantCode(t, s.AddChunk(t.Context(), "u", objects.Chunk{}), sunya.Aborted)
	u, err := s.GetUpload(t.Context(), "u")
	must(t, err)
	if u.Generation != o.Generation || len(u.Chunks) != 0 {
		t.Errorf("finished upload: %+v", u)
	}
	got, err := s.GetObject(t.Context(), "b", "o")
	must(t, err)
	wantSame(t, got, &o)

	must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: "one"}))
	must(t, s.AddChunk(t.Context(), "one", objects.Chunk{Size: 10, Blob: "only"}))
	p := object("p", "only", 10)
	free, err = s.FinishUpload(t.Context(), "one", &p, nil)
	must(t, err)
	wantSame(t, free, []string(nil)) // the only chunk became the object
}

func oldUploads(t *testing.T, s objects.Store) {
	for i := range 4 {
		must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: name("u%d", i), CreateTime: at(i)}))
	}
	old, err := s.OldUploads(t.Context(), at(2), 10)
	must(t, err)
	if len(old) != 2 {
		t.Errorf("old uploads %v, want u0 and u1", old)
	}
	one, err := s.OldUploads(t.Context(), at(9), 1)
	must(t, err)
	if len(one) != 1 {
		t.Errorf("%d uploads, limit 1", len(one))
	}
}
