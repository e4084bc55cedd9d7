package ociremote

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	reg "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// at returns the endpoint of a test server.
func at(srv *httptest.Server) images.Endpoint {
	return images.Endpoint{Host: strings.TrimPrefix(srv.URL, "http://")}
}

func client(t *testing.T, c *Credentials) *Client {
	t.Helper()
	cl := New(c, "test")
	t.Cleanup(cl.Close)
	return cl
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func TestPull(t *testing.T) {
	var asked []string
	inner := reg.New(reg.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		inner.ServeHTTP(w, r)
	}))
	e := at(srv)
	img, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(e.Host + "/p/n:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	c := client(t, nil)
	mediaType, body, err := c.Manifest(t.Context(), e, "p/n", "v1", 1<<20)
	want, _ := img.RawManifest()
	if err != nil || string(body) != string(want) || !strings.Contains(mediaType, "manifest") {
		t.Fatalf("%s %s, %v", mediaType, body, err)
	}
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	blob, err := c.Blob(t.Context(), images.Endpoint{Host: "docker.io", Mirror: e.Host, Plain: true}, "p/n", digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if n, err := io.Copy(io.Discard, blob); err != nil || n < 1000 {
		t.Errorf("blob has %d bytes, %v", n, err)
	}
	if last := asked[len(asked)-1]; !strings.HasSuffix(last, "?ns=docker.io") {
		t.Errorf("a mirror was asked for %s: of whom?", last)
	}
	_, _, err = c.Manifest(t.Context(), e, "p/n", "nope", 1<<20)
	if sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("what is not there: %v", err)
	}
	_, _, err = c.Manifest(t.Context(), e, "p/n", "v1", 10)
	if sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("larger than the limit: %v", err)
	}
}

// hostile is a registry that answers pings and does one bad thing.
func hostile(bad http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			bad(w, r)
		}
	})
}

func TestHostileRegistry(t *testing.T) {
	for _, tt := range []struct {
		rule string
		h    http.Handler
		code sunya.Code
		want string
	}{
		{"it is not there for the account", hostile(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), sunya.PermissionDenied, "403"},
		{"it has had enough", hostile(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }), sunya.Unavailable, "429"},
		{"it breaks", hostile(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), sunya.Unavailable, "502"},
		{"it is no registry", http.NotFoundHandler(), sunya.NotFound, "404"},
		{"it sends to the cloud's metadata", hostile(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/computeMetadata/v1/", http.StatusFound)
		}), sunya.PermissionDenied, "169.254.169.254"},
		{"it sends round and round", hostile(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), sunya.InvalidArgument, "more than 5 times"},
		{"it never stops", hostile(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}), sunya.InvalidArgument, "more than"},
		{"its answer to the ping never stops", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				for range 40 {
					if _, err := w.Write(make([]byte, 1<<20)); err != nil {
						return
					}
				}
			}
			w.WriteHeader(404)
		}), sunya.NotFound, "404"},
		{"its error is a book", hostile(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"errors":[{"code":"X","message":%q}]}`, strings.Repeat("x", 10_000))
		}), sunya.InvalidArgument, "400"},
		{"it hangs up", hostile(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), sunya.Unavailable, "cannot be reached"},
		{"its realm is no address", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="file:///etc/passwd"`)
			w.WriteHeader(401)
		}), sunya.Unavailable, "realm"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			srv := serve(t, tt.h)
			_, _, err := client(t, nil).Manifest(t.Context(), at(srv), "p/n", "v1", 1<<20)
			if sunya.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%.300v: code %v, want %v with %s", err, sunya.CodeOf(err), tt.code, tt.want)
			}
			if e, ok := err.(*sunya.Error); ok && len(e.Public()) > 600 {
				t.Errorf("the user reads %d characters", len(e.Public()))
			}
		})
	}
}

// A registry asks for the password to be sent to somebody else (CVE-2020-15157
// and its kind).
func TestPasswordsStayWithTheirRegistry(t *testing.T) {
	var got atomic.Value
	thief := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		got.Store(user + password + string(body))
		fmt.Fprint(w, `{"token":"t"}`)
	}))
	realm := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1) // another host
	for _, cfg := range []authn.AuthConfig{{Username: "u", Password: "secret"}, {IdentityToken: "secret"}, {}} {
		got.Store("")
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer t" {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="x"`, realm))
			w.WriteHeader(401)
		}))
		e := at(srv)
		c := client(t, &Credentials{auths: map[string]authn.AuthConfig{e.Host: cfg}})
		_, _, err := c.Manifest(t.Context(), e, "p/n", "v1", 1<<20)
		want := sunya.PermissionDenied
		if cfg == (authn.AuthConfig{}) {
			want = sunya.NotFound // nothing to steal: it is asked, and the image is not there
		}
		if sunya.CodeOf(err) != want || strings.Contains(got.Load().(string), "secret") {
			t.Errorf("%v; the other has got %q", err, got.Load())
		}
	}
}

func TestPasswordIsSentHome(t *testing.T) {
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "{}")
	}))
	e := at(srv)
	c := client(t, &Credentials{auths: map[string]authn.AuthConfig{e.Host: {Username: "u", Password: "p"}}})
	mediaType, body, err := c.Manifest(t.Context(), e, "p/n", "v1", 1<<20)
	if err != nil || string(body) != "{}" || mediaType != "" {
		t.Errorf("%q %s, %v", mediaType, body, err)
	}
	if _, _, err := client(t, nil).Manifest(t.Context(), e, "p/n", "v1", 1<<20); sunya.CodeOf(err) != sunya.PermissionDenied {
		t.Errorf("without: %v", err)
	}
}

func TestCallersWhoLeave(t *testing.T) {
	srv := serve(t, hostile(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := client(t, nil).Manifest(ctx, at(srv), "p/n", "v1", 1<<20)
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}
