package build_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/core/build"
)

// realRunner builds with this machine's interpreters and the real index.
func realRunner(t testing.TB) (*build.Runner, *chrootEngine) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: uses the package index")
	}
	host, err := hoststack.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	store, err := disk.OpenLayers(filepath.Join(data, "layers"), time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := newChrootEngine(t)
	r, err := build.New(build.Options{Engine: e, Layers: store, Machine: host.Machine(), CacheDir: filepath.Join(data, "cache"),
		Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r, e
}

func TestFlask(t *testing.T) {
	r, e := realRunner(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../../examples/hello-python")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var log bytes.Buffer
		start := time.Now()
		res, err := r.Build(t.Context(), build.Request{ID: "b1", Project: "sunya", Service: "default", Dir: dir,
			Spec: sunya.BuildSpec{Runtime: "python311"}, Log: &log})
		t.Logf("took %v, %d steps\n%s", time.Since(start), len(e.starts), log.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", res)
		os.WriteFile(filepath.Join(dir, "other.py"), []byte("x = 1\n"), 0o644)
	}
}
