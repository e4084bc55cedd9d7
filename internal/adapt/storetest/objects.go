package storetest

import (
	"bytes"
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
		{"Bytes", objectBytes},
		{"UsedBytes", usedBytes},
		{"Uploads", uploads},
		{"FinishUpload", finishUpload},
		{"OldUploads", oldUploads},
		{"Versions", objectVersions},
		{"ListsVersions", listVersions},
		{"Delimiters", delimiters},
		{"SoftDeleted", softDeleted},
		{"Notifications", notifications},
		{"Notices", notices},
		{"Parts", parts},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func bucket(n string) objects.Bucket {
	return objects.Bucket{Name: n, Project: "p", Location: "LOCAL", Metageneration: 1, CreateTime: at(1), UpdateTime: at(2), Document: []byte(`{"labels":{}}`)}
}

func object(n, blob string, size int64) objects.Object {
	return objects.Object{Bucket: "b", Name: n, Generation: 1<<53 + 1, Metageneration: 3, Size: size, ContentType: "text/plain",
		CRC32C: 0xffffffff, MD5: []byte{0, 1, 2}, Blob: blob, Metadata: map[string]string{"k": "ü"}, CreateTime: at(1), UpdateTime: at(2), Document: []byte(`{}`),
		Properties: objects.Properties{StorageClass: "NEARLINE", CustomTime: at(3), Components: 2, TemporaryHold: true,
			Retention: &objects.ObjectRetention{Mode: "Locked", Until: at(9)}}}
}

func put(t *testing.T, s objects.Store, o objects.Object) {
	t.Helper()
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.PutLive(&o) }))
}

func drop(t *testing.T, s objects.Store, name string) {
	t.Helper()
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.DropLive("b", name) }))
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
		b.Rules, b.Policy = rules(), []byte(`{"etag":"x"}`)
		return nil
	}))
	refused := sunya.Errorf(sunya.FailedPrecondition, "b", "no")
	err = s.UpdateBucket(t.Context(), "b", func(b *objects.Bucket) error { b.Location = "X"; return refused })
	wantCode(t, err, sunya.FailedPrecondition)
	got, err := s.GetBucket(t.Context(), "b")
	must(t, err)
	b.Metageneration, b.Document = 2, nil
	b.Rules, b.Policy = rules(), []byte(`{"etag":"x"}`)
	wantSame(t, got, &b)

	put(t, s, object("o", "blob", 1))
	deleteBucket(t, s, nil, sunya.FailedPrecondition)
	drop(t, s, "o")
	deleteBucket(t, s, func(*objects.Bucket) error { return refused }, sunya.FailedPrecondition)
	deleteBucket(t, s, nil, 0)
	deleteBucket(t, s, nil, sunya.NotFound)
}

func deleteBucket(t *testing.T, s objects.Store, cond func(*objects.Bucket) error, want sunya.Code) (free []string) {
	t.Helper()
	free, err := s.DeleteBucket(t.Context(), "b", cond)
	if want == 0 {
		must(t, err)
	} else {
		wantCode(t, err, want)
	}
	return free
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
	err := s.Change(t.Context(), func(tx objects.Tx) error { return tx.PutLive(&o) })
	wantCode(t, err, sunya.NotFound) // no bucket
	withBucket(t, s)
	_, err = s.GetObject(t.Context(), "b", "o", 0)
	wantCode(t, err, sunya.NotFound)
	put(t, s, o)
	got, err := s.GetObject(t.Context(), "b", "o", 0)
	must(t, err)
	wantSame(t, got, &o)
}

func objectReplace(t *testing.T, s objects.Store) {
	withBucket(t, s)
	put(t, s, object("o", "one", 1))
	must(t, s.Change(t.Context(), func(tx objects.Tx) error {
		live, err := tx.Live("b", "o")
		must(t, err)
		none, err := tx.Live("b", "p")
		must(t, err)
		if live == nil || live.Blob != "one" || none != nil {
			t.Errorf("live %+v, and where there is none %+v", live, none)
		}
		next := object("o", "two", 1)
		next.Properties = objects.Properties{}
		must(t, tx.PutLive(&next))
		used, err := tx.BlobInUse("one")
		must(t, err)
		if used {
			t.Error("the blob that was replaced is still in use")
		}
		return nil
	}))
	got, err := s.GetObject(t.Context(), "b", "o", 0)
	must(t, err)
	if got.Blob != "two" || got.Properties.StorageClass != "" {
		t.Errorf("replaced, it is %+v", got)
	}
}

func objectRefused(t *testing.T, s objects.Store) {
	withBucket(t, s)
	put(t, s, object("o", "one", 1))
	must(t, s.CreateNotification(t.Context(), &objects.Notification{Bucket: "b"}, 9))
	o := object("o", "two", 2)
	err := s.Change(t.Context(), func(tx objects.Tx) error {
		must(t, tx.PutLive(&o))
		must(t, tx.PutVersion(&o))
		must(t, tx.AddNotice(&objects.Notice{Object: o}))
		return sunya.Errorf(sunya.FailedPrecondition, "o", "no")
	})
	wantCode(t, err, sunya.FailedPrecondition)
	got, err := s.GetObject(t.Context(), "b", "o", 0)
	must(t, err)
	notices, err := s.Notices(t.Context(), 0, 9)
	must(t, err)
	used, err := s.BlobInUse(t.Context(), "two")
	must(t, err)
	if got.Blob != "one" || len(notices) != 0 || used {
		t.Errorf("a refused change stored %q, %d notices, a version: %v", got.Blob, len(notices), used)
	}
}

