//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// layerOf is a layer of these entries; the content of a file is its name.
func layerOf(t *testing.T, entries ...tar.Header) v1.Layer {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func imageOf(t *testing.T, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return platformOf(t, img, "amd64")
}

// platformOf is an image that says it is for an architecture.
func platformOf(t *testing.T, img v1.Image, arch string) v1.Image {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

// TestBadImages: whatever is wrong with an image or with what is asked of it,
// the error names it, the revision before serves on, and nothing is left.
func TestBadImages(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	program := platform.Program(t, "./testdata/run/hello")
	good := platform.Image(t, map[string][]byte{"/bin/hello": program, "/data": []byte("no program")}, v1.Config{Entrypoint: []string{"/bin/hello"}})
	s.Push(good, "sunya/good")
	s.Push(platformOf(t, good, "arm64"), "sunya/arm")
	s.Push(imageOf(t, layerOf(t, tar.Header{Name: "../escape", Typeflag: tar.TypeReg, Mode: 0o644})), "sunya/escape")
	s.Push(imageOf(t, layerOf(t, tar.Header{Name: "disk", Typeflag: tar.TypeBlock, Devmajor: 8})), "sunya/device")
	s.Push(imageOf(t, layerOf(t,
		tar.Header{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"})), "sunya/link")

	s.OK("run", "deploy", "hello", "--image", "gcr.io/sunya/good", "--allow-unauthenticated", "--quiet")
	host := "hello.localhost:" + s.Port
	serves := s.Get(host, "/revision")

	none := "gcr.io/sunya/good@sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string // all of these in stderr
	}{
		{"no such image", []string{"--image", "gcr.io/sunya/nope"}, 3, []string{"gcr.io/sunya/nope:latest", "docker push", "builds submit"}},
		{"no such digest", []string{"--image", none}, 3, []string{"sha256:0000"}},
		{"no name of an image", []string{"--image", "gcr.io/Sunya/UPPER"}, 2, []string{"UPPER"}},
		{"another architecture", []string{"--image", "gcr.io/sunya/arm"}, -1, []string{"arm64", "amd64"}},
		{"a layer that leads out", []string{"--image", "gcr.io/sunya/escape"}, -1, []string{"../escape"}},
		{"a device node", []string{"--image", "gcr.io/sunya/device"}, -1, []string{`"disk"`, "device"}},
		{"a hard link that leads out", []string{"--image", "gcr.io/sunya/link"}, -1, []string{"hard"}},
		{"no program", []string{"--image", "gcr.io/sunya/good", "--command", "/nope"}, 7, []string{"/nope"}},
		{"not executable", []string{"--image", "gcr.io/sunya/good", "--command", "/data"}, 7, []string{"/data"}},
		{"another port", []string{"--image", "gcr.io/sunya/good", "--command", "", "--set-env-vars", "LISTEN=5000"}, 7, []string{"5000", "8080"}},
		{"memory", []string{"--image", "gcr.io/sunya/good", "--memory", "12Q"}, 2, []string{"12Q", "512Mi"}},
		{"cpu", []string{"--image", "gcr.io/sunya/good", "--cpu", "3"}, 2, []string{"cpu"}},
		{"concurrency", []string{"--image", "gcr.io/sunya/good", "--concurrency", "1001"}, 2, []string{"1001", "1000"}},
		{"timeout", []string{"--image", "gcr.io/sunya/good", "--timeout", "2h"}, 2, []string{"3600"}},
		{"port", []string{"--image", "gcr.io/sunya/good", "--port", "70000"}, 2, []string{"70000", "65535"}},
		{"reserved variable", []string{"--image", "gcr.io/sunya/good", "--set-env-vars", "K_SERVICE=x"}, 2, []string{"K_SERVICE"}},
		{"secrets", []string{"--image", "gcr.io/sunya/good", "--set-secrets", "A=b:latest"}, -1, []string{"ecret"}},
		{"no image", nil, 2, []string{"--image"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := s.For(t).CLI(append([]string{"run", "deploy", "hello", "--quiet"}, c.args...)...)
			if r.Code != c.code && (c.code >= 0 || r.Code == 0) {
				t.Errorf("exit %d, want %d", r.Code, c.code)
			}
			for _, w := range append(c.want, "ERROR:") {
				if !strings.Contains(r.Stderr, w) {
					t.Errorf("stderr does not mention %q", w)
				}
			}
			if strings.Contains(r.Stderr, "internal error") || r.Stdout != "" {
				t.Errorf("stdout = %q", r.Stdout)
			}
			if t.Failed() {
				t.Logf("stderr:\n%s", r.Stderr)
			}
			if code, got, err := s.Try(host, "/revision"); err != nil || code != http.StatusOK || got != serves {
				t.Errorf("%d %q %v serves, not %q", code, got, err, serves)
			}
		})
	}
	s.OK("run", "services", "delete", "hello", "--quiet")
	s.Eventually(30*time.Second, "the end of the instances", func() error { return nothingRuns(s) })
	s.NoOrphans()
}
