package registryv2_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/registryv2"
)

const imageType = "application/vnd.oci.image.manifest.v1+json"

// imageOf is the manifest of an image of one layer.
func imageOf(config, layer string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		imageType, sha(config), len(config), sha(layer), len(layer))
}

// pushImage pushes an image under a tag and returns its digest.
func (s server) pushImage(t testing.TB, repository, tag, config, layer string) string {
	t.Helper()
	s.push(t, repository, config)
	s.push(t, repository, layer)
	body := imageOf(config, layer)
	s.want(t, 201, "", "PUT", "/v2/"+repository+"/manifests/"+tag, body, "Content-Type", imageType)
	return sha(body)
}

// One image under all its names.
func TestPushAndPull(t *testing.T) {
	s := serve(t)
	digest := s.pushImage(t, "gcr.io/p/n", "v1", "{}", "layer")
	for _, path := range []string{
		"/v2/p/n/manifests/v1", "/v2/gcr.io/p/n/manifests/" + digest, "/v2/us-docker.pkg.dev/p/n/manifests/v1",
		"/v2/p/n/manifests/v1?ns=eu.gcr.io", "/v2/p/n/manifests/v1?ns=localhost:8080",
	} {
		res := s.want(t, 200, sha("layer"), "GET", path, "")
		if res.Header.Get("Docker-Content-Digest") != digest || res.Header.Get("Content-Type") != imageType || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: header = %v", path, res.Header)
		}
	}
	s.want(t, 404, "MANIFEST_UNKNOWN", "GET", "/v2/p/n/manifests/v1?ns=ghcr.io", "")
	res := s.want(t, 206, "ye", "GET", "/v2/p/n/blobs/"+sha("layer"), "", "Range", "bytes=2-3")
	if res.Header.Get("Content-Range") != "bytes 2-3/5" {
		t.Errorf("range: %v", res.Header)
	}
}

func TestWhatIsWrongSaysSo(t *testing.T) {
	s := serve(t)
	s.pushImage(t, "p/n", "v1", "{}", "layer")
	begin := s.want(t, 202, "", "POST", "/v2/p/n/blobs/uploads/", "")
	upload := begin.Header.Get("Location")
	big := `{"schemaVersion":2,"annotations":{"a":"` + strings.Repeat("x", 4<<20) + `"}}`
	for _, c := range []struct {
		status                   int
		code, method, path, body string
		header                   []string
	}{
		{404, "NAME_UNKNOWN", "GET", "/v2/p/other/tags/list", "", nil},
		{404, "", "GET", "/v2/p/n/nothing", "", nil},
		{400, "NAME_INVALID", "GET", "/v2/P/n/tags/list", "", nil},
		{404, "MANIFEST_UNKNOWN", "GET", "/v2/p/n/manifests/v2", "", nil},
		{400, "MANIFEST_INVALID", "GET", "/v2/p/n/manifests/sha256:12", "", nil},
		{400, "MANIFEST_INVALID", "PUT", "/v2/p/n/manifests/v2", "{}", []string{"Content-Type", imageType}},
		{400, "DIGEST_INVALID", "PUT", "/v2/p/n/manifests/" + sha("x"), imageOf("{}", "layer"), nil},
		{404, "MANIFEST_BLOB_UNKNOWN", "PUT", "/v2/p/n/manifests/v2", imageOf("{}", "nope"), nil},
		{413, "SIZE_INVALID", "PUT", "/v2/p/n/manifests/v2", big, nil},
		{400, "TAG_INVALID", "PUT", "/v2/p/n/manifests/-", imageOf("{}", "layer"), nil},
		{405, "UNSUPPORTED", "POST", "/v2/p/n/manifests/v2", "{}", nil},
		{404, "BLOB_UNKNOWN", "GET", "/v2/p/n/blobs/" + sha("nope"), "", nil},
		{400, "DIGEST_INVALID", "GET", "/v2/p/n/blobs/latest", "", nil},
		{400, "DIGEST_INVALID", "POST", "/v2/p/n/blobs/uploads/?digest=" + sha("a"), "b", nil},
		{404, "BLOB_UPLOAD_UNKNOWN", "PATCH", "/v2/p/n/blobs/uploads/0", "b", nil},
		{404, "BLOB_UPLOAD_UNKNOWN", "PATCH", strings.Replace(upload, "p/n", "p/o", 1), "b", nil},
		{416, "BLOB_UPLOAD_INVALID", "PATCH", upload, "b", []string{"Content-Range", "7-7"}},
		{400, "BLOB_UPLOAD_INVALID", "PATCH", upload, "b", []string{"Content-Range", "x"}},
		{400, "SIZE_INVALID", "PATCH", upload, "b", []string{"Content-Range", "0-7"}},
		{400, "DIGEST_INVALID", "PUT", upload, "b", nil},
		{400, "DIGEST_INVALID", "PUT", upload + "?digest=" + sha("other"), "b", nil},
		{400, "PAGINATION_NUMBER_INVALID", "GET", "/v2/p/n/tags/list?n=x", "", nil},
		{400, "DIGEST_INVALID", "GET", "/v2/p/n/referrers/v1", "", nil},
	} {
		s.want(t, c.status, `"code":"`+c.code, c.method, c.path, c.body, c.header...)
	}
	s.want(t, 200, `"tags":["v1"]`, "GET", "/v2/p/n/tags/list", "") // nothing of it is there
}

