package registry_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	digests "github.com/opencontainers/go-digest"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// world is a registry whose clock is moved by hand.
type world struct {
	*registry.Service
	mu    sync.Mutex
	later time.Duration
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.later)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later += d
}

func open(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{}
	blobs, err := disk.OpenImages(filepath.Join(dir, "images"), registry.BlobGrace, 365*24*time.Hour, w.now)
	if err != nil {
		t.Fatal(err)
	}
	w.Service = registry.New(db, blobs, w.now, log)
	return w
}

func (w *world) put(t *testing.T, repository, text string) string {
	t.Helper()
	digest := digests.FromString(text).String()
	if _, err := w.Put(t.Context(), repository, digest, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return digest
}

// image describes an image of one layer.
func image(config, layer string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"config":{"digest":%q,"size":%d},"layers":[{"digest":%q,"size":%d}]}`,
		digests.FromString(config), len(config), digests.FromString(layer), len(layer))
}

const imageType = "application/vnd.oci.image.manifest.v1+json"

// push pushes an image of one layer.
func (w *world) push(t *testing.T, repository, config, layer string, tags ...string) *registry.Manifest {
	t.Helper()
	w.put(t, repository, config)
	w.put(t, repository, layer)
	m, err := w.PutManifest(t.Context(), registry.Pushed{Repository: repository, Tags: tags, MediaType: imageType, Body: image(config, layer)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var e *sunya.Error
	if !errors.As(err, &e) || e.Reason != reason {
		t.Errorf("%v, want %s", err, reason)
	}
}

func TestManifestNeedsItsBlobs(t *testing.T) {
	w := open(t)
	push := func(body []byte) error {
		_, err := w.PutManifest(t.Context(), registry.Pushed{Repository: "p/a", Tags: []string{"v1"}, MediaType: imageType, Body: body})
		return err
	}
	wantReason(t, push(image("config", "layer")), registry.ManifestBlobUnknown)
	w.put(t, "p/a", "config")
	w.put(t, "p/b", "layer") // another repository has it
	err := push(image("config", "layer"))
	wantReason(t, err, registry.ManifestBlobUnknown)
	if !strings.Contains(err.Error(), digests.FromString("layer").String()) {
		t.Errorf("%v, want the digest of the layer", err)
	}
	if err := w.Mount(t.Context(), "p/a", "p/b", digests.FromString("layer").String()); err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(string(image("config", "layer")), `"size":5`, `"size":6`, 1)
	wantReason(t, push([]byte(body)), registry.ManifestInvalid)
	if _, err := w.Manifest(t.Context(), "p/a", "v1"); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("half of it is there: %v", err)
	}
	if err := push(image("config", "layer")); err != nil {
		t.Error(err)
	}
}

func TestMount(t *testing.T) {
	w := open(t)
	digest := w.put(t, "p/a", "text")
	for _, c := range []struct {
		to, from string
		want     sunya.Code
	}{
		{"p/b", "p/a", sunya.OK}, {"p/c", "", sunya.OK}, {"q/a", "", sunya.NotFound}, {"q/a", "p/nope", sunya.NotFound},
		{"q/a", "p/a", sunya.OK}, {"Q", "p/a", sunya.InvalidArgument}, {"q/a", "P", sunya.InvalidArgument},
	} {
		if err := w.Mount(t.Context(), c.to, c.from, digest); sunya.CodeOf(err) != c.want {
			t.Errorf("mount to %s from %q: %v, want %v", c.to, c.from, err, c.want)
		}
	}
	_, body, err := w.OpenBlob(t.Context(), "q/a", digest)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestCollectKeepsWhatIsNeeded(t *testing.T) {
	w := open(t)
	tagged := w.push(t, "p/a", "c1", "shared", "latest")
	running := w.push(t, "p/a", "c2", "l2")
	loose := w.push(t, "p/b", "c3", "l3")
	orphan := w.put(t, "p/a", "orphan")
	w.pass(registry.PushedLife + time.Hour)
	fresh := w.put(t, "p/a", "fresh")
	if err := w.Collect(t.Context(), []string{running.Digest}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*registry.Manifest{tagged, running} {
		for _, c := range m.Content {
			if _, body, err := w.OpenBlob(t.Context(), m.Repository, c.Digest); err != nil {
				t.Errorf("a blob of %s: %v", m.Digest, err)
			} else {
				body.Close()
			}
		}
	}
	if _, err := w.Manifest(t.Context(), "p/b", loose.Digest); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("what nobody needs: %v", err)
	}
	for _, digest := range []string{orphan, digests.FromString("l3").String()} {
		if err := w.Mount(t.Context(), "q/x", "p/a", digest); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("the bytes of %s are still there: %v", digest, err)
		}
	}
	if _, err := w.Blob(t.Context(), "p/a", fresh); err != nil {
		t.Errorf("what was just pushed: %v", err)
	}
}

// A client that was told that a blob is there does not push it; the manifest
// comes later.
func TestWhatAClientWasOfferedStays(t *testing.T) {
	w := open(t)
	digest := w.put(t, "p/a", "layer")
	w.pass(registry.BlobGrace - time.Minute)
	if _, err := w.Offer(t.Context(), "p/a", digest); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	if err := w.Collect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.put(t, "p/a", "config")
	_, err := w.PutManifest(t.Context(), registry.Pushed{Repository: "p/a", Tags: []string{"v1"}, MediaType: imageType, Body: image("config", "layer")})
	if err != nil {
		t.Error(err)
	}
	_, body, err := w.OpenBlob(t.Context(), "p/a", digest)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
}

// Pushes and collections at once, while days pass: what was pushed whole is
// whole.
func TestCollectWhilePushing(t *testing.T) {
	w := open(t)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := w.Collect(t.Context(), nil); err != nil {
				t.Error(err)
			}
		}
	})
	defer func() { close(stop); wg.Wait() }()
	pushed := 0
	for i := range 40 {
		config := fmt.Sprint("config", i)
		w.put(t, "p/a", config)
		w.put(t, "p/a", "shared")
		if i%4 == 0 {
			w.pass(2 * registry.BlobGrace)
		}
		m, err := w.PutManifest(t.Context(), registry.Pushed{Repository: "p/a", Tags: []string{"latest"}, MediaType: imageType, Body: image(config, "shared")})
		if err != nil {
			wantReason(t, err, registry.ManifestBlobUnknown) // too late for the blobs
			continue
		}
		pushed++
		for _, c := range m.Content {
			_, body, err := w.OpenBlob(t.Context(), "p/a", c.Digest)
			if err != nil {
				t.Fatalf("push %d: %v", i, err)
			}
			body.Close()
		}
		if err := w.Delete(t.Context(), "p/a", m.Digest); err != nil {
			t.Error(err)
		}
	}
	if pushed == 0 {
		t.Error("nothing was pushed")
	}
}

func TestTagsOfNothing(t *testing.T) {
	w := open(t)
	_, err := w.Tags(t.Context(), "p/none", "", 0)
	wantReason(t, err, registry.NameUnknown)
	w.push(t, "p/a", "c", "l")
	if tags, err := w.Tags(t.Context(), "p/a", "", 0); err != nil || len(tags) > 0 {
		t.Errorf("tags = %v, %v, want none", tags, err)
	}
	_, err = w.Tags(t.Context(), "p", "", 0)
	wantReason(t, err, registry.NameUnknown)
}

func TestBadNames(t *testing.T) {
	w := open(t)
	for _, c := range []struct {
		reason string
		do     func() error
	}{
		{registry.NameInvalid, func() error { _, err := w.BeginUpload(t.Context(), "P/a"); return err }},
		{registry.NameInvalid, func() error { _, err := w.Manifest(t.Context(), "p//a", "v1"); return err }},
		{registry.ManifestInvalid, func() error { _, err := w.Manifest(t.Context(), "p/a", "-"); return err }},
		{registry.DigestInvalid, func() error { _, err := w.Blob(t.Context(), "p/a", "sha256:1"); return err }},
		{registry.DigestInvalid, func() error { _, err := w.Referrers(t.Context(), "p/a", "v1", ""); return err }},
		{registry.TagInvalid, func() error {
			_, err := w.PutManifest(t.Context(), registry.Pushed{Repository: "p/a", Tags: []string{"a b"}})
			return err
		}},
		{registry.NameInvalid, func() error { return w.Delete(t.Context(), strings.Repeat("a", 256), "v1") }},
	} {
		wantReason(t, c.do(), c.reason)
	}
}
