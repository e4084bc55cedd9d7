package media_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// TestTranscoding is what each kind of client gets of an object that is stored
// compressed.
func TestTranscoding(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	svc := objects.New(objectstest.NewStore(), &objectstest.Blobs{}, time.Now, log, objects.Options{})
	if _, err := svc.CreateBucket(t.Context(), objects.Bucket{Name: "stuff", Project: "sunya"}); err != nil {
		t.Fatal(err)
	}
	const plain = "what was compressed"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, plain)
	z.Close()
	for name, n := range map[string]struct{ document, bytes string }{
		"packed":       {`{"contentEncoding":"gzip"}`, packed.String()},
		"no-transform": {`{"contentEncoding":"gzip","cacheControl":"public, no-transform"}`, packed.String()},
		"plain":        {``, plain},
		"lying":        {`{"contentEncoding":"gzip"}`, plain},
	} {
		_, err := svc.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: name, Document: []byte(n.document)}, strings.NewReader(n.bytes), -1)
		if err != nil {
			t.Fatal(err)
		}
	}
	server := media.New(svc, log)
	for _, tt := range []struct {
		object, accept, rng string
		status              int
		body, encoding      string
	}{
		{"packed", "", "", 200, plain, ""},
		{"packed", "identity, gzip;q=0", "", 200, plain, ""},
		{"packed", "", "bytes=0-3", 200, plain, ""},
		{"packed", "deflate, gzip;q=0.5", "", 200, packed.String(), "gzip"},
		{"packed", "gzip", "bytes=0-3", 206, packed.String()[:4], "gzip"},
		{"no-transform", "", "", 200, packed.String(), "gzip"},
		{"plain", "gzip", "", 200, plain, ""},
		{"lying", "", "", 0, "", ""},
		{"lying", "gzip", "", 200, plain, "gzip"},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		r.Header.Set("Range", tt.rng)
		err := server.Download(w, r, media.Target{Bucket: "stuff", Object: tt.object})
		if err != nil {
			if tt.status != 0 {
				t.Errorf("%v: %v", tt, err)
			}
			continue
		}
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Content-Encoding") != tt.encoding {
			t.Errorf("%v: %d %q %v", tt, w.Code, w.Body, w.Header())
		}
		stored := "identity"
		if tt.object != "plain" {
			stored = "gzip"
		}
		if w.Header().Get("X-Goog-Stored-Content-Encoding") != stored {
			t.Errorf("%v: stored as %q", tt, w.Header().Get("X-Goog-Stored-Content-Encoding"))
		}
		if sentPlain := tt.encoding == "" && stored == "gzip"; sentPlain && w.Header().Get("Content-Length") != "" {
			t.Errorf("%v: the length of what is stored is announced", tt)
		}
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("HEAD", "/", http.NoBody)
	if err := server.Download(w, r, media.Target{Bucket: "stuff", Object: "packed"}); err != nil || w.Body.Len() != 0 {
		t.Errorf("HEAD: %v, %d bytes", err, w.Body.Len())
	}
}
