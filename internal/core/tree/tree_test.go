package tree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// deepTree makes folders that lie in each other, as a build can from inside.
func deepTree(t *testing.T, depth int) string {
	t.Helper()
	dir := t.TempDir()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := r.Mkdir("d", 0o755); err != nil {
			t.Fatal(err)
		}
		sub, err := r.OpenRoot("d")
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		r = sub
	}
	if err := r.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Close()
	return dir
}

// TestRemoveDeepTree is how a build made every later start of the server fail:
// os.RemoveAll holds a descriptor for each level.
func TestRemoveDeepTree(t *testing.T) {
	dir := deepTree(t, 3000)
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestRemoveWhatABuildHasShut(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	steps := []error{
		os.WriteFile(filepath.Join(inner, "file"), nil, 0),
		os.Symlink(outside, filepath.Join(inner, "link")),
		os.Symlink(filepath.Dir(outside), filepath.Join(inner, "dirlink")),
		syscall.Mkfifo(filepath.Join(inner, "pipe"), 0),
		os.Chmod(inner, 0), os.Chmod(filepath.Dir(inner), 0), os.Chmod(dir, 0),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Errorf("what is gone: %v", err)
	}
}

func TestRemoveManyEntries(t *testing.T) {
	dir := t.TempDir()
	for i := range 3*batch + 1 {
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+i%200)+string(rune('A'+i/200))), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
}

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755),
		os.WriteFile(filepath.Join(dir, "a", "b", "f"), nil, 0o600),
		os.Symlink("/", filepath.Join(dir, "a", "l"))); err != nil {
		t.Fatal(err)
	}
	var got []string
	visit := func(in *os.Root, name, rel string, fi fs.FileInfo) error {
		if _, err := in.Lstat(name); err != nil {
			t.Error(err)
		}
		got = append(got, rel)
		return nil
	}
	if err := Walk(t.Context(), dir, visit); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := []string{"a", "a/b", "a/b/f", "a/l"}; !slices.Equal(got, want) {
		t.Errorf("visited %q, want %q", got, want)
	}
}

// TestWalkDeepTree is how a build kept the server busy for hours: naming each
// level by its path takes time by the square.
func TestWalkDeepTree(t *testing.T) {
	dir := deepTree(t, 2*MaxDepth)
	t.Cleanup(func() { _ = Remove(dir) })
	visit := func(*os.Root, string, string, fs.FileInfo) error { return nil }
	if err := Walk(t.Context(), dir, visit); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("error = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Walk(ctx, dir, visit); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}
