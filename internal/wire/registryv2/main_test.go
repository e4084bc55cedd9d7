package registryv2_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	digests "github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/registryv2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the API over real stores.
type server struct {
	url      string
	registry *registry.Service
	deps     registryv2.Deps
}

func serve(t testing.TB, change ...func(*registryv2.Deps)) server {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := disk.OpenImages(filepath.Join(dir, "images"), registry.BlobGrace, registry.BlobGrace, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := server{registry: registry.New(db, blobs, time.Now, log)}
	s.deps = registryv2.Deps{Registry: s.registry, Names: images.NewOwn("localhost:8080"), Log: log}
	for _, f := range change {
		f(&s.deps)
	}
	srv := httptest.NewServer(registryv2.New(s.deps))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// do sends a request and returns the answer with its body.
func (s server) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	var r io.Reader = http.NoBody
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// want is do for an answer of which status and, when not empty, part of the body
// are known.
func (s server) want(t testing.TB, status int, part, method, path, body string, header ...string) *http.Response {
	t.Helper()
	res, got := s.do(t, method, path, body, header...)
	if res.StatusCode != status || !strings.Contains(got, part) {
		t.Errorf("%s %s: %d %s, want %d with %q", method, path, res.StatusCode, bytes.TrimSpace([]byte(got)), status, part)
	}
	return res
}

func sha(s string) string { return digests.FromString(s).String() }

// push uploads a blob.
func (s server) push(t testing.TB, repository, body string) string {
	t.Helper()
	digest := sha(body)
	s.want(t, 201, "", "POST", "/v2/"+repository+"/blobs/uploads/?digest="+digest, body)
	return digest
}