func objectDelete(t *testing.T, s objects.Store) {
	withBucket(t, s)
	put(t, s, object("o", "one", 1))
	used, err := s.BlobInUse(t.Context(), "one")
	must(t, err)
	drop(t, s, "o")
	_, err = s.GetObject(t.Context(), "b", "o", 0)
	wantCode(t, err, sunya.NotFound)
	still, err := s.BlobInUse(t.Context(), "one")
	must(t, err)
	if !used || still {
		t.Errorf("in use before %v, after %v", used, still)
	}
}

func putBytes(t *testing.T, s objects.Store, p []byte) (blob string) {
	t.Helper()
	must(t, s.Change(t.Context(), func(tx objects.Tx) (err error) {
		blob, err = tx.PutBytes(p)
		return err
	}))
	return blob
}

func wantBytes(t *testing.T, s objects.Store, blob string, want []byte) {
	t.Helper()
	got, err := s.Bytes(t.Context(), blob)
	if want == nil {
		wantCode(t, err, sunya.NotFound)
	} else if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is %q, %v; want %q", blob, got, err, want)
	}
}

func objectBytes(t *testing.T, s objects.Store) {
	withBucket(t, s)
	large := bytes.Repeat([]byte{0, 1, 0xff}, 10_000)
	first, empty, second := putBytes(t, s, []byte("one\x00")), putBytes(t, s, []byte{}), putBytes(t, s, large)
	if _, ok := objects.RowID(first); !ok || first == second {
		t.Fatalf("the rows are %s and %s", first, second)
	}
	wantBytes(t, s, first, []byte("one\x00"))
	wantBytes(t, s, empty, []byte{})
	wantBytes(t, s, second, large)
	wantBytes(t, s, objects.RowBlob(1<<40), nil)

	refused := sunya.Errorf(sunya.FailedPrecondition, "o", "no")
	var never string
	err := s.Change(t.Context(), func(tx objects.Tx) (err error) {
		never, err = tx.PutBytes([]byte("never"))
		must(t, errors.Join(err, tx.DropBytes(first)))
		return refused
	})
	wantCode(t, err, sunya.FailedPrecondition)
	wantBytes(t, s, never, nil)
	wantBytes(t, s, first, []byte("one\x00"))

	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.DropBytes(second) }))
	wantBytes(t, s, second, nil)
	if third := putBytes(t, s, []byte("three")); third == second {
		t.Errorf("%s came twice", third)
	}

	// The bytes of what is deleted softly go with the bucket.
	o := object("o", empty, 0)
	o.DeleteTime, o.SoftDeleteTime, o.HardDeleteTime = at(3), at(3), at(9)
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.PutVersion(&o) }))
	if free := deleteBucket(t, s, nil, 0); len(free) != 0 {
		t.Errorf("rows were returned as blobs: %q", free)
	}
	wantBytes(t, s, empty, nil)
	wantBytes(t, s, first, []byte("one\x00"))
}

func objectList(t *testing.T, s objects.Store) {
	_, err := s.ListObjects(t.Context(), objects.Range{Bucket: "b", Limit: 10})
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
		found, err := s.ListObjects(t.Context(), objects.Range{Bucket: "b", Prefix: tt.prefix, Start: tt.start, Limit: tt.limit})
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
		return s.Change(ctx, func(tx objects.Tx) error {
			if live, err := tx.Live("b", "o"); err != nil || live != nil {
				return sunya.Errorf(sunya.FailedPrecondition, "o", "exists: %v", err)
			}
			return tx.PutLive(&o)
		})
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
	old := object("p", "two", 7)
	old.DeleteTime = at(3)
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.PutVersion(&old) }))
	want("archived", 64)
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.DropVersion("b", "p", old.Generation) }))
	drop(t, s, "o")
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
	must(t, s.CreateUpload(t.Context(), &objects.Upload{ID: "u", CreateTime: at(1)}))
	must(t, s.AddChunk(t.Context(), "u", objects.Chunk{Start: 0, Size: 10, Blob: "c1"}))
	must(t, s.AddChunk(t.Context(), "u", objects.Chunk{Start: 10, Size: 10, Blob: "c2"}))
	end := func(refuse error) (chunks []objects.Chunk, err error) {
		err = s.Change(t.Context(), func(tx objects.Tx) error {
			var err error
			if chunks, err = tx.EndUpload("u", 7); err != nil {
				return err
			}
			return refuse
		})
		return chunks, err
	}
	no := errors.New("no")
	if _, err := end(no); !errors.Is(err, no) {
		t.Errorf("refused: %v", err)
	}
	chunks, err := end(nil)
	must(t, err)
	if len(chunks) != 2 || chunks[1].Blob != "c2" {
		t.Errorf("ended with %+v", chunks)
	}
	_, err = end(nil)
	wantCode(t, err, sunya.Aborted)
	wantCode(t, s.AddChunk(t.Context(), "u", objects.Chunk{}), sunya.Aborted)
	u, err := s.GetUpload(t.Context(), "u")
	must(t, err)
	used, err := s.BlobInUse(t.Context(), "c1")
	must(t, err)
	if u.Generation != 7 || len(u.Chunks) != 0 || used {
		t.Errorf("finished upload: %+v, a chunk's blob in use: %v", u, used)
	}
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
