//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	reg "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestRegistryConformance runs the suite of the OCI distribution specification
// against the server, with what comes with the next version of it.
func TestRegistryConformance(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	cmd := exec.CommandContext(t.Context(), "go", "tool", "conformance")
	cmd.Env = append(os.Environ(), "OCI_REGISTRY=localhost:"+s.Port, "OCI_TLS=disabled", "OCI_VERSION=dev", "OCI_RESULTS_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, what := range []string{"FAIL", "Skip"} {
		if !regexp.MustCompile(`(?m)^ *` + what + `\.*: +0$`).Match(out) {
			t.Errorf("results of the kind %s:\n%s", what, platform.Tail(string(out), 4000))
		}
	}
}

// push makes an image of two layers and pushes it.
func push(t *testing.T, ref string) v1.Image {
	t.Helper()
	img, err := random.Image(1<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(img, ref); err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, img v1.Image) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// TestImagesSurviveAKilledServer pushes with crane, kills the server, and pulls
// with crane and skopeo, under another name.
func TestImagesSurviveAKilledServer(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	local := "localhost:" + s.Port
	want := digestOf(t, push(t, local+"/sunya/hello:v1"))
	s.Kill()
	s.Up()
	got, err := crane.Pull(local + "/gcr.io/sunya/hello:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Errorf("what was pulled is not what was pushed: %v", err)
	}
	if d := digestOf(t, got); d != want {
		t.Errorf("digest = %s, want %s", d, want)
	}
	if err := crane.Copy(local+"/sunya/hello:v1", local+"/sunya/other:v2"); err != nil {
		t.Errorf("copy with mounts: %v", err)
	}
	if err := crane.Delete(local + "/sunya/hello@" + want); err != nil {
		t.Error(err)
	}
	if _, err := crane.Digest(local + "/sunya/hello:v1"); httpStatus(err) != http.StatusNotFound {
		t.Errorf("after its deletion: %v", err)
	}
	tags, err := crane.ListTags(local + "/sunya/other")
	if err != nil || len(tags) != 1 || tags[0] != "v2" {
		t.Errorf("tags of the copy: %v, %v", tags, err)
	}
}

func httpStatus(err error) int {
	if e, ok := err.(*transport.Error); ok {
		return e.StatusCode
	}
	return 0
}

func TestSkopeo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("skopeo is not installed")
	}
	s := platform.Start(t)
	local := "docker://localhost:" + s.Port
	want := digestOf(t, push(t, "localhost:"+s.Port+"/sunya/hello"))
	dir := filepath.Join(t.TempDir(), "image")
	for _, args := range [][]string{
		{"copy", "--src-tls-verify=false", local + "/sunya/hello", "dir:" + dir},
		{"copy", "--dest-tls-verify=false", "dir:" + dir, local + "/sunya/again:v1"},
		{"delete", "--tls-verify=false", local + "/sunya/hello"},
	} {
		out, err := exec.CommandContext(t.Context(), "skopeo", append([]string{"--insecure-policy"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if got, err := crane.Digest("localhost:" + s.Port + "/sunya/again:v1"); err != nil || got != want {
		t.Errorf("digest = %s, %v, want %s", got, err, want)
	}
}

// TestRegistryPasswords pushes as docker does that has logged in, from somewhere
// where one must.
func TestRegistryPasswords(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	ref := "localhost:" + s.Port + "/sunya/hello:v1"
	push(t, ref)
	elsewhere := crane.WithTransport(throughProxy{http.DefaultTransport})
	token, err := os.ReadFile(filepath.Join(s.Data, "keys", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	access := s.OK("auth", "print-access-token").LastLine()
	other := s.OK("--project", "other", "auth", "print-access-token").LastLine()
	for _, c := range []struct {
		who, password string
		status        int
	}{
		{"nobody", "", http.StatusUnauthorized},
		{"a stranger", "wrong", http.StatusUnauthorized},
		{"the owner", strings.TrimSpace(string(token)), 0},
		{"an account of the project", access, 0},
		{"an account of another project", other, http.StatusForbidden},
	} {
		opts := []crane.Option{elsewhere}
		if c.password != "" {
			opts = append(opts, crane.WithAuth(&authn.Basic{Username: "oauth2accesstoken", Password: c.password}))
		}
		if _, err := crane.Manifest(ref, opts...); httpStatus(err) != c.status || c.status == 0 && err != nil {
			t.Errorf("%s: %v, want status %d", c.who, err, c.status)
		}
	}
}

// throughProxy makes requests that another machine could have made.
type throughProxy struct{ http.RoundTripper }

func (p throughProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	return p.RoundTripper.RoundTrip(r)
}

// TestUploadGoesOnAfterAKill loses the server in the middle of a blob.
func TestUploadGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	layer := bytes.Repeat([]byte("sunya"), 1<<20)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(layer))
	half := len(layer) / 2
	begin := sendToRegistry(t, s, http.MethodPost, "/v2/sunya/big/blobs/uploads/", nil)
	at := begin.Header.Get("Location")
	if res := sendToRegistry(t, s, http.MethodPatch, at, layer[:half]); res.StatusCode != http.StatusAccepted {
		t.Fatalf("first half: %s", res.Status)
	}
	s.Kill()
	s.Up()
	res := sendToRegistry(t, s, http.MethodGet, at, nil)
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Range") != "0-"+strconv.Itoa(half-1) {
		t.Fatalf("after the kill: %s, %v", res.Status, res.Header)
	}
	res = sendToRegistry(t, s, http.MethodPut, at+"?digest="+digest, layer[half:])
	if res.StatusCode != http.StatusCreated {
		t.Errorf("second half: %s", res.Status)
	}
	if res = sendToRegistry(t, s, http.MethodHead, "/v2/sunya/big/blobs/"+digest, nil); res.ContentLength != int64(len(layer)) {
		t.Errorf("the blob has %d bytes: %s", res.ContentLength, res.Status)
	}
}

// sendTo sends a request to the registry.
func sendToRegistry(t *testing.T, s *platform.Server, method, path string, body []byte) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// asMirror asks a registry as containerd asks mirrors.
type asMirror struct{ host string }

func (m asMirror) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	q.Set("ns", m.host)
	r.URL.RawQuery = q.Encode()
	return http.DefaultTransport.RoundTrip(r)
}

// TestImagesFromElsewhere pulls an image of another registry through the server,
// which is told to ask a mirror, and looks at images with the command line.
func TestImagesFromElsewhere(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(reg.New(reg.Logger(log.New(io.Discard, "", 0))))
	defer other.Close()
	host := strings.TrimPrefix(other.URL, "http://")
	want := digestOf(t, push(t, host+"/library/python:3"))
	s := platform.Start(t, "--registry-mirror", "docker.io=http://"+host)
	local := "localhost:" + s.Port
	through := crane.WithTransport(asMirror{"docker.io"})
	got, err := crane.Pull(local+"/library/python:3", through)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil || digestOf(t, got) != want {
		t.Errorf("pulled %s, %v, want %s", digestOf(t, got), err, want)
	}
	other.Close()
	if _, err := crane.Pull(local+"/library/python@"+want, through); err != nil {
		t.Errorf("the mirror is gone, and so is what was pulled: %v", err)
	}
	push(t, local+"/sunya/hello:v1")
	s.OK("images", "tags", "add", "hello:v1", "gcr.io/sunya/hello:stable")
	if out := s.OK("images", "list").Stdout; !strings.Contains(out, "gcr.io/sunya/hello") || !strings.Contains(out, "stable, v1") || strings.Contains(out, "python") {
		t.Errorf("images:\n%s", out)
	}
	s.OK("images", "delete", "hello", "--yes")
	if r := s.CLI("images", "describe", "hello:v1"); r.Code != 3 {
		t.Errorf("after its deletion: exit %d, %s", r.Code, r.Stderr)
	}
}

// TestGcloudArtifacts: what gcloud shows of images and does to them.
func TestGcloudArtifacts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	const repository = "us-central1-docker.pkg.dev/sunya/web"
	want := digestOf(t, push(t, "localhost:"+s.Port+"/sunya/web/hello:v1"))
	for _, c := range []struct{ line, want string }{
		{"artifacts repositories create made --repository-format=docker --location=us-central1", "Created repository [made]"},
		{"artifacts docker images list " + repository + " --include-tags", want},
		{"artifacts docker images delete " + repository + "/hello:v1 --delete-tags --quiet", "v1"},
	} {
		if out, err := g.run(strings.Fields(c.line)...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("gcloud %s: %v\n%s", c.line, err, out)
		}
	}
	if _, err := crane.Digest("localhost:" + s.Port + "/sunya/web/hello@" + want); httpStatus(err) != http.StatusNotFound {
		t.Errorf("after its deletion: %v", err)
	}
}
