package cli

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	digests "github.com/opencontainers/go-digest"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/artifactregistryv1"
)

// newFakeImages serves the real API; withImages gives it a registry.
func newFakeImages(rpc *grpc.Server) *artifactregistryv1.API {
	a := artifactregistryv1.New(artifactregistryv1.Deps{
		Put: func(context.Context, *sunya.Operation) error { return nil }, NewID: func() string { return "op" }, Now: time.Now,
	})
	a.Register(rpc)
	return a
}

// withImagesIn is a fake whose registry has images under names with tags.
func withImagesIn(t *testing.T, names ...string) (f *fake, digest string) {
	t.Helper()
	f = newFake(t)
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := disk.OpenImages(filepath.Join(dir, "images"), time.Hour, time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f.images.Registry = registry.New(db, blobs, func() time.Time { return testTime.Add(-90 * time.Second) }, log)
	for _, name := range names {
		repository, tag, _ := strings.Cut(name, ":")
		config := digests.FromString("{}").String()
		if _, err := f.images.Registry.Put(t.Context(), repository, config, bytes.NewReader([]byte("{}"))); err != nil {
			t.Fatal(err)
		}
		m, err := f.images.Registry.PutManifest(t.Context(), registry.Pushed{
			Repository: repository, Tags: []string{tag}, MediaType: "application/vnd.oci.image.manifest.v1+json",
			Body: fmt.Appendf(nil, `{"schemaVersion":2,"config":{"digest":%q,"size":2},"layers":[]}`, config),
		})
		if err != nil {
			t.Fatal(err)
		}
		digest = m.Digest
	}
	return f, digest
}

func TestImagesList(t *testing.T) {
	f, digest := withImagesIn(t, "sunya/hello:v1", "sunya/hello:latest", "sunya/r/team/n:v2", "other/secret:v1")
	r := execute(t, f, "images", "list").expect(t, exitOK)
	want := []string{
		"IMAGE TAGS DIGEST SIZE UPLOADED",
		"gcr.io/sunya/hello latest, v1 " + digest[:19] + " 2 B 1m ago",
		"local-docker.pkg.dev/sunya/r/team/n v2 " + digest[:19] + " 2 B 1m ago",
	}
	for i, line := range strings.Split(strings.TrimSpace(r.stdout.String()), "\n") {
		if got := strings.Join(strings.Fields(line), " "); i >= len(want) || got != want[i] {
			t.Errorf("line %d = %q", i, got)
		}
	}
	r = execute(t, f, "images", "list", "gcr.io/sunya/hello", "--format", "value(uri)").expect(t, exitOK)
	if got := strings.TrimSpace(r.stdout.String()); got != "gcr.io/sunya/hello@"+digest {
		t.Errorf("uri = %q", got)
	}
}

func TestImagesDescribe(t *testing.T) {
	f, digest := withImagesIn(t, "sunya/hello:v1")
	for _, name := range []string{"hello:v1", "gcr.io/sunya/hello:v1", "gcr.io/sunya/hello@" + digest, strings.TrimPrefix(f.url, "http://") + "/sunya/hello:v1"} {
		r := execute(t, f, "images", "describe", name, "--format", "value(tags,uri)").expect(t, exitOK)
		if got := r.stdout.String(); !strings.Contains(got, "v1") || !strings.Contains(got, digest) {
			t.Errorf("%s: %q", name, got)
		}
	}
	says(t, execute(t, f, "images", "describe", "hello").expect(t, exitNotFound), "latest")
	for _, name := range []string{"docker.io/library/python", "gcr.io/sunya/Hello", "localhost:1/x"} {
		execute(t, f, "images", "describe", name).expect(t, exitUsage)
	}
}

func TestImagesDelete(t *testing.T) {
	f, digest := withImagesIn(t, "sunya/hello:v1", "sunya/hello:v2", "sunya/other:v1")
	says(t, execute(t, f, "images", "delete", "hello:v1").expect(t, exitUsage), "--yes")
	says(t, execute(t, f, "images", "delete", "hello:v1", "--yes").expect(t, exitOK), "Deleted tag gcr.io/sunya/hello:v1")
	says(t, execute(t, f, "images", "delete", "hello@"+digest, "--yes").expect(t, exitConflict), "v2")
	execute(t, f, "images", "delete", "hello@"+digest, "--yes", "--delete-tags").expect(t, exitOK)
	says(t, execute(t, f, "images", "delete", "other", "--quiet").expect(t, exitOK), "every image of the name gcr.io/sunya/other")
	r := execute(t, f, "images", "list").expect(t, exitOK)
	if r.stdout.String() != "" {
		t.Errorf("left: %s", r.stdout.String())
	}
}

func TestImagesTags(t *testing.T) {
	f, digest := withImagesIn(t, "sunya/hello:v1")
	says(t, execute(t, f, "images", "tags", "add", "hello:v1", "hello:stable").expect(t, exitOK), digest)
	execute(t, f, "images", "tags", "delete", "hello:v1", "--yes").expect(t, exitOK)
	r := execute(t, f, "images", "tags", "list", "hello").expect(t, exitOK)
	if got := strings.Join(strings.Fields(r.stdout.String()), " "); got != "TAG DIGEST stable "+digest {
		t.Errorf("tags = %q", got)
	}
	for _, line := range []string{"add hello:stable other:v1", "add hello:stable hello", "delete hello --yes", "delete hello@" + digest + " --yes"} {
		execute(t, f, append([]string{"images", "tags"}, strings.Fields(line)...)...).expect(t, exitUsage)
	}
}

// says wants a text on stderr.
func says(t *testing.T, r *run, want string) {
	t.Helper()
	if !strings.Contains(r.stderr.String(), want) {
		t.Errorf("stderr = %q, want %q in it", r.stderr.String(), want)
	}
}
