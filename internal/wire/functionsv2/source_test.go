package functionsv2

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// store reads what is put into it and forgets it.
type store struct{ Objects }

func (store) Put(_ context.Context, n objects.NewObject, r io.Reader, _ int64) (*objects.Object, error) {
	_, err := io.Copy(io.Discard, r)
	return &objects.Object{Bucket: n.Bucket, Name: n.Name}, err
}

func TestUploads(t *testing.T) {
	links := functions.NewLinks("secret", time.Now)
	h := Sources(links, store{}, slog.New(slog.DiscardHandler))
	good := links.Query("PUT", "b", "o").Encode()
	for _, c := range []struct {
		name, path, query string
		size              int64
		status            int
	}{
		{"with the link", "b/o", good, 10, 200},
		{"without one", "b/o", "", 10, 403},
		{"another object", "b/p", good, 10, 403},
		{"another method's link", "b/o", links.Query("GET", "b", "o").Encode(), 10, 403},
		{"larger than it may be, and does not say so", "b/o", good, maxSource + 1, 400},
	} {
		r := httptest.NewRequest("PUT", SourcePath+c.path+"?"+c.query, io.LimitReader(zeros{}, c.size))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestLinksLeadToTheServerThatWasAsked(t *testing.T) {
	a := New(Deps{Links: functions.NewLinks("secret", time.Now)})
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(":authority", "api.example:8443"))
	if got := a.Link(ctx, "PUT", "b", "o"); !strings.HasPrefix(got, "http://api.example:8443/sunya/sources/b/o?") {
		t.Error(got)
	}
	ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{}})
	got, err := url.Parse(a.Link(ctx, "GET", "b", "dir/100% sure?.zip"))
	if err != nil || got.Scheme != "https" || got.Path != SourcePath+"b/dir/100% sure?.zip" {
		t.Fatalf("%v, %v", got, err)
	}
	if err := a.Links.Check(http.MethodGet, "b", "dir/100% sure?.zip", got.Query()); err != nil {
		t.Error(err)
	}
}