// A client that has lost the thread asks how far it is, and goes on.
func TestUploadInPieces(t *testing.T) {
	s := serve(t)
	upload := s.want(t, 202, "", "POST", "/v2/p/n/blobs/uploads/", "").Header.Get("Location")
	s.want(t, 202, "", "PATCH", upload, "abc", "Content-Range", "0-2")
	res := s.want(t, 416, "goes on at byte 3, not at 7", "PATCH", upload, "h", "Content-Range", "7-7")
	if res.Header.Get("Range") != "0-2" {
		t.Errorf("header = %v", res.Header)
	}
	if res := s.want(t, 204, "", "GET", upload, ""); res.Header.Get("Range") != "0-2" {
		t.Errorf("header = %v", res.Header)
	}
	s.want(t, 201, "", "PUT", upload+"?digest="+sha("abcdef"), "def", "Content-Range", "3-5")
	s.want(t, 200, "abcdef", "GET", "/v2/p/n/blobs/"+sha("abcdef"), "")
	s.want(t, 404, "", "GET", upload, "")
	upload = s.want(t, 202, "", "POST", "/v2/p/n/blobs/uploads/", "").Header.Get("Location")
	s.want(t, 204, "", "DELETE", upload, "")
	s.want(t, 404, "", "DELETE", upload, "")
}

func TestListsHavePages(t *testing.T) {
	s := serve(t)
	for _, tag := range []string{"a", "b", "c"} {
		s.pushImage(t, "p/n", tag, "{}", "layer")
	}
	s.pushImage(t, "p/o", "a", "{}", "layer")
	for _, list := range []struct {
		path string
		want []string
	}{
		{"/v2/p/n/tags/list?n=2", []string{`"tags":["a","b"]`, `"tags":["c"]`}},
		{"/v2/_catalog?n=1", []string{`["p/n"]`, `["p/o"]`}},
	} {
		path := list.path
		for i, want := range list.want {
			link := s.want(t, 200, want, "GET", path, "").Header.Get("Link")
			if last := i == len(list.want)-1; last != (link == "") {
				t.Fatalf("%s: link %q", path, link)
			}
			path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		}
	}
	if link := s.want(t, 200, `"tags":[]`, "GET", "/v2/p/n/tags/list?n=0", "").Header.Get("Link"); link != "" {
		t.Errorf("link = %q", link)
	}
}

