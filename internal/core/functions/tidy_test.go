package functions

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// uploads are buckets in memory, one object a page.
type uploads struct {
	buckets []objects.Bucket
	objects []objects.Object
}

func (u *uploads) ListBuckets(_ context.Context, _, prefix, after string, _ int) (out []objects.Bucket, next string, err error) {
	for _, b := range u.buckets {
		if strings.HasPrefix(b.Name, prefix) && b.Name > after {
			return []objects.Bucket{b}, b.Name, nil
		}
	}
	return nil, "", nil
}

func (u *uploads) List(_ context.Context, q objects.ListQuery) (*objects.Listing, error) {
	for _, o := range u.objects {
		if o.Bucket == q.Bucket && o.Name > q.Cursor {
			return &objects.Listing{Items: []objects.Object{o}, Next: o.Name}, nil
		}
	}
	return &objects.Listing{}, nil
}

func (u *uploads) Delete(_ context.Context, bucket, name string, _ int64, _ objects.Conditions) error {
	for i, o := range u.objects {
		if o.Bucket == bucket && o.Name == name {
			u.objects = append(u.objects[:i:i], u.objects[i+1:]...)
			return nil
		}
	}
	return sunya.Errorf(sunya.NotFound, name, "no such object")
}

// one answers with the world's functions.
type one struct{ *world }

func (w one) ListFunctions(_ context.Context, project, _, _ string, _ int) (out []Function, err error) {
	for _, f := range w.functions {
		if f.Project == project {
			out = append(out, f)
		}
	}
	return out, nil
}

func TestSourcesOfNoFunctionGo(t *testing.T) {
	w, _ := newWorld(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	old := now.Add(-2 * UploadLife)
	mine, gone, foreign := SourceBucket("sunya", "local"), SourceBucket("empty", "local"), sourceBuckets+"of-somebody"
	u := &uploads{
		buckets: []objects.Bucket{{Name: "other", Project: "sunya"}, {Name: gone, Project: "empty"}, {Name: mine, Project: "sunya"}, {Name: foreign, Project: "sunya"}},
		objects: []objects.Object{
			{Bucket: "other", Name: "a", CreateTime: old},
			{Bucket: mine, Name: "current", CreateTime: old},
			{Bucket: mine, Name: "former", CreateTime: old},
			{Bucket: mine, Name: "just-uploaded", CreateTime: now},
			{Bucket: mine, Name: "next", CreateTime: old},
			{Bucket: gone, Name: "of-what-was-deleted", CreateTime: old},
			{Bucket: foreign, Name: "a", CreateTime: old},
		},
	}
	w.functions[hello] = Function{Key: hello, Spec: Spec{Source: Source{mine, "current"}}}
	pending := []sunya.Deployment{{Source: sunya.Source{Archive: mine + "/next"}}}
	if err := TidySources(t.Context(), one{w}, u, now.Add(-UploadLife), pending); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, o := range u.objects {
		left = append(left, o.Bucket+"/"+o.Name)
	}
	want := []string{"other/a", mine + "/current", mine + "/just-uploaded", mine + "/next", foreign + "/a"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
}
