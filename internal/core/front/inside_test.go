package front

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestInside: what is listed is served, by canonical paths, and nothing else.
func TestInside(t *testing.T) {
	say := func(what string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, what+" "+r.URL.EscapedPath()) })
	}
	h, err := Inside([]Route{
		{API: "storage.googleapis.com", Pattern: "/storage/v1/", Permission: Local, Handler: say("storage")},
		{API: "pubsub.googleapis.com", Pattern: "/v1/projects/*/topics/", Permission: Local, Handler: say("pubsub")},
		{API: "storage.googleapis.com", Pattern: "/", Permission: Local, Handler: say("XML")},
	}, []Route{
		{API: "run.googleapis.com", Method: "GET", Pattern: "/v1/projects/*/services/", Permission: Local, Handler: say("run")},
		{Pattern: "/sunya/v1/", Permission: Local, Handler: say("own")},
	}, say("gRPC"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/storage/v1/b/a/o/b%2Fc", 200, "storage /storage/v1/b/a/o/b%2Fc"},
		{"/v1/projects/p/topics/t:publish", 200, "pubsub /v1/projects/p/topics/t:publish"},
		{"/bucket/object", 200, "XML /bucket/object"},
		{"/v1/projects/p/services/s", 404, ""},
		{"/sunya/v1/status", 404, ""},
		{"/appengine.googleapis.com/storage/v1/b", 404, ""},
		{"/storage/v1/../../sunya/v1/status", 400, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://169.254.169.254:8085"+c.path, nil))
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("POST", "/google.pubsub.v1.Publisher/Publish", nil)
	r.ProtoMajor = 2
	r.Header.Set("Content-Type", "application/grpc")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Body.String() != "gRPC /google.pubsub.v1.Publisher/Publish" {
		t.Errorf("gRPC: %s", w.Body)
	}
}
