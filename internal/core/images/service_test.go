package images_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

func TestFetchFromElsewhere(t *testing.T) {
	w, e := open(t), another(t)
	img := picture(t, "amd64", 3)
	e.push(t, "o/n:v1", img)
	ref := e.host + "/o/n:v1"
	d, err := w.Resolve(t.Context(), "p", ref)
	if err != nil || d.Digest != digestOf(t, img) || d.Reference != ref || d.Config.User != "www" || d.Bytes < 3000 {
		t.Fatalf("resolved %+v, %v", d, err)
	}
	if n := e.asked("blobs"); n != 1 {
		t.Errorf("%d blobs were asked for to resolve, want the configuration", n)
	}
	f, log := w.fetch(t, ref)
	if f.Image.Digest != d.Digest || f.Image.Reference != ref || f.Image.Stack != sunya.ContainerStack || len(f.Image.Layers) != 3 {
		t.Errorf("image = %+v", f.Image)
	}
	cfg, _ := img.ConfigFile()
	for i, l := range f.Image.Layers {
		if l.Digest != cfg.RootFS.DiffIDs[i].String() || l.Target != "/" {
			t.Errorf("layer %d = %+v", i, l)
		}
	}
	if want := []string{"80/tcp", "8080/tcp"}; !slices.Equal(f.Config.ExposedPorts, want) || !slices.Equal(f.Config.Cmd, []string{"serve"}) {
		t.Errorf("config = %+v", f.Config)
	}
	if !strings.Contains(log, "for linux/amd64: 3 layers") || strings.Count(log, "unpacked") != 3 {
		t.Errorf("the user reads %q", log)
	}
	before := e.asked("blobs")
	_, log = w.fetch(t, ref)
	if !strings.Contains(log, "here already") || e.asked("blobs") != before || w.unpacker.made != 3 {
		t.Errorf("again: %q, %d more blobs, %d layers unpacked", log, e.asked("blobs")-before, w.unpacker.made)
	}
	// By digest nobody has to be asked any more.
	e.misbehave(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true })
	w.fetch(t, e.host+"/o/n@"+d.Digest)
}

func TestFetchFromHere(t *testing.T) {
	w := open(t)
	img := picture(t, "amd64", 2)
	w.pushHere(t, "p/hello", "latest", img)
	for _, ref := range []string{"gcr.io/p/hello", "eu.gcr.io/p/hello@" + digestOf(t, img), "localhost:8080/p/hello", "localhost:8080/gcr.io/p/hello", "us-docker.pkg.dev/p/hello"} {
		if f, _ := w.fetch(t, ref); f.Image.Digest != digestOf(t, img) {
			t.Errorf("%s: %+v", ref, f.Image)
		}
	}
	for _, ref := range []string{"gcr.io/p/nope", "localhost:8080/q/nope:v1"} {
		_, err := w.Resolve(t.Context(), "p", ref)
		fails(t, err, sunya.NotFound, ref, "docker push", "sunya builds submit --tag")
	}
	_, err := w.Resolve(t.Context(), "p", "gcr.io/p/Hello")
	fails(t, err, sunya.InvalidArgument, `write "p/hello"`)
}

func TestPlatforms(t *testing.T) {
	w, e := open(t), another(t)
	right, wrong := picture(t, "amd64", 1), picture(t, "arm64", 1)
	index := func(add ...mutate.IndexAddendum) v1.ImageIndex { return mutate.AppendManifests(empty.Index, add...) }
	entry := func(img mutate.Appendable, os, arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch}}}
	}
	e.push(t, "o/multi", index(entry(wrong, "linux", "arm64"), entry(wrong, "unknown", "unknown"), entry(right, "linux", "amd64")))
	e.push(t, "o/nested", index(mutate.IndexAddendum{Add: index(entry(right, "linux", "amd64"))}))
	e.push(t, "o/foreign", index(entry(wrong, "linux", "arm64"), entry(wrong, "windows", "amd64")))
	e.push(t, "o/single", wrong)
	for _, ref := range []string{"o/multi", "o/nested"} {
		if f, _ := w.fetch(t, e.host+"/"+ref); f.Image.Digest != digestOf(t, right) {
			t.Errorf("%s: %s", ref, f.Image.Digest)
		}
	}
	_, err := w.Resolve(t.Context(), "p", e.host+"/o/foreign")
	fails(t, err, sunya.FailedPrecondition, "linux/amd64", "it is for linux/arm64, windows/amd64")
	_, err = w.Resolve(t.Context(), "p", e.host+"/o/single")
	fails(t, err, sunya.FailedPrecondition, "is for linux/arm64", "--platform linux/amd64")
}