// An account is kept to its own project, also where it names another one only
// as the source of a mount.
func TestConfinedCaller(t *testing.T) {
	s := serve(t, func(d *registryv2.Deps) {
		d.Confine = func(r *http.Request) func(string) bool {
			who := r.Header.Get("Who")
			if who == "" {
				return nil
			}
			return func(project string) bool { return project == who }
		}
	})
	s.pushImage(t, "p/n", "v1", "{}", "layer")
	s.pushImage(t, "q/n", "v1", "{}", "secret")
	s.want(t, 200, "", "GET", "/v2/p/n/manifests/v1", "", "Who", "p")
	s.want(t, 403, "DENIED", "GET", "/v2/q/n/manifests/v1", "", "Who", "p")
	s.want(t, 403, "DENIED", "GET", "/v2/gcr.io/q/n/manifests/v1", "", "Who", "p")
	s.want(t, 403, "DENIED", "POST", "/v2/p/n/blobs/uploads/?from=q/n&mount="+sha("secret"), "", "Who", "p")
	s.want(t, 202, "", "POST", "/v2/p/n/blobs/uploads/?mount="+sha("secret"), "", "Who", "p")
	s.want(t, 200, `{"repositories":["p/n"]}`, "GET", "/v2/_catalog", "", "Who", "p")
}

// The name of a project is no registry: who asks in its name must not get what
// it keeps for itself.
func TestProjectIsNoRegistry(t *testing.T) {
	u := &upstream{}
	s := serve(t, func(d *registryv2.Deps) {
		d.Upstream = u
		d.Confine = func(r *http.Request) func(string) bool {
			return func(project string) bool { return project == r.Header.Get("Who") }
		}
	})
	u.s = &s
	s.want(t, 201, "", "POST", "/v2/q/n/blobs/uploads/?digest="+sha("secret"), "secret", "Who", "q")
	for _, ns := range []string{"q", "q/", "Q", "q/r", "..", "-.q", "q:", "q:port", "%20"} {
		s.want(t, 400, "NAME_INVALID", "GET", "/v2/n/blobs/"+sha("secret")+"?ns="+ns, "", "Who", "p")
		s.want(t, 400, "NAME_INVALID", "GET", "/v2/n/manifests/v1?ns="+ns, "", "Who", "p")
	}
	if len(u.asked) > 0 {
		t.Errorf("asked for: %q", u.asked)
	}
}

