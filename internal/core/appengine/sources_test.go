package appengine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// bucket serves its objects one a page.
type bucket struct{ items []objects.Object }

func (b *bucket) List(_ context.Context, q objects.ListQuery) (*objects.Listing, error) {
	for i, o := range b.items {
		if o.Name <= q.Cursor {
			continue
		}
		l := &objects.Listing{Items: []objects.Object{o}}
		if i < len(b.items)-1 {
			l.Next = o.Name
		}
		return l, nil
	}
	return nil, sunya.Errorf(sunya.NotFound, q.Bucket, "no such bucket")
}

func (b *bucket) Delete(_ context.Context, _, name string, _ int64, _ objects.Conditions) error {
	b.items = slices.DeleteFunc(b.items, func(o objects.Object) bool { return o.Name == name })
	return nil
}

func TestOldSourcesGoUnlessADeploymentNeedsThem(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	old := now.Add(-2 * appengine.SourceLife)
	b := &bucket{items: []objects.Object{{Name: "a-old", CreateTime: old}, {Name: "b-needed", CreateTime: old}, {Name: "c-new", CreateTime: now}}}
	pending := []sunya.Deployment{{Source: sunya.Source{Files: []sunya.SourceFile{{Object: "b-needed"}}}}}
	if err := appengine.TidySources(t.Context(), b, "sunya", now.Add(-appengine.SourceLife), pending); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, o := range b.items {
		left = append(left, o.Name)
	}
	if want := []string{"b-needed", "c-new"}; !slices.Equal(left, want) {
		t.Errorf("left = %v, want %v", left, want)
	}
	if err := appengine.TidySources(t.Context(), &bucket{}, "unused", now, nil); err != nil {
		t.Errorf("a project without a bucket: %v", err)
	}
}
