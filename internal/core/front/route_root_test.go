package front

import (
	"net/http"
	"testing"
)

func TestRootPatternCoversTheRootAlone(t *testing.T) {
	nothing := http.NotFoundHandler()
	table, err := newTable([]Route{
		{Method: http.MethodGet, Pattern: "/{$}", Permission: Public, Handler: nothing},
		{Method: http.MethodGet, API: "storage.googleapis.com", Pattern: "/", Permission: Local, Handler: nothing},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Permission{"/": Public, "/bucket/object": Local, "/{$}": Local} {
		r, err := table.match(http.MethodGet, "", path)
		if err != nil || r.Permission != want {
			t.Errorf("match(%q) = %+v, %v, want permission %d", path, r, err, want)
		}
	}
}
