package artifactregistryv1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	digests "github.com/opencontainers/go-digest"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/operations"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/artifactregistryv1"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// world is the API with its official client, and the same as REST.
type world struct {
	*artifactregistry.Client
	registry *registry.Service
	rest     string
}

func open(t *testing.T) *world {
	t.Helper()
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
	w := &world{registry: registry.New(db, blobs, time.Now, log)}
	ops := operations.New(db)
	n := 0
	api := artifactregistryv1.New(artifactregistryv1.Deps{
		Registry: w.registry, Put: ops.Put, Now: time.Now, NewID: func() string { n++; return fmt.Sprint("op", n) },
	})
	srv := grpc.NewServer(transcode.ServerOptions(log)...)
	api.Register(srv)
	lro.New(ops, api.Operations()).Register(srv)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if w.Client, err = artifactregistry.NewClient(t.Context(), option.WithGRPCConn(conn)); err != nil {
		t.Fatal(err)
	}
	h, err := transcode.New(srv, artifactregistryv1.Descriptor(), log)
	if err != nil {
		t.Fatal(err)
	}
	rest := httptest.NewServer(h)
	t.Cleanup(rest.Close)
	w.rest = rest.URL
	return w
}

// push pushes an image without layers.
func (w *world) push(t *testing.T, repository, config string, tags ...string) string {
	t.Helper()
	digest := digests.FromString(config).String()
	if _, err := w.registry.Put(t.Context(), repository, digest, bytes.NewReader([]byte(config))); err != nil {
		t.Fatal(err)
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"c","digest":%q,"size":%d},"layers":[]}`, mediaType, digest, len(config))
	m, err := w.registry.PutManifest(t.Context(), registry.Pushed{Repository: repository, Tags: tags, MediaType: mediaType, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return m.Digest
}

const parent = "projects/p/locations/us"

// names lists what an iterator gives, by a part of each.
func names[T any](t *testing.T, next func() (T, error), name func(T) string) string {
	t.Helper()
	var out []string
	for {
		item, err := next()
		if err == iterator.Done {
			return strings.Join(out, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name(item))
	}
}

func wantCode(t *testing.T, err error, want codes.Code, parts ...string) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%v, want %v", err, want)
	}
	for _, p := range parts {
		if err != nil && !strings.Contains(err.Error(), p) {
			t.Errorf("%v: want %q in it", err, p)
		}
	}
}

func TestRepositories(t *testing.T) {
	w, ctx := open(t), t.Context()
	_, err := w.GetRepository(ctx, &pb.GetRepositoryRequest{Name: parent + "/repositories/made"})
	wantCode(t, err, codes.NotFound)
	create := func(id string, r *pb.Repository) (*pb.Repository, error) {
		op, err := w.CreateRepository(ctx, &pb.CreateRepositoryRequest{Parent: parent, RepositoryId: id, Repository: r})
		if err != nil {
			return nil, err
		}
		return op.Wait(ctx)
	}
	r, err := create("made", &pb.Repository{Format: pb.Repository_DOCKER, Description: "d", Labels: map[string]string{"a": "b"}})
	if err != nil || r.GetName() != parent+"/repositories/made" || r.GetRegistryUri() != "us-docker.pkg.dev/p/made" || r.GetDescription() != "d" || r.GetLabels()["a"] != "b" {
		t.Errorf("made %v, %v", r, err)
	}
	_, err = create("made", &pb.Repository{Format: pb.Repository_DOCKER})
	wantCode(t, err, codes.AlreadyExists)
	_, err = create("Made", &pb.Repository{Format: pb.Repository_DOCKER})
	wantCode(t, err, codes.InvalidArgument, "repositoryId")
	_, err = create("npm", &pb.Repository{Format: pb.Repository_NPM})
	wantCode(t, err, codes.Unimplemented, "NPM")
	_, err = create("remote", &pb.Repository{Format: pb.Repository_DOCKER, Mode: pb.Repository_REMOTE_REPOSITORY})
	wantCode(t, err, codes.Unimplemented, "REMOTE_REPOSITORY")

	w.push(t, "p/pushed/n", "{}")
	w.push(t, "p/hello", "{}")
	got := names(t, w.ListRepositories(ctx, &pb.ListRepositoriesRequest{Parent: parent, PageSize: 2}).Next, (*pb.Repository).GetName)
	if want := parent + "/repositories/gcr.io " + parent + "/repositories/made " + parent + "/repositories/pushed"; got != want {
		t.Errorf("repositories = %s, want %s", got, want)
	}
	r, err = w.GetRepository(ctx, &pb.GetRepositoryRequest{Name: "projects/p/locations/europe-west1/repositories/pushed"})
	if err != nil || r.GetRegistryUri() != "europe-west1-docker.pkg.dev/p/pushed" || r.GetSizeBytes() != 2 {
		t.Errorf("one that nobody has made: %v, %v", r, err)
	}
	for _, id := range []string{"pushed", "made"} {
		op, err := w.DeleteRepository(ctx, &pb.DeleteRepositoryRequest{Name: parent + "/repositories/" + id})
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Wait(ctx); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, w.ListRepositories(ctx, &pb.ListRepositoriesRequest{Parent: "projects/p/locations/-"}).Next, (*pb.Repository).GetName); got != parent+"/repositories/gcr.io" {
		t.Errorf("left is %s", got)
	}
}

func TestDockerImages(t *testing.T) {
	w, ctx := open(t), t.Context()
	first := w.push(t, "p/r/team/n", "{}", "v1", "latest")
	second := w.push(t, "p/hello", "{ }")
	w.push(t, "q/secret", "{}")
	list := func(folder string) string {
		return names(t, w.ListDockerImages(ctx, &pb.ListDockerImagesRequest{Parent: parent + "/repositories/" + folder, PageSize: 1}).Next, (*pb.DockerImage).GetUri)
	}
	r, root := "us-docker.pkg.dev/p/r/team/n@"+first, "gcr.io/p/hello@"+second
	for folder, want := range map[string]string{"r": r, "gcr.io": root, "-": root + " " + r, "none": ""} {
		if got := list(folder); got != want {
			t.Errorf("images of %s = %s, want %s", folder, got, want)
		}
	}
	for _, ref := range []string{"@" + first, ":v1"} {
		img, err := w.GetDockerImage(ctx, &pb.GetDockerImageRequest{Name: parent + "/repositories/r/dockerImages/team%2Fn" + ref})
		if err != nil || img.GetUri() != r || len(img.GetTags()) != 2 || img.GetImageSizeBytes() != 2 || img.GetName() != parent+"/repositories/r/dockerImages/team%2Fn@"+first {
			t.Errorf("%s: %v, %v", ref, img, err)
		}
	}
	for name, code := range map[string]codes.Code{
		parent + "/repositories/r/dockerImages/team%2Fn":          codes.InvalidArgument,
		parent + "/repositories/r/dockerImages/%zz@" + first:      codes.InvalidArgument,
		parent + "/repositories/r/dockerImages/none@" + first:     codes.NotFound,
		parent + "/repositories/r/images/n":                       codes.InvalidArgument,
		"projects/p/repositories/r/dockerImages/n@" + first:       codes.InvalidArgument,
		parent + "/repositories/r/dockerImages/N@" + first:        codes.InvalidArgument,
		parent + "/repositories/r/dockerImages/n@sha256:nonsense": codes.InvalidArgument,
	} {
		_, err := w.GetDockerImage(ctx, &pb.GetDockerImageRequest{Name: name})
		wantCode(t, err, code)
	}
}

func TestTagsAndVersions(t *testing.T) {
	w, ctx := open(t), t.Context()
	first, second := w.push(t, "p/r/n", "{}", "v1"), w.push(t, "p/r/n", "{ }")
	pack := parent + "/repositories/r/packages/n"
	tag := func(name, digest string) *pb.Tag {
		return &pb.Tag{Name: pack + "/tags/" + name, Version: pack + "/versions/" + digest}
	}
	if _, err := w.CreateTag(ctx, &pb.CreateTagRequest{Parent: pack, TagId: "v2", Tag: tag("v2", second)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateTag(ctx, &pb.UpdateTagRequest{Tag: tag("v1", second)}); err != nil {
		t.Fatal(err)
	}
	got := names(t, w.ListTags(ctx, &pb.ListTagsRequest{Parent: pack, PageSize: 1}).Next, (*pb.Tag).String)
	if !strings.Contains(got, "tags/v1") || !strings.Contains(got, "tags/v2") || strings.Contains(got, first) {
		t.Errorf("tags = %s", got)
	}
	for filter, want := range map[string]string{`version="` + pack + "/versions/" + second + `"`: "v1 v2", `version="` + pack + "/versions/" + first + `"`: ""} {
		got := names(t, w.ListTags(ctx, &pb.ListTagsRequest{Parent: pack, PageSize: 1, Filter: filter}).Next, func(t *pb.Tag) string {
			return strings.TrimPrefix(t.GetName(), pack+"/tags/")
		})
		if got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	_, err := w.ListTags(ctx, &pb.ListTagsRequest{Parent: pack, Filter: "name=x"}).Next()
	wantCode(t, err, codes.Unimplemented, "version=")
	_, err = w.CreateTag(ctx, &pb.CreateTagRequest{Parent: pack, TagId: "v3", Tag: &pb.Tag{Version: parent + "/repositories/r/packages/other/versions/" + first}})
	wantCode(t, err, codes.InvalidArgument, "another package")
	_, err = w.DeleteVersion(ctx, &pb.DeleteVersionRequest{Name: pack + "/versions/" + second})
	wantCode(t, err, codes.FailedPrecondition, "v1, v2")
	_, err = w.DeleteVersion(ctx, &pb.DeleteVersionRequest{Name: pack + "/versions/v1"})
	wantCode(t, err, codes.InvalidArgument, "digests")
	if err := w.DeleteTag(ctx, &pb.DeleteTagRequest{Name: pack + "/tags/v2"}); err != nil {
		t.Error(err)
	}
	if _, err := w.GetTag(ctx, &pb.GetTagRequest{Name: pack + "/tags/v2"}); status.Code(err) != codes.NotFound {
		t.Errorf("a tag that was deleted: %v", err)
	}
	if op, err := w.DeleteVersion(ctx, &pb.DeleteVersionRequest{Name: pack + "/versions/" + second, Force: true}); err != nil || op.Wait(ctx) != nil {
		t.Errorf("with force: %v", err)
	}
	if op, err := w.DeletePackage(ctx, &pb.DeletePackageRequest{Name: pack}); err != nil || op.Wait(ctx) != nil {
		t.Errorf("the package: %v", err)
	}
	_, err = w.DeletePackage(ctx, &pb.DeletePackageRequest{Name: pack})
	wantCode(t, err, codes.NotFound)
}

func TestPackages(t *testing.T) {
	w, ctx := open(t), t.Context()
	digest := w.push(t, "p/r/team/n", "{}", "v1", "v2")
	w.push(t, "p/r/team/n", "{ }")
	w.push(t, "p/r/other", "{}")
	w.push(t, "p/hello", "{}")
	for folder, want := range map[string]string{"r": "other team%2Fn", "gcr.io": "hello", "none": ""} {
		base := parent + "/repositories/" + folder
		got := names(t, w.ListPackages(ctx, &pb.ListPackagesRequest{Parent: base, PageSize: 1}).Next, func(p *pb.Package) string {
			return strings.TrimPrefix(p.GetName(), base+"/packages/")
		})
		if got != want {
			t.Errorf("packages of %s = %q, want %q", folder, got, want)
		}
	}
	pack := parent + "/repositories/r/packages/team%2Fn"
	if p, err := w.GetPackage(ctx, &pb.GetPackageRequest{Name: pack}); err != nil || p.GetDisplayName() != "team/n" || p.GetCreateTime().AsTime().After(p.GetUpdateTime().AsTime()) {
		t.Errorf("package %v, %v", p, err)
	}
	_, err := w.GetPackage(ctx, &pb.GetPackageRequest{Name: parent + "/repositories/r/packages/none"})
	wantCode(t, err, codes.NotFound)
	if got := names(t, w.ListVersions(ctx, &pb.ListVersionsRequest{Parent: pack, PageSize: 1}).Next, (*pb.Version).GetName); strings.Count(got, "/versions/sha256:") != 2 {
		t.Errorf("versions = %s", got)
	}
	v, err := w.GetVersion(ctx, &pb.GetVersionRequest{Name: pack + "/versions/" + digest})
	if err != nil || len(v.GetRelatedTags()) != 2 || v.GetRelatedTags()[0].GetName() != pack+"/tags/v1" {
		t.Errorf("version %v, %v", v, err)
	}
	_, err = w.GetVersion(ctx, &pb.GetVersionRequest{Name: pack + "/versions/v1"})
	wantCode(t, err, codes.InvalidArgument)
}

func TestREST(t *testing.T) {
	w := open(t)
	ask := func(method, path, body string) (int, map[string]any) {
		req, err := http.NewRequestWithContext(context.Background(), method, w.rest+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		got := map[string]any{}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return res.StatusCode, got
	}
	code, op := ask("POST", "/v1/"+parent+"/repositories?repositoryId=cloud-run-source-deploy", `{"format":"DOCKER"}`)
	if code != 200 || op["done"] != true {
		t.Fatalf("create: %d %v", code, op)
	}
	if code, again := ask("GET", "/v1/"+op["name"].(string), ""); code != 200 || again["done"] != true || again["response"].(map[string]any)["format"] != "DOCKER" {
		t.Errorf("operation: %d %v", code, again)
	}
	if code, got := ask("GET", "/v1/"+parent+"/repositories/none", ""); code != 404 || got["error"] == nil {
		t.Errorf("none: %d %v", code, got)
	}
	digest := w.push(t, "p/r/a/b", "{}")
	if code, got := ask("GET", "/v1/"+parent+"/repositories/r/dockerImages/a%2Fb@"+digest, ""); code != 200 || !strings.Contains(fmt.Sprint(got["uri"]), "/p/r/a/b@") {
		t.Errorf("image: %d %v", code, got)
	}
}
