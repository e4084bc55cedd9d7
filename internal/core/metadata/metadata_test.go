package metadata_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/metadata"
)

// tokens are what they are asked for.
type tokens struct{}

func (tokens) AccessToken(_ context.Context, email string, scopes []string) (string, error) {
	return "access " + email + " " + strings.Join(scopes, "+"), nil
}

func (tokens) IDToken(_ context.Context, r identity.IDRequest) (string, error) {
	if r.Audience == "" {
		return "", sunya.Invalid("audience", "is missing")
	}
	out := "id " + r.Email + " for " + r.Audience
	if r.Place != nil {
		out += " in " + r.Place.Zone
	}
	return out, nil
}

var instance = metadata.Instance{ID: "i-1", Project: "p", ProjectNumber: 7, Region: "local", Zone: "local-a", ServiceAccount: "p@appspot.gserviceaccount.com"}

func handler() *metadata.Handler {
	return metadata.New(tokens{}, func(*http.Request) (metadata.Instance, bool) { return instance, true })
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Metadata-Flavor", "Google")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEntries(t *testing.T) {
	const v1 = "/computeMetadata/v1"
	const account = v1 + "/instance/service-accounts/default"
	for _, c := range []struct {
		name, path string
		status     int
		body       string
	}{
		{"who is there", "/", 200, "computeMetadata/\n"},
		{"versions", "/computeMetadata/", 200, "v1/\n"},
		{"the top", v1 + "/", 200, "instance/\nproject/\nuniverse/\n"},
		{"project", v1 + "/project/project-id", 200, "p"},
		{"project's number", v1 + "/project/numeric-project-id", 200, "7"},
		{"universe", v1 + "/universe/universe-domain", 200, "googleapis.com"},
		{"instance", v1 + "/instance/id", 200, "i-1"},
		{"zone", v1 + "/instance/zone", 200, "projects/7/zones/local-a"},
		{"region", v1 + "/instance/region", 200, "projects/7/regions/local"},
		{"accounts", v1 + "/instance/service-accounts/", 200, "default/\np@appspot.gserviceaccount.com/\n"},
		{"e-mail", account + "/email", 200, "p@appspot.gserviceaccount.com"},
		{"scopes", account + "/scopes", 200, "https://www.googleapis.com/auth/cloud-platform\n"},
		{"scopes as JSON", account + "/scopes?alt=json", 200, "[\"https://www.googleapis.com/auth/cloud-platform\"]\n"},
		{"the account in one piece", account + "/?recursive=true", 200, "{\"aliases\":[\"default\"],\"email\":\"p@appspot.gserviceaccount.com\",\"scopes\":[\"https://www.googleapis.com/auth/cloud-platform\"]}\n"},
		{"access token", account + "/token", 200, "{\"access_token\":\"access p@appspot.gserviceaccount.com https://www.googleapis.com/auth/cloud-platform\",\"expires_in\":3599,\"token_type\":\"Bearer\"}\n"},
		{"with scopes", account + "/token?scopes=a,b", 200, "{\"access_token\":\"access p@appspot.gserviceaccount.com a+b\",\"expires_in\":3599,\"token_type\":\"Bearer\"}\n"},
		{"identity token", account + "/identity?audience=http://x", 200, "id p@appspot.gserviceaccount.com for http://x"},
		{"in full, by address", v1 + "/instance/service-accounts/p@appspot.gserviceaccount.com/identity?audience=http://x&format=full", 200, "id p@appspot.gserviceaccount.com for http://x in local-a"},
		{"no audience", account + "/identity", 400, "audience: is missing\n"},
		{"another account", v1 + "/instance/service-accounts/q@x.y/token", 404, "there is no such entry\n"},
		{"no Kubernetes", v1 + "/instance/attributes/cluster-name", 404, "there is no such entry\n"},
		{"another tree", "/latest/meta-data/", 404, "the paths begin with /computeMetadata/v1/\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(handler(), "GET", c.path)
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.status, c.body)
			}
			if w.Header().Get("Metadata-Flavor") != "Google" {
				t.Error("clients look for the header Metadata-Flavor in answers")
			}
		})
	}
}

func TestWhoGetsNothing(t *testing.T) {
	const path = "/computeMetadata/v1/project/project-id"
	unknown := metadata.New(tokens{}, func(*http.Request) (metadata.Instance, bool) { return metadata.Instance{}, false })
	for _, c := range []struct {
		name   string
		h      http.Handler
		method string
		header []string
		status int
	}{
		{"without the header", handler(), "GET", []string{"Metadata-Flavor", ""}, 403},
		{"through a proxy", handler(), "GET", []string{"X-Forwarded-For", "1.2.3.4"}, 403},
		{"writing", handler(), "POST", nil, 405},
		{"an unknown instance", unknown, "GET", nil, 503},
	} {
		if w := ask(c.h, c.method, path, c.header...); w.Code != c.status || strings.Contains(w.Body.String(), "p\n") {
			t.Errorf("%s: %d %q, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
	if w := ask(handler(), "GET", "/computeMetadata/v1/instance"); w.Code != 301 || w.Header().Get("Location") != "/computeMetadata/v1/instance/" {
		t.Errorf("a folder without its slash: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

func TestRecursiveNames(t *testing.T) {
	w := ask(handler(), "GET", "/computeMetadata/v1/project/?recursive=true")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"projectId": "p", "numericProjectId": float64(7), "attributes": map[string]any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWaitForChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w := ask(handler(), "GET", "/computeMetadata/v1/project/project-id?wait_for_change=true&timeout_sec=30")
		if took := time.Since(begin); took != 30*time.Second || w.Body.String() != "p" {
			t.Errorf("%q after %v, want the value after 30 s", w.Body, took)
		}
		begin = time.Now()
		ask(handler(), "GET", "/computeMetadata/v1/project/project-id?wait_for_change=true&last_etag=other")
		if took := time.Since(begin); took != 0 {
			t.Errorf("who has something else waits %v, want not at all", took)
		}
	})
}
