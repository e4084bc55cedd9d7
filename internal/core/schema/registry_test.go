package schema_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/avro"
	"github.com/sunya-cloud/sunya/internal/adapt/protoschema"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

const (
	name = "projects/p/schemas/letter"
	v1   = `{"type":"record","name":"L","fields":[{"name":"a","type":"string"}]}`
	v2   = `{"type":"record","name":"L","fields":[{"name":"a","type":"string"},{"name":"b","type":"int","default":0}]}`
	bad  = `{"type":"record","name":"L","fields":[{"name":"a","type":"int"}]}`
)

func newRegistry(t *testing.T) *schema.Registry {
	t.Helper()
	store, err := sqlite.OpenEvents(t.Context(), filepath.Join(t.TempDir(), "events.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := schema.New(store, map[schema.Kind]schema.Language{schema.Avro: avro.Language{}, schema.Protobuf: protoschema.Language{}}, time.Now)
	if _, err := r.Create(t.Context(), schema.Schema{Name: name, Kind: schema.Avro}, v1); err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t *testing.T, err error, code sunya.Code, text string) {
	t.Helper()
	if sunya.CodeOf(err) != code || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%v (%v), want %v with %q", err, sunya.CodeOf(err), code, text)
	}
}

func TestRevisions(t *testing.T) {
	r, ctx := newRegistry(t), t.Context()
	first, _, err := r.Get(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	old := first.Last().ID
	second, err := r.Commit(ctx, name, schema.Avro, v2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Commit(ctx, name, schema.Avro, bad)
	wantCode(t, err, sunya.InvalidArgument, "not compatible with revision "+old)
	_, err = r.Commit(ctx, name, schema.Protobuf, `syntax = "proto3"; message L {}`)
	wantCode(t, err, sunya.InvalidArgument, "cannot be changed")
	_, err = r.Commit(ctx, name+"x", schema.Avro, v2)
	wantCode(t, err, sunya.NotFound, "")
	third, err := r.Rollback(ctx, name, old)
	if err != nil || third.Last().Definition != v1 || third.Last().ID == old || len(third.Revisions) != 3 {
		t.Errorf("after the rollback: %+v, %v", third, err)
	}
	_, err = r.Rollback(ctx, name, "00000000")
	wantCode(t, err, sunya.NotFound, "no such revision")
	_, rev, err := r.Get(ctx, name+"@"+second.Last().ID)
	if err != nil || rev.Definition != v2 {
		t.Errorf("the second revision is %+v, %v", rev, err)
	}
	_, _, err = r.Get(ctx, name+"@")
	wantCode(t, err, sunya.InvalidArgument, "@")

	for _, id := range []string{old, second.Last().ID} {
		if _, err := r.DeleteRevision(ctx, name, id); err != nil {
			t.Error(err)
		}
	}
	_, err = r.DeleteRevision(ctx, name, third.Last().ID)
	wantCode(t, err, sunya.FailedPrecondition, "at least one")
	for range 19 {
		if _, err := r.Commit(ctx, name, schema.Avro, v1); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Commit(ctx, name, schema.Avro, v1)
	wantCode(t, err, sunya.ResourceExhausted, "20 revisions")
}

func TestCreate(t *testing.T) {
	r, ctx := newRegistry(t), t.Context()
	for _, tt := range []struct {
		name string
		kind schema.Kind
		text string
		code sunya.Code
		want string
	}{
		{name, schema.Avro, v1, sunya.AlreadyExists, "exists"},
		{"projects/p/schemas/no", schema.Avro, v1, sunya.InvalidArgument, "cannot be an id"},
		{name + "1", "", v1, sunya.InvalidArgument, "schema.type"},
		{name + "1", schema.Avro, "", sunya.InvalidArgument, "missing"},
		{name + "1", schema.Avro, "{", sunya.InvalidArgument, "not an Avro schema"},
		{name + "1", schema.Avro, strings.Repeat(" ", schema.MaxDefinition) + v1, sunya.InvalidArgument, "too long"},
		{name + "1", schema.Protobuf, "message", sunya.InvalidArgument, "not a Protocol Buffer definition"},
	} {
		_, err := r.Create(ctx, schema.Schema{Name: tt.name, Kind: tt.kind}, tt.text)
		wantCode(t, err, tt.code, tt.want)
	}
}

func TestMatchTriesTheNewestFirst(t *testing.T) {
	r, ctx := newRegistry(t), t.Context()
	rec, err := r.Commit(ctx, name, schema.Avro, v2)
	if err != nil {
		t.Fatal(err)
	}
	first, last := rec.Revisions[0].ID, rec.Revisions[1].ID
	match := func(s pubsub.Schema, text string) string {
		t.Helper()
		s.Name, s.Encoding = name, pubsub.JSON
		rev, err := r.Match(ctx, s, []byte(text))
		var m *schema.Mismatch
		if errors.As(err, &m) {
			return "not " + m.Revision
		}
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	both, one := `{"a":"x","b":1}`, `{"a":"x"}`
	got := []string{
		match(pubsub.Schema{}, both), match(pubsub.Schema{}, one), match(pubsub.Schema{}, "{}"),
		match(pubsub.Schema{FirstRevision: last}, one), match(pubsub.Schema{LastRevision: first}, both),
		match(pubsub.Schema{FirstRevision: "deleted0"}, one),
	}
	want := []string{last, first, "not " + first, "not " + last, first, first}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	_, err = r.Resolve(ctx, pubsub.Schema{Name: name, FirstRevision: last, LastRevision: first})
	wantCode(t, err, sunya.InvalidArgument, "newer")
	_, err = r.Resolve(ctx, pubsub.Schema{Name: name, FirstRevision: "00000000"})
	wantCode(t, err, sunya.NotFound, "")
}

func TestPolicy(t *testing.T) {
	r, ctx := newRegistry(t), t.Context()
	p := iam.Policy{Bindings: []iam.Binding{{Role: "roles/pubsub.viewer", Members: []string{"allUsers"}}}}
	got, err := r.SetPolicy(ctx, name, p, "")
	if err != nil || got.ETag() != p.ETag() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.Commit(ctx, name, schema.Avro, v2); err != nil {
		t.Fatal(err)
	}
	rec, err := r.Schema(ctx, name)
	if err != nil || rec.Policy.ETag() != p.ETag() || len(rec.Revisions) != 2 {
		t.Errorf("%+v, %v", rec, err)
	}
	_, err = r.SetPolicy(ctx, name, iam.Policy{}, "old")
	wantCode(t, err, sunya.Aborted, "")
}
