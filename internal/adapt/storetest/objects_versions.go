package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

func rules() objects.Rules {
	days := int64(3)
	return objects.Rules{StorageClass: "COLDLINE", Versioning: true, SoftDelete: objects.SoftDelete{Keep: time.Hour, Since: at(4)},
		Retention: &objects.BucketRetention{Period: time.Minute, Since: at(5)},
		Lifecycle: []objects.LifecycleRule{{Action: objects.LifecycleAction{Type: "Delete"}, Condition: objects.LifecycleCondition{Age: &days, CreatedBefore: at(6)}}}}
}

// old is a generation that is not live.
func old(n string, generation int64) objects.Object {
	o := object(n, name(n+"-%d", int(generation)), 1)
	o.Generation, o.DeleteTime = generation, at(5)
	return o
}

func putOld(t *testing.T, s objects.Store, o objects.Object) {
	t.Helper()
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.PutVersion(&o) }))
}

func objectVersions(t *testing.T, s objects.Store) {
	withBucket(t, s)
	o := old("o", 3)
	putOld(t, s, o)
	putOld(t, s, old("o", 5))
	live := object("o", "live", 1)
	put(t, s, live)
	got, err := s.GetObject(t.Context(), "b", "o", 3)
	must(t, err)
	wantSame(t, got, &o)
	got, err = s.GetObject(t.Context(), "b", "o", live.Generation)
	must(t, err)
	wantSame(t, got, &live)
	_, err = s.GetObject(t.Context(), "b", "o", 4)
	wantCode(t, err, sunya.NotFound)

	must(t, s.Change(t.Context(), func(tx objects.Tx) error {
		newest, err := tx.Newest("b", "o")
		must(t, err)
		none, err := tx.Newest("b", "p")
		must(t, err)
		got, err := tx.Version("b", "o", 3)
		must(t, err)
		gone, err := tx.Version("b", "o", live.Generation)
		must(t, err)
		if newest != 5 || none != 0 || got == nil || gone != nil {
			t.Errorf("newest %d and %d, version %+v, the live one as a version %+v", newest, none, got, gone)
		}
		got.Metageneration, got.HardDeleteTime = 9, at(9)
		must(t, tx.PutVersion(got))
		return tx.DropVersion("b", "o", 5)
	}))
	got, err = s.GetObject(t.Context(), "b", "o", 3)
	must(t, err)
	if got.Metageneration != 9 || !got.Soft() {
		t.Errorf("changed, it is %+v", got)
	}
	_, err = s.GetObject(t.Context(), "b", "o", 5)
	wantCode(t, err, sunya.NotFound)
	used, err := s.BlobInUse(t.Context(), "o-3")
	must(t, err)
	if !used {
		t.Error("the blob of a version is not in use")
	}
}

func listVersions(t *testing.T, s objects.Store) {
	withBucket(t, s)
	for _, o := range []objects.Object{old("a", 3), old("a", 5), old("b", 9), old("b", 2)} {
		putOld(t, s, o)
	}
	soft := old("a", 4)
	soft.HardDeleteTime = at(9)
	putOld(t, s, soft)
	live := object("a", "live", 1)
	live.Generation = 7
	put(t, s, live)
	for _, tt := range []struct {
		r    objects.Range
		want []int64
	}{
		{objects.Range{Which: objects.AllVersions, Limit: 10}, []int64{3, 5, 7, 2, 9}},
		{objects.Range{Which: objects.AllVersions, Limit: 2}, []int64{3, 5}},
		{objects.Range{Which: objects.AllVersions, Start: "a", Generation: 5, Limit: 10}, []int64{5, 7, 2, 9}},
		{objects.Range{Which: objects.AllVersions, Start: "a\x00", Limit: 10}, []int64{2, 9}},
		{objects.Range{Which: objects.AllVersions, Prefix: "b", Limit: 10}, []int64{2, 9}},
		{objects.Range{Which: objects.SoftDeleted, Limit: 10}, []int64{4}},
		{objects.Range{Limit: 10}, []int64{7}},
	} {
		tt.r.Bucket = "b"
		found, err := s.ListObjects(t.Context(), tt.r)
		must(t, err)
		var got []int64
		for _, o := range found {
			got = append(got, o.Generation)
		}
		wantSame(t, got, tt.want)
	}
}

func softDeleted(t *testing.T, s objects.Store) {
	withBucket(t, s)
	for i := range 3 {
		o := old("o", int64(i+1))
		o.SoftDeleteTime, o.HardDeleteTime = at(i), at(10+i)
		putOld(t, s, o)
	}
	ended, err := s.EndedObjects(t.Context(), at(12), 10)
	must(t, err)
	if len(ended) != 2 {
		t.Errorf("%d have ended, want 2", len(ended))
	}
	putOld(t, s, old("o", 9))
	deleteBucket(t, s, nil, sunya.FailedPrecondition) // an archived one holds it
	must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.DropVersion("b", "o", 9) }))
	if free := deleteBucket(t, s, nil, 0); len(free) != 3 {
		t.Errorf("the bucket leaves blobs %v, want 3", free)
	}
	n, err := s.UsedBytes(t.Context())
	must(t, err)
	if n != 0 {
		t.Errorf("%d bytes are used of nothing", n)
	}
}

