package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

// BuildsStore is cloudbuild.Store and the one of the operations that it writes
// with the builds.
type BuildsStore interface {
	cloudbuild.Store
	operations.Store
}

// Builds is the contract of cloudbuild.Store.
func Builds(t *testing.T, open func(testing.TB) BuildsStore) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, BuildsStore)
	}{
		{"BeginGet", buildRecords},
		{"Lists", buildLists},
		{"UpdatesWithItsOperation", buildUpdates},
		{"Unfinished", unfinishedBuilds},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func storedBuild(id, location string, second int) (*cloudbuild.Build, *sunya.Operation) {
	b := &cloudbuild.Build{
		ID: id, Project: "p", Location: location, Source: &cloudbuild.Source{Bucket: "b", Object: "o", Generation: 7},
		Steps:  []cloudbuild.Step{{Name: "docker", Args: []string{"build", "ü"}, Timeout: time.Minute, Volumes: []cloudbuild.Volume{{Name: "v", Path: "/v"}}}},
		Images: []string{"gcr.io/p/a"}, Timeout: time.Hour, Substitutions: map[string]string{"_A": "b"},
		Status: cloudbuild.Queued, CreateTime: at(second), LogsBucket: "l", Operation: "projects/p/locations/" + location + "/operations/" + id,
		Document: []byte(`{"x":1}`),
	}
	return b, &sunya.Operation{Name: b.Operation, BuildID: id, CreateTime: b.CreateTime}
}

func buildRecords(t *testing.T, s BuildsStore) {
	_, err := s.GetBuild(t.Context(), "p", "1")
	wantCode(t, err, sunya.NotFound)
	b, op := storedBuild("1", "global", 1)
	must(t, s.BeginBuild(t.Context(), b, op))
	got, err := s.GetBuild(t.Context(), "p", "1")
	must(t, err)
	wantSame(t, got, b)
	gotOp, err := s.GetOperation(t.Context(), op.Name)
	must(t, err)
	wantSame(t, gotOp, op)
	_, err = s.GetBuild(t.Context(), "q", "1")
	wantCode(t, err, sunya.NotFound)
}

func buildLists(t *testing.T, s BuildsStore) {
	for i, location := range []string{"global", "local", "global", "global"} {
		b, op := storedBuild(string(rune('a'+i)), location, i)
		must(t, s.BeginBuild(t.Context(), b, op))
	}
	for _, c := range []struct {
		location, after string
		limit           int
		want            string
	}{
		{"", "", 0, "dcba"}, {"", "", 2, "dc"}, {"", "c", 2, "ba"}, {"", "a", 0, ""}, {"local", "", 0, "b"}, {"global", "d", 1, "c"}, {"x", "", 0, ""},
	} {
		bs, err := s.ListBuilds(t.Context(), "p", c.location, c.after, c.limit)
		must(t, err)
		got := ""
		for _, b := range bs {
			got += b.ID
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}

func buildUpdates(t *testing.T, s BuildsStore) {
	b, op := storedBuild("1", "global", 1)
	must(t, s.BeginBuild(t.Context(), b, op))
	refused := errors.New("refused")
	_, err := s.UpdateBuild(t.Context(), "p", "1", func(b *cloudbuild.Build) error { b.Status = cloudbuild.Failure; return refused }, nil)
	if !errors.Is(err, refused) {
		t.Errorf("error %v, want that of the change", err)
	}
	got, err := s.UpdateBuild(t.Context(), "p", "1", func(b *cloudbuild.Build) error { b.Status = cloudbuild.Success; return nil },
		func(b *cloudbuild.Build, op *sunya.Operation) { op.Done = b.Status.Done() })
	must(t, err)
	if got.Status != cloudbuild.Success {
		t.Errorf("status %s", got.Status)
	}
	gotOp, err := s.GetOperation(t.Context(), op.Name)
	must(t, err)
	if !gotOp.Done {
		t.Error("the operation is not done")
	}
	_, err = s.UpdateBuild(t.Context(), "p", "2", func(*cloudbuild.Build) error { return nil }, nil)
	wantCode(t, err, sunya.NotFound)
}

func unfinishedBuilds(t *testing.T, s BuildsStore) {
	for i, status := range []cloudbuild.Status{cloudbuild.Working, cloudbuild.Success, cloudbuild.Queued} {
		b, op := storedBuild(string(rune('a'+i)), "global", i)
		b.Status = status
		must(t, s.BeginBuild(t.Context(), b, op))
	}
	bs, err := s.UnfinishedBuilds(t.Context())
	must(t, err)
	if len(bs) != 2 || bs[0].ID != "a" || bs[1].ID != "c" {
		t.Errorf("unfinished: %v", bs)
	}
}