func TestMirrors(t *testing.T) {
	dead, good := another(t), another(t)
	dead.misbehave(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true })
	w := open(t, "docker.io=http://"+dead.host, "docker.io="+good.host, "ghcr.io=local")
	img := picture(t, "amd64", 1)
	good.push(t, "library/python:3", img)
	if f, _ := w.fetch(t, "python:3"); f.Image.Digest != digestOf(t, img) || f.Image.Reference != "docker.io/library/python:3" {
		t.Errorf("image = %+v", f.Image)
	}
	_, err := w.Resolve(t.Context(), "p", "ghcr.io/o/n")
	fails(t, err, sunya.NotFound, "ghcr.io/o/n:latest", "ghcr.io=local", "push it to ghcr.io/o/n")
	// What was pushed here under the name of another registry comes first.
	own := picture(t, "amd64", 2)
	w.pushHere(t, "docker.io/library/python", "3", own)
	if f, _ := w.fetch(t, "python:3"); f.Image.Digest != digestOf(t, own) {
		t.Errorf("image = %+v, want the one that was pushed here", f.Image)
	}
}

func TestMirrorSettings(t *testing.T) {
	for _, bad := range []string{"docker.io", "=x", "docker.io=", "docker.io=a b", "doc ker=x", "docker.io=http://"} {
		_, err := images.ParseMirrors([]string{bad})
		fails(t, err, sunya.InvalidArgument, bad)
	}
}

// F24: whatever a registry does, nothing is run that is not what was named, and
// nothing of it stays.
func TestHostileRegistry(t *testing.T) {
	img := picture(t, "amd64", 1)
	raw, _ := img.RawManifest()
	digest := digestOf(t, img)
	layer := string(raw[bytes.Index(raw, []byte(`"layers"`)):])
	layer = layer[strings.Index(layer, "sha256:"):][:71]
	on := func(part string, answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			answer(w)
			return true
		}
	}
	write := func(mediaType, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, body)
		}
	}
	dockerImage, ociImage := string(types.DockerManifestSchema2), string(types.OCIManifestSchema1)
	for _, tt := range []struct {
		rule  string
		ref   string
		bad   func(http.ResponseWriter, *http.Request) bool
		parts []string
	}{
		{"another manifest than was named", "@" + digest, on("/manifests/", write(dockerImage, string(raw)+" ")), []string{"has the digest"}},
		{"an image that says what of this machine is shown to it", ":v1", on("/manifests/", write(dockerImage, strings.Replace(string(raw), string(types.DockerConfigJSON), images.HostConfig, 1))), []string{"runtimes of another machine"}},
		{"no manifest", ":v1", on("/manifests/", write(ociImage, "<html>")), []string{"not JSON"}},
		{"an unknown media type", ":v1", on("/manifests/", write("application/x", string(raw))), []string{"application/x"}},
		{"two kinds at once", ":v1", on("/manifests/", write(ociImage, `{"schemaVersion":2,"config":{},"manifests":[]}`)), []string{"has manifests"}},
		{"schema 1", ":v1", on("/manifests/", write("application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1}`)), []string{"schema 1"}},
		{"a layer with other bytes", ":v1", on("/blobs/"+layer, write("", "other")), []string{layer, "fewer bytes"}},
		{"a layer with more bytes", ":v1", on("/blobs/"+layer, write("", strings.Repeat("x", 1<<20))), []string{layer, "more bytes"}},
		{"a configuration with other bytes", ":v1", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/blobs/") || strings.HasSuffix(r.URL.Path, layer) {
				return false
			}
			write("", "{}")(w)
			return true
		}, []string{"fewer bytes"}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			w, e := open(t), another(t)
			e.push(t, "o/n:v1", img)
			e.misbehave(tt.bad)
			_, err := w.Fetch(t.Context(), "p", e.host+"/o/n"+tt.ref, io.Discard)
			if err == nil {
				t.Fatal("no error")
			}
			fails(t, err, sunya.CodeOf(err), append(tt.parts, e.host+"/o/n")...)
			if w.unpacker.made > 0 {
				t.Error("something was unpacked")
			}
			e.misbehave(nil)
			w.fetch(t, e.host+"/o/n:v1") // and nothing is in the way of the right one
		})
	}
}

// A connection that breaks once is no reason to fail.
func TestPullIsTriedAgain(t *testing.T) {
	w, e := open(t), another(t)
	e.push(t, "o/n:v1", picture(t, "amd64", 1))
	var once sync.Once
	e.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		bad := false
		if strings.Contains(r.URL.Path, "/blobs/") {
			once.Do(func() { bad = true })
		}
		if bad {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		}
		return bad
	})
	w.fetch(t, e.host+"/o/n:v1")
}

// Many who want one image at once pull it once.
func TestTogether(t *testing.T) {
	w, e := open(t), another(t)
	e.push(t, "o/n:v1", picture(t, "amd64", 4))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.Fetch(context.Background(), "p", e.host+"/o/n:v1", io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := e.asked("blobs"); n != 5 {
		t.Errorf("%d blobs were pulled, want 5", n)
	}
}

func TestUnreachable(t *testing.T) {
	w := open(t)
	e := another(t)
	e.misbehave(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(401); return true })
	_, err := w.Resolve(t.Context(), "p", e.host+"/o/private:v1")
	fails(t, err, sunya.PermissionDenied, e.host+"/o/private:v1", "docker login "+e.host)
	e.misbehave(nil)
	_, err = w.Resolve(t.Context(), "p", e.host+"/o/nope:v1")
	fails(t, err, sunya.NotFound, e.host+"/o/nope:v1", "check name and tag")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = w.Resolve(ctx, "p", e.host+"/o/nope:v1"); err == nil {
		t.Error("no error")
	}
}

