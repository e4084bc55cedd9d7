package images_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	reg "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	digests "github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/ociremote"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// elsewhere is another registry, which counts what it is asked for.
type elsewhere struct {
	host string
	mu   sync.Mutex
	gets map[string]int // by the last two parts of the path
	bad  func(w http.ResponseWriter, r *http.Request) bool
}

func another(t *testing.T) *elsewhere {
	t.Helper()
	inner := reg.New(reg.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	e := &elsewhere{gets: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		bad := e.bad
		if r.Method == http.MethodGet {
			e.gets[strings.Join(strings.Split(r.URL.Path, "/")[max(0, strings.Count(r.URL.Path, "/")-1):], "/")]++
		}
		e.mu.Unlock()
		if bad == nil || !bad(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	e.host = strings.TrimPrefix(srv.URL, "http://")
	return e
}

// misbehave makes the registry answer otherwise where bad says that it did.
func (e *elsewhere) misbehave(bad func(w http.ResponseWriter, r *http.Request) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bad = bad
}

// asked is how often blobs or manifests were asked for.
func (e *elsewhere) asked(kind string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for path, times := range e.gets {
		if strings.HasPrefix(path, kind) {
			n += times
		}
	}
	return n
}

// push pushes an image, or an index.
func (e *elsewhere) push(t *testing.T, ref string, img remote.Taggable) {
	t.Helper()
	r, err := name.ParseReference(e.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	switch img := img.(type) {
	case v1.Image:
		err = remote.Write(r, img)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// picture is an image of n layers for a platform.
func picture(t *testing.T, arch string, n int) v1.Image {
	t.Helper()
	img, err := random.Image(1000, int64(n))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", arch
	cfg.Config = v1.Config{Cmd: []string{"serve"}, Env: []string{"A=image"}, User: "www", ExposedPorts: map[string]struct{}{"80/tcp": {}, "8080/tcp": {}}}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// unpacker checks what it is given as the real one does, and remembers.
type unpacker struct {
	mu   sync.Mutex
	done map[string]bool // by diff id
	made int
}

// Unpack implements layers.Unpacker.
func (u *unpacker) Unpack(ctx context.Context, a layers.Archive) (sunya.Layer, error) {
	u.mu.Lock()
	have := u.done[a.DiffID]
	u.mu.Unlock()
	l := sunya.Layer{Digest: a.DiffID, Target: "/", Bytes: a.Size}
	if have {
		return l, nil
	}
	r, err := a.Open(ctx)
	if err != nil {
		return sunya.Layer{}, err
	}
	body, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return sunya.Layer{}, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return sunya.Layer{}, sunya.Errorf(sunya.InvalidArgument, "", "it is not gzip")
	}
	tar, err := io.ReadAll(zip)
	if err != nil {
		return sunya.Layer{}, err
	}
	if digests.FromBytes(tar).String() != a.DiffID || digests.FromBytes(body).String() != a.Digest {
		return sunya.Layer{}, sunya.Errorf(sunya.InvalidArgument, "", "another digest")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[a.DiffID], u.made = true, u.made+1
	return l, nil
}

// world is a server's images, with registries elsewhere.
type world struct {
	*images.Service
	registry *registry.Service
	unpacker *unpacker
}

func open(t *testing.T, mirrors ...string) *world {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := disk.OpenImages(filepath.Join(dir, "images"), time.Hour, time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	m, err := images.ParseMirrors(mirrors)
	if err != nil {
		t.Fatal(err)
	}
	client := ociremote.New(nil, "test")
	t.Cleanup(client.Close)
	w := &world{registry: registry.New(db, blobs, time.Now, log), unpacker: &unpacker{done: map[string]bool{}}}
	w.Service = images.New(images.Parts{
		Registry: w.registry, Remote: client, Unpacker: w.unpacker, Own: images.NewOwn("localhost:8080"), Mirrors: m,
		Arch: "amd64", Now: time.Now, Log: log,
	})
	return w
}

// pushHere pushes an image to the registry here.
func (w *world) pushHere(t *testing.T, repository, tag string, img v1.Image) {
	t.Helper()
	put := func(digest string, body []byte) {
		if _, err := w.registry.Put(t.Context(), repository, digest, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	put(digests.FromBytes(cfg).String(), cfg)
	ls, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range ls {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		put(digestOf(t, l), body)
	}
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.registry.PutManifest(t.Context(), registry.Pushed{Repository: repository, Tags: []string{tag}, Body: manifest}); err != nil {
		t.Fatal(err)
	}
}

// fetch fetches an image that is there, and returns what the user reads, too.
func (w *world) fetch(t *testing.T, reference string) (*images.Fetched, string) {
	t.Helper()
	var log bytes.Buffer
	f, err := w.Fetch(t.Context(), "p", reference, &log)
	if err != nil {
		t.Fatalf("%s: %v", reference, err)
	}
	return f, log.String()
}

// fails wants an error of a code that has all the parts.
func fails(t *testing.T, err error, code sunya.Code, parts ...string) {
	t.Helper()
	if sunya.CodeOf(err) != code {
		t.Errorf("%v: code %v, want %v", err, sunya.CodeOf(err), code)
	}
	for _, part := range parts {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("%v: want %q in it", err, part)
		}
	}
}