// An image of the host stack names what of this machine its program sees. Who
// pushes one could see everything, so only the server makes them.
func TestHostImagesAreNotPushed(t *testing.T) {
	s := serve(t)
	s.push(t, "p/n", "{}")
	body := strings.Replace(imageOf("{}", ""), "application/vnd.oci.image.config.v1+json", images.HostConfig, 1)
	body = body[:strings.Index(body, `"layers"`)] + `"layers":[]}`
	s.want(t, 403, "DENIED", "PUT", "/v2/p/n/manifests/v1", body, "Content-Type", imageType)
	s.want(t, 403, "DENIED", "PUT", "/v2/p/n/manifests/"+sha(body), body, "Content-Type", imageType)
	put := registry.Pushed{Repository: "p/n", MediaType: imageType, Body: []byte(body), Pulled: true}
	if _, err := s.registry.PutManifest(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	s.want(t, 403, "DENIED", "PUT", "/v2/p/n/manifests/v1", body, "Content-Type", imageType)
	put.Pulled = false
	if _, err := s.registry.PutManifest(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	s.want(t, 201, "", "PUT", "/v2/p/n/manifests/v1", body, "Content-Type", imageType)
}

func TestTokenEndpoint(t *testing.T) {
	h := registryv2.Token(func(r *http.Request) (string, bool) {
		_, password, ok := r.BasicAuth()
		return password, ok
	}, time.Hour)
	ask := func(password string) (int, map[string]any) {
		r := httptest.NewRequest("GET", registryv2.TokenPath+"?service=x&scope=y", nil)
		if password != "" {
			r.SetBasicAuth("oauth2accesstoken", password)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return w.Code, got
	}
	if code, got := ask("t"); code != 200 || got["token"] != "t" || got["access_token"] != "t" || got["expires_in"] != 3600.0 {
		t.Errorf("%d %v", code, got)
	}
	if code, _ := ask(""); code != 401 {
		t.Errorf("without a password: %d", code)
	}
}

func TestRefuse(t *testing.T) {
	for _, tt := range []struct {
		err       error
		status    int
		challenge string
	}{
		{sunya.Errorf(sunya.Unauthenticated, "", "log in"), 401, `Bearer realm="http://example.com/v2/token",service="sunya"`},
		{sunya.Errorf(sunya.PermissionDenied, "", "no"), 403, ""},
		{errors.New("secret"), 500, ""},
	} {
		w := httptest.NewRecorder()
		registryv2.Refuse(w, httptest.NewRequest("GET", "/v2/", nil), tt.err)
		if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %v %s", tt.err, w.Code, w.Header(), w.Body)
		}
	}
}

func FuzzPath(f *testing.F) {
	s := serve(f)
	h := registryv2.New(s.deps)
	for _, p := range []string{"/v2/", "/v2/p/n/manifests/v1", "/v2/p/n/blobs/uploads/x", "/v2/blobs/uploads", "/v2/p/n/blobs/sha256:1", "/v2//tags/list"} {
		f.Add("GET", p)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		r := httptest.NewRequest("GET", "/v2/", nil)
		r.Method, r.URL.Path = method, "/v2/"+path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q %q: %d %s", method, path, w.Code, w.Body)
		}
	})
}

// upstream is another registry that has one image, which it brings here.
type upstream struct {
	s     *server
	asked []string
}

func (u *upstream) Manifest(ctx context.Context, host, repository, version string, own bool) (*registry.Manifest, error) {
	u.asked = append(u.asked, fmt.Sprint(host, " ", repository, " ", version, " ", own))
	return u.s.registry.Manifest(ctx, "docker.io/library/n", "v1")
}

func (u *upstream) Blob(_ context.Context, host, repository, digest string, own bool) (string, error) {
	u.asked = append(u.asked, fmt.Sprint(host, " ", repository, " ", digest, " ", own))
	return "docker.io/" + repository, nil
}

// Who asks in the name of another registry gets what that one has; who names it
// in front of a repository, what was pushed here.
func TestMirror(t *testing.T) {
	u := &upstream{}
	s := serve(t, func(d *registryv2.Deps) {
		d.Upstream = u
		d.Confine = func(*http.Request) func(string) bool {
			return func(project string) bool { return project == "p" || project == "docker.io" }
		}
	})
	u.s = &s
	s.pushImage(t, "docker.io/library/n", "v1", "{}", "layer")
	s.want(t, 200, "", "GET", "/v2/library/n/manifests/v9?ns=docker.io", "")
	s.want(t, 200, "layer", "GET", "/v2/library/n/blobs/"+sha("layer")+"?ns=docker.io", "")
	s.want(t, 200, "", "GET", "/v2/docker.io/library/n/manifests/v1", "")
	s.want(t, 404, "", "GET", "/v2/docker.io/library/n/manifests/v9", "")
	s.want(t, 200, "", "GET", "/v2/other/n/manifests/v9?ns=ghcr.io", "")
	s.want(t, 403, "", "GET", "/v2/other/n/tags/list?ns=ghcr.io", "")
	s.want(t, 403, "", "PUT", "/v2/other/n/manifests/v9?ns=ghcr.io", "{}")
	want := []string{
		"docker.io library/n v9 true", "docker.io library/n " + sha("layer") + " true", "ghcr.io other/n v9 false",
	}
	if !slices.Equal(u.asked, want) {
		t.Errorf("asked %q, want %q", u.asked, want)
	}
}