func TestHostImages(t *testing.T) {
	w := open(t)
	res := &build.Result{
		Image:   sunya.Image{Stack: sunya.HostStack, Layers: []sunya.Layer{{Digest: "sha256:l", Target: "/app"}}, Fingerprint: "fp", Runtime: "Python 3.11"},
		Command: []string{"gunicorn"}, Dir: "/workspace",
		Env: []sunya.EnvVar{{Name: "A", Value: "b=c"}, {Name: "MB", Field: sunya.FieldMemoryMB}},
	}
	digest, err := w.PutHost(t.Context(), "p", "us-docker.pkg.dev/p/r/n:v1", res)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"us-docker.pkg.dev/p/r/n:v1", "gcr.io/p/r/n@" + digest} {
		f, log := w.fetch(t, ref)
		want := res.Image
		want.Digest, want.Reference = digest, ref
		if diff := cmp.Diff(want, f.Image); diff != "" {
			t.Errorf("image differs (-want +got):\n%s", diff)
		}
		c := sunya.Container{Env: []sunya.EnvVar{{Name: "MB", Value: "mine"}}}
		if err := images.Complete(&c, f, sunya.ImageSpec{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]sunya.EnvVar{{Name: "MB", Value: "mine"}, {Name: "A", Value: "b=c"}}, c.Env); diff != "" || c.Dir != "/workspace" || !slices.Equal(c.Command, res.Command) {
			t.Errorf("container %+v (-want +got):\n%s", c, diff)
		}
		if !strings.Contains(log, "built on this machine") {
			t.Errorf("the user reads %q", log)
		}
	}
	again, err := w.PutHost(t.Context(), "p", "us-docker.pkg.dev/p/r/n", res)
	if err != nil || again != digest {
		t.Errorf("again: %s, %v, want the same", again, err)
	}
	keep, err := w.HostLayers(t.Context())
	if err != nil || !keep["sha256:l"] || len(keep) != 1 {
		t.Errorf("layers that are needed: %v, %v", keep, err)
	}
	_, err = w.PutHost(t.Context(), "p", "docker.io/p/n", res)
	fails(t, err, sunya.InvalidArgument, "not a name of this registry")
	if err := w.registry.Delete(t.Context(), "p/r/n", digest); err != nil {
		t.Fatal(err)
	}
	if keep, err := w.HostLayers(t.Context()); err != nil || len(keep) > 0 {
		t.Errorf("after its deletion: %v, %v", keep, err)
	}
}

// Clients that ask this registry for images of another one get them, and what
// was pulled for them is not in anybody's project.
func TestUpstream(t *testing.T) {
	e := another(t)
	w := open(t, "gcr.io=http://"+e.host)
	img := picture(t, "amd64", 1)
	e.push(t, "distroless/static:v1", img)
	u := images.Upstream{Service: w.Service, Project: "p"}
	m, err := u.Manifest(t.Context(), "gcr.io", "distroless/static", "v1", false)
	if err != nil || m.Digest != digestOf(t, img) || m.Repository != "gcr.io/distroless/static" {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, c := range m.Content {
		in, err := u.Blob(t.Context(), "gcr.io", "distroless/static", c.Digest, false)
		if err != nil || in != m.Repository {
			t.Errorf("blob in %q, %v", in, err)
		}
	}
	if _, err := w.registry.Manifest(t.Context(), "distroless/static", m.Digest); err == nil {
		t.Error("what was pulled is in a repository of a project")
	}
}

func TestUpstreamKeepsSecrets(t *testing.T) {
	w := open(t, "gcr.io=local")
	w.pushHere(t, "q/secret", "v1", picture(t, "amd64", 1))
	u := images.Upstream{Service: w.Service, Project: "p"}
	if _, err := u.Manifest(t.Context(), "gcr.io", "q/secret", "v1", false); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("what was pushed, for one who may not: %v", err)
	}
	if _, err := u.Manifest(t.Context(), "gcr.io", "q/secret", "v1", true); err != nil {
		t.Errorf("for one who may: %v", err)
	}
	if _, err := u.Manifest(t.Context(), "gcr.io", "p/nope", "v1", true); sunya.CodeOf(err) != sunya.NotFound || !strings.Contains(fmt.Sprint(err), "docker push") {
		t.Errorf("an image of the own project that is not there: %v", err)
	}
}

func TestPutHostStaysInItsProject(t *testing.T) {
	w := open(t)
	_, err := w.PutHost(t.Context(), "p", "gcr.io/other/n", &build.Result{})
	fails(t, err, sunya.PermissionDenied, "project p cannot push to project other: use gcr.io/p/NAME")
}
