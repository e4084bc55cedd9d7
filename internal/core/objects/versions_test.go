package objects_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// rules changes what decides over the objects of the fixture's bucket.
func (f *fixture) rules(t testing.TB, change func(*objects.Rules)) {
	t.Helper()
	_, err := f.UpdateBucket(t.Context(), "stuff", objects.Conditions{}, func(b *objects.Bucket) error { change(&b.Rules); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) list(t testing.TB, which objects.Which) []objects.Object {
	t.Helper()
	page, err := f.List(t.Context(), objects.ListQuery{Bucket: "stuff", Which: which, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// TestSoftDeletedGoesInTheEnd deletes softly, and lets the time pass after
// which it is gone, with its bytes.
func TestSoftDeletedGoesInTheEnd(t *testing.T) {
	f := setup(t, objects.Options{})
	f.rules(t, func(r *objects.Rules) { r.SoftDelete.Keep = 7 * 24 * time.Hour })
	old := f.put(t, "o", "one")
	f.put(t, "o", "two")
	soft := f.list(t, objects.SoftDeleted)
	if len(soft) != 1 || soft[0].Generation != old.Generation {
		t.Fatalf("soft-deleted %+v", soft)
	}
	_, err := f.Get(t.Context(), "stuff", "o", old.Generation, objects.Conditions{})
	wantCode(t, err, sunya.NotFound)
	f.now = f.now.Add(8 * 24 * time.Hour)
	if err := f.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(f.list(t, objects.SoftDeleted)); n != 0 || len(f.blobs.Names()) != 1 {
		t.Errorf("%d soft-deleted and blobs %v are left", n, f.blobs.Names())
	}
}

// TestGenerationsOnlyGrow lets the clock go back while there are old versions.
func TestGenerationsOnlyGrow(t *testing.T) {
	f := setup(t, objects.Options{})
	f.rules(t, func(r *objects.Rules) { r.Versioning = true })
	first := f.put(t, "o", "one")
	if err := f.Delete(t.Context(), "stuff", "o", 0, objects.Conditions{}); err != nil {
		t.Fatal(err)
	}
	f.Service = objects.New(f.store, f.blobs, func() time.Time { return f.now.Add(-time.Hour) }, discard(), objects.Options{})
	if second := f.put(t, "o", "two"); second.Generation <= first.Generation {
		t.Errorf("generation %d after %d", second.Generation, first.Generation)
	}
}

// TestSharedBytes copies an object and ends the copies one by one: the bytes go
// with the last.
func TestSharedBytes(t *testing.T) {
	f := setup(t, objects.Options{})
	f.put(t, "a", "bytes")
	for _, to := range []string{"b", "c"} {
		if _, err := f.Copy(t.Context(), objects.Copy{Bucket: "stuff", Name: "a", ToBucket: "stuff", ToName: to}); err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, "b", "others")
	for i, name := range []string{"a", "c"} {
		if err := f.Delete(t.Context(), "stuff", name, 0, objects.Conditions{}); err != nil {
			t.Fatal(err)
		}
		if want, got := 2-i, len(f.blobs.Names()); got != want {
			t.Errorf("after %s: %d blobs, want %d", name, got, want)
		}
	}
}

func TestComposeChecksItsSources(t *testing.T) {
	f := setup(t, objects.Options{MaxObjectBytes: 20})
	f.put(t, "a", "0123456789")
	f.put(t, "b", "0123456789x")
	parts := []objects.ComposePart{{Name: "a"}, {Name: "b"}}
	to := objects.NewObject{Bucket: "stuff", Name: "whole"}
	_, err := f.Compose(t.Context(), to, parts, false)
	wantCode(t, err, sunya.ResourceExhausted)
	parts[1].Name = "a"
	o, err := f.Compose(t.Context(), to, parts, true)
	if err != nil || o.Size != 20 || o.Properties.Components != 2 {
		t.Fatalf("composed %+v, %v", o, err)
	}
	_, err = f.Get(t.Context(), "stuff", "a", 0, objects.Conditions{})
	wantCode(t, err, sunya.NotFound)
	a := f.put(t, "a", "0123456789")
	f.blobs.Damage(a.Blob)
	before := len(f.blobs.Names())
	_, err = f.Compose(t.Context(), to, parts[:1], false)
	wantCode(t, err, sunya.DataLoss)
	if n := len(f.blobs.Names()); n != before {
		t.Errorf("%d blobs, %d before", n, before)
	}
}

func TestLifecycle(t *testing.T) {
	days := func(n int64) *int64 { return &n }
	no := false
	for _, tt := range []struct {
		rule string
		c    objects.LifecycleCondition
		want string // names that are left, live and archived
	}{
		{"age", objects.LifecycleCondition{Age: days(10)}, "new/c"},
		{"too young", objects.LifecycleCondition{Age: days(30)}, "old/a old/a old/a old/b.log new/c"},
		{"created before", objects.LifecycleCondition{CreatedBefore: time.Unix(1_000_000, 0).Add(24 * time.Hour)}, "new/c"},
		{"archived", objects.LifecycleCondition{IsLive: &no}, "old/a old/b.log new/c"},
		{"newer versions", objects.LifecycleCondition{NumNewerVersions: days(2)}, "old/a old/a old/b.log new/c"},
		{"prefix and suffix", objects.LifecycleCondition{MatchesPrefix: []string{"old/"}, MatchesSuffix: []string{".log"}, Age: days(1)}, "old/a old/a old/a new/c"},
		{"since it was archived", objects.LifecycleCondition{DaysSinceNoncurrentTime: days(20)}, "old/a old/b.log new/c"},
		{"custom time", objects.LifecycleCondition{DaysSinceCustomTime: days(1)}, "old/a old/a old/a new/c"},
		{"storage class", objects.LifecycleCondition{MatchesStorageClass: []string{"ARCHIVE"}}, "old/a old/a old/a old/b.log new/c"},
	} {
		f := setup(t, objects.Options{})
		f.rules(t, func(r *objects.Rules) { r.Versioning = true })
		for range 3 {
			f.put(t, "old/a", "x")
		}
		f.put(t, "old/b.log", "x")
		_, err := f.Update(t.Context(), "stuff", "old/b.log", 0, objects.Conditions{}, func(o *objects.Object) error { o.Properties.CustomTime = f.now; return nil })
		if err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(20 * 24 * time.Hour)
		f.put(t, "new/c", "x")
		f.rules(t, func(r *objects.Rules) {
			// What is live and deleted would be archived: look at deletions alone.
			r.Versioning = tt.c.IsLive != nil || tt.c.NumNewerVersions != nil || tt.c.DaysSinceNoncurrentTime != nil
			r.Lifecycle = []objects.LifecycleRule{{Action: objects.LifecycleAction{Type: objects.ActionDelete}, Condition: tt.c}}
		})
		if err := f.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range f.list(t, objects.AllVersions) {
			got = append(got, o.Name)
		}
		// In the order of the table: old before new.
		want := strings.Fields(tt.want)
		if len(got) != len(want) || strings.Count(strings.Join(got, " "), "old/a") != strings.Count(tt.want, "old/a") {
			t.Errorf("%s: %v are left, want %s", tt.rule, got, tt.want)
		}
	}
}

func TestLifecycleSetsClassesAndSparesWhatIsHeld(t *testing.T) {
	f := setup(t, objects.Options{})
	f.put(t, "o", "x")
	f.put(t, "held", "x")
	_, err := f.Update(t.Context(), "stuff", "held", 0, objects.Conditions{}, func(o *objects.Object) error { o.Properties.TemporaryHold = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	one := int64(1)
	f.rules(t, func(r *objects.Rules) {
		r.Lifecycle = []objects.LifecycleRule{
			{Action: objects.LifecycleAction{Type: objects.ActionSetClass, StorageClass: "COLDLINE"}, Condition: objects.LifecycleCondition{Age: &one}},
			{Action: objects.LifecycleAction{Type: objects.ActionDelete}, Condition: objects.LifecycleCondition{MatchesPrefix: []string{"held"}}},
			{Action: objects.LifecycleAction{Type: objects.ActionAbort}, Condition: objects.LifecycleCondition{Age: &one}},
		}
	})
	u := upload(t, f, -1)
	f.now = f.now.Add(25 * time.Hour)
	if err := f.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := f.Get(t.Context(), "stuff", "o", 0, objects.Conditions{})
	if err != nil || o.Properties.StorageClass != "COLDLINE" || o.Properties.ClassTime.IsZero() {
		t.Errorf("o is %+v, %v", o, err)
	}
	if _, err := f.Get(t.Context(), "stuff", "held", 0, objects.Conditions{}); err != nil {
		t.Error(err)
	}
	_, _, err = f.GetUpload(t.Context(), u.ID)
	wantCode(t, err, sunya.NotFound)
	again, err := f.Get(t.Context(), "stuff", "o", 0, objects.Conditions{})
	if err != nil || f.Tend(t.Context()) != nil || again.Metageneration != o.Metageneration {
		t.Errorf("a second time changed %+v, %v", again, err)
	}
}

func TestGlob(t *testing.T) {
	f := setup(t, objects.Options{})
	for _, n := range []string{"a", "a/b", "a/b/c.txt", "x1", "x2", "{lit}", "ü"} {
		f.put(t, n, "x")
	}
	for _, tt := range []struct{ glob, want string }{
		{"*", "a x1 x2 {lit} ü"},
		{"**", "a a/b a/b/c.txt x1 x2 {lit} ü"},
		{"a/*", "a/b"},
		{"a/**", "a/b a/b/c.txt"},
		{"**/c.txt", "a/b/c.txt"},
		{"x[12]", "x1 x2"},
		{"x[!1]", "x2"},
		{"{a,x?}", "a x1 x2"},
		{`\{lit\}`, "{lit}"},
		{"?", "a ü"},
	} {
		page, err := f.List(t.Context(), objects.ListQuery{Bucket: "stuff", Glob: tt.glob, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range page.Items {
			got = append(got, o.Name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.glob, got, tt.want)
		}
	}
	for _, bad := range []string{"[a", "{a", `a\`, strings.Repeat("*", 2000), "[z-a]"} {
		_, err := f.List(t.Context(), objects.ListQuery{Bucket: "stuff", Glob: bad, Limit: 1})
		wantCode(t, err, sunya.InvalidArgument)
	}
}

func FuzzGlob(fz *testing.F) {
	for _, s := range []string{"a/**/{b,c}[!d-f]?*", `\`, "[]", "{,{,}}", "**/"} {
		fz.Add(s)
	}
	f := setup(fz, objects.Options{})
	f.put(fz, "a/b/c", "x")
	fz.Fuzz(func(t *testing.T, glob string) {
		_, err := f.List(t.Context(), objects.ListQuery{Bucket: "stuff", Glob: glob, Limit: 1})
		if c := sunya.CodeOf(err); c != sunya.OK && c != sunya.InvalidArgument {
			t.Errorf("%q: %v", glob, err)
		}
	})
}
