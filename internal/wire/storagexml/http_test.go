package storagexml_test

import (
	"context"
	"crypto/rsa"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
	"github.com/sunya-cloud/sunya/internal/wire/storagexml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the API over an empty store with the bucket stuff.
type server struct {
	*objects.Service
	url string
}

func serve(t testing.TB) server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	svc := objects.New(objectstest.NewStore(), &objectstest.Blobs{}, time.Now, log, objects.Options{})
	if _, err := svc.CreateBucket(t.Context(), objects.Bucket{Name: "stuff", Project: "sunya"}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(storagexml.New(storagexml.Deps{Objects: svc, Model: storagev1.Model{}, Project: "sunya", Log: log, Auth: &storagexml.Auth{Keys: oneKey{}, Objects: svc, Now: time.Now}}))
	t.Cleanup(srv.Close)
	return server{svc, srv.URL}
}

// oneKey is one HMAC key.
type oneKey struct{}

func (oneKey) RSA(context.Context, string) ([]*rsa.PublicKey, error) { return nil, nil }

func (oneKey) Secret(_ context.Context, id string) (string, error) {
	if id != "GOOG1ID" {
		return "", sunya.Errorf(sunya.NotFound, id, "no such key")
	}
	return "secret", nil
}

func (s server) put(t testing.TB, name, body string) *objects.Object {
	t.Helper()
	o, err := s.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: name}, strings.NewReader(body), -1)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// do sends a request; header are names and values in turn, of which Host is the
// request's.
func (s server) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

func TestErrors(t *testing.T) {
	s := serve(t)
	s.put(t, "o", "x")
	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
		code         string
	}{
		{"GET", "/stuff/none", nil, 404, "NoSuchKey"},
		{"GET", "/none/o", nil, 404, "NoSuchBucket"},
		{"GET", "/none", nil, 404, "NoSuchBucket"},
		{"GET", "/stuff/o", []string{"x-goog-if-generation-match", "1"}, 412, "PreconditionFailed"},
		{"GET", "/stuff/o", []string{"x-goog-if-generation-match", "x"}, 400, "InvalidArgument"},
		{"GET", "/stuff/o", []string{"Range", "bytes=5-"}, 416, "InvalidRange"},
		{"GET", "/stuff?max-keys=x", nil, 400, "InvalidArgument"},
		{"GET", "/stuff?list-type=2&continuation-token=x", nil, 400, "InvalidArgument"},
	} {
		res, got := s.do(t, tt.method, tt.path, "", tt.header...)
		if res.StatusCode != tt.status || !strings.Contains(got, "<Code>"+tt.code+"</Code>") || !strings.Contains(res.Header.Get("Content-Type"), "xml") {
			t.Errorf("%s %s: %s %s, want %d %s", tt.method, tt.path, res.Status, got, tt.status, tt.code)
		}
	}
}