func notifications(t *testing.T, s objects.Store) {
	n := objects.Notification{Bucket: "b", Topic: "projects/p/topics/t", EventTypes: []objects.Event{objects.Finalized},
		NamePrefix: "in/", PayloadFormat: objects.PayloadJSON, Attributes: map[string]string{"k": "v"}}
	wantCode(t, s.CreateNotification(t.Context(), &n, 2), sunya.NotFound)
	withBucket(t, s)
	must(t, s.CreateNotification(t.Context(), &n, 2))
	second := objects.Notification{Bucket: "b", Topic: "projects/p/topics/u"}
	must(t, s.CreateNotification(t.Context(), &second, 2))
	third := second
	wantCode(t, s.CreateNotification(t.Context(), &third, 2), sunya.ResourceExhausted)
	found, err := s.Notifications(t.Context(), "b")
	must(t, err)
	wantSame(t, found, []objects.Notification{n, second})
	must(t, s.Change(t.Context(), func(tx objects.Tx) error {
		within, err := tx.Notifications("b")
		wantSame(t, within, found)
		return err
	}))
	wantCode(t, s.DeleteNotification(t.Context(), "c", n.ID), sunya.NotFound)
	must(t, s.DeleteNotification(t.Context(), "b", n.ID))
	wantCode(t, s.DeleteNotification(t.Context(), "b", n.ID), sunya.NotFound)
	must(t, s.DeleteNotification(t.Context(), "b", second.ID))
	must(t, s.CreateNotification(t.Context(), &third, 2))
	if third.ID == n.ID || third.ID == second.ID {
		t.Errorf("id %s is given again", third.ID)
	}
	deleteBucket(t, s, nil, 0) // its notifications do not hold it
}

func notices(t *testing.T, s objects.Store) {
	want := objects.Notice{Notification: objects.Notification{ID: "1", Topic: "t"}, Event: objects.Archived, Time: at(3), Object: old("o", 4), OverwrittenBy: 5}
	for range 3 {
		must(t, s.Change(t.Context(), func(tx objects.Tx) error { return tx.AddNotice(&want) }))
	}
	found, err := s.Notices(t.Context(), 0, 2)
	must(t, err)
	if len(found) != 2 || found[0].ID >= found[1].ID {
		t.Fatalf("notices %+v, want the first two in order", found)
	}
	want.ID = found[0].ID
	wantSame(t, found[0], want)
	more, err := s.Notices(t.Context(), found[1].ID, 9)
	must(t, err)
	must(t, s.DeleteNotices(t.Context(), []int64{found[0].ID, found[1].ID}))
	left, err := s.Notices(t.Context(), 0, 9)
	must(t, err)
	if len(more) != 1 || len(left) != 1 || left[0].ID != more[0].ID {
		t.Errorf("behind the second: %+v; left: %+v", more, left)
	}
}

// delimiters: a store may leave out what is behind the first of a prefix, but
// nothing else.
func delimiters(t *testing.T, s objects.Store) {
	withBucket(t, s)
	names := []string{"a", "a/", "a/1", "a/2", "a0", "b//1", "b//2", "b/x", "dir/ü/1", "dir/ü/2", "dir/ü_", "z"}
	for _, n := range names {
		put(t, s, object(n, n, 1))
	}
	for _, tt := range []struct {
		prefix, delimiter, start string
		limit                    int
		want                     []string // at least
	}{
		{"", "/", "", 100, []string{"a", "a/", "a0", "b//1", "dir/ü/1", "z"}},
		{"", "//", "", 100, []string{"a", "a/", "a/1", "a/2", "a0", "b//1", "b/x", "dir/ü/1", "dir/ü/2", "dir/ü_", "z"}},
		{"dir/ü", "/", "", 100, []string{"dir/ü/1", "dir/ü_"}},
		{"dir/", "ü", "", 100, []string{"dir/ü/1"}},
		{"", "/", "a/\x00", 100, []string{"a/1", "a0", "b//1", "dir/ü/1", "z"}},
		{"nothing", "/", "", 100, nil},
	} {
		found, err := s.ListObjects(t.Context(), objects.Range{Bucket: "b", Prefix: tt.prefix, Delimiter: tt.delimiter, Start: tt.start, Limit: tt.limit})
		must(t, err)
		got := map[string]bool{}
		last := ""
		for _, o := range found {
			if o.Name <= last || !slices.Contains(names, o.Name) {
				t.Errorf("%q %q: %q after %q", tt.prefix, tt.delimiter, o.Name, last)
			}
			last, got[o.Name] = o.Name, true
		}
		for _, n := range tt.want {
			if !got[n] {
				t.Errorf("%q %q: %q is missing in %v", tt.prefix, tt.delimiter, n, got)
			}
		}
	}
	found, err := s.ListObjects(t.Context(), objects.Range{Bucket: "b", Delimiter: "/", Limit: 2})
	must(t, err)
	if len(found) != 2 {
		t.Errorf("%d objects, limit 2", len(found))
	}
}
