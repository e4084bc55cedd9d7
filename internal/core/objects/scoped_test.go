package objects_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

// TestScope: a request that is limited to a project can do nothing with buckets of
// others, and everything with its own.
func TestScope(t *testing.T) {
	f := setup(t, objects.Options{})
	free := t.Context()
	f.put(t, "o", "bytes")
	upload, err := f.StartUpload(free, objects.NewObject{Bucket: "stuff", Name: "u"}, -1)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := f.StartParts(free, objects.NewObject{Bucket: "stuff", Name: "parts"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateBucket(free, objects.Bucket{Name: "theirs", Project: "q"}); err != nil {
		t.Fatal(err)
	}
	note := objects.Notification{Bucket: "stuff", Topic: "projects/p/topics/letters"}
	told, err := f.CreateNotification(free, note)
	if err != nil {
		t.Fatal(err)
	}
	none := objects.Conditions{}
	same := func(*objects.Bucket) error { return nil }
	for _, c := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"create a bucket", func(ctx context.Context) error {
			_, err := f.CreateBucket(ctx, objects.Bucket{Name: "another", Project: "p"})
			return err
		}},
		{"get a bucket", func(ctx context.Context) error { _, err := f.GetBucket(ctx, "stuff", none); return err }},
		{"list buckets", func(ctx context.Context) error {
			_, _, err := f.ListBuckets(ctx, "p", "", "", 9)
			return err
		}},
		{"update a bucket", func(ctx context.Context) error { _, err := f.UpdateBucket(ctx, "stuff", none, same); return err }},
		{"read", func(ctx context.Context) error {
			_, body, err := f.Read(ctx, "stuff", "o", 0, none)
			if err == nil {
				err = body.Close()
			}
			return err
		}},
		{"list", func(ctx context.Context) error {
			_, err := f.List(ctx, objects.ListQuery{Bucket: "stuff", Limit: 9})
			return err
		}},
		{"write", func(ctx context.Context) error {
			_, err := f.Put(ctx, objects.NewObject{Bucket: "stuff", Name: "new"}, strings.NewReader("x"), 1)
			return err
		}},
		{"see an upload", func(ctx context.Context) error { _, _, err := f.GetUpload(ctx, upload.ID); return err }},
		{"go on with an upload", func(ctx context.Context) error {
			_, _, err := f.AppendUpload(ctx, upload.ID, objects.Part{Size: -1, Total: -1, Body: strings.NewReader("x")})
			return err
		}},
		{"send a part", func(ctx context.Context) error {
			_, err := f.PutPart(ctx, parts.ID, 1, strings.NewReader("x"), 1, objects.Checksums{})
			return err
		}},
		{"list uploads in parts", func(ctx context.Context) error { _, err := f.PartUploads(ctx, "stuff", "", 9); return err }},
		{"end an upload", func(ctx context.Context) error { return f.CancelUpload(ctx, parts.ID) }},
		{"ask to be told", func(ctx context.Context) error { _, err := f.CreateNotification(ctx, note); return err }},
		{"see who is told", func(ctx context.Context) error { _, err := f.Notifications(ctx, "stuff"); return err }},
		{"tell no more", func(ctx context.Context) error { return f.DeleteNotification(ctx, "stuff", told.ID) }},
		{"delete", func(ctx context.Context) error { return f.Delete(ctx, "stuff", "o", 0, none) }},
	} {
		wantCode(t, c.do(scope.With(free, "q")), sunya.PermissionDenied)
		wantCode(t, c.do(scope.With(free, "")), sunya.PermissionDenied)
		if err := c.do(scope.With(free, "p")); err != nil {
			t.Errorf("%s in its own project: %v", c.name, err)
		}
		if t.Failed() {
			t.Fatalf("it was: %s", c.name)
		}
	}
	wantCode(t, f.DeleteBucket(scope.With(free, "p"), "theirs", none), sunya.PermissionDenied)
	_, err = f.CreateNotification(scope.With(free, "p"), objects.Notification{Bucket: "stuff", Topic: "projects/q/topics/letters"})
	wantCode(t, err, sunya.PermissionDenied)
	_, err = f.GetBucket(scope.With(free, "p"), "nobodys", none)
	wantCode(t, err, sunya.NotFound)
	_, err = f.Get(scope.With(free, "p"), "nobodys", "o", 0, none)
	wantCode(t, err, sunya.NotFound)
}
