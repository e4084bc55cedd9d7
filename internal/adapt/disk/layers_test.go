package disk

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func openTest(t testing.TB) (*Layers, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l, err := OpenLayers(t.TempDir(), time.Hour, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return l, c
}

// commit stages files (path to content) and commits them.
func commit(t testing.TB, l *Layers, files map[string]string) sunya.Layer {
	t.Helper()
	dir, err := l.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, files)
	layer, err := l.Commit(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommitPublishesOnce(t *testing.T) {
	l, _ := openTest(t)
	files := map[string]string{"a/b": "1", "c": "22"}
	one, two := commit(t, l, files), commit(t, l, files)
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("same content, other layer:\n%s", diff)
	}
	if one.Bytes != 3 {
		t.Errorf("bytes = %d, want 3", one.Bytes)
	}
	dir, err := l.Path(one.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a/b")); err != nil || string(got) != "1" {
		t.Errorf("a/b = %q, %v", got, err)
	}
	if left := entries(t, l.tmp()); len(left) > 0 {
		t.Errorf("stages left: %v", left)
	}
}

func TestHashSeesEverything(t *testing.T) {
	base := func(t *testing.T, dir string) {
		write(t, dir, map[string]string{"d/f": "x", "g": "y"})
		must(t, os.Symlink("g", filepath.Join(dir, "l")))
	}
	changes := map[string]func(t *testing.T, dir string){
		"content":     func(t *testing.T, dir string) { write(t, dir, map[string]string{"g": "z"}) },
		"file mode":   func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "g"), 0o755)) },
		"dir mode":    func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "d"), 0o700)) },
		"name":        func(t *testing.T, dir string) { must(t, os.Rename(filepath.Join(dir, "g"), filepath.Join(dir, "h"))) },
		"empty dir":   func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, "e"), 0o755)) },
		"link target": func(t *testing.T, dir string) { relink(t, dir, "d/f") },
		"link to file": func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "l")))
			write(t, dir, map[string]string{"l": "g"})
		},
		"moved content": func(t *testing.T, dir string) { write(t, dir, map[string]string{"g": "x", "d/f": "y"}) },
	}
	seen := map[string]string{treeOf(t, base, nil): "unchanged"}
	for name, change := range changes {
		sum := treeOf(t, base, change)
		if other, dup := seen[sum]; dup {
			t.Errorf("%s hashes like %s", name, other)
		}
		seen[sum] = name
	}
}

func relink(t *testing.T, dir, target string) {
	must(t, os.Remove(filepath.Join(dir, "l")))
	must(t, os.Symlink(target, filepath.Join(dir, "l")))
}

func treeOf(t *testing.T, steps ...func(*testing.T, string)) string {
	t.Helper()
	dir := t.TempDir()
	for _, s := range steps {
		if s != nil {
			s(t, dir)
		}
	}
	sum, err := hashTree(t.Context(), dir)
	must(t, err)
	return sum.hex
}

func TestHashIgnoresTimes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	one, err := hashTree(t.Context(), dir)
	must(t, err)
	must(t, os.Chtimes(filepath.Join(dir, "a"), time.Unix(1, 0), time.Unix(2, 0)))
	two, err := hashTree(t.Context(), dir)
	must(t, err)
	if diff := cmp.Diff(one, two, cmp.AllowUnexported(treeSum{})); diff != "" {
		t.Error(diff)
	}
}

func TestCommitRefusesSetID(t *testing.T) {
	l, _ := openTest(t)
	dir, err := l.Stage(t.Context())
	must(t, err)
	write(t, dir, map[string]string{"su": "x"})
	must(t, os.Chmod(filepath.Join(dir, "su"), 0o755|fs.ModeSetuid))
	if _, err := l.Commit(t.Context(), dir); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("err = %v, want InvalidArgument", err)
	}
	if left := entries(t, l.tmp()); len(left) > 0 {
		t.Errorf("stage left: %v", left)
	}
}

func TestOpenSweepsStages(t *testing.T) {
	l, c := openTest(t)
	kept := commit(t, l, map[string]string{"a": "1"})
	stale, err := l.Stage(t.Context())
	must(t, err)
	write(t, stale, map[string]string{"deep/er/f": "half"})
	must(t, os.Chmod(filepath.Join(stale, "deep"), 0))
	again, err := OpenLayers(l.dir, time.Hour, c.now)
	must(t, err)
	if left := entries(t, again.tmp()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	must(t, again.Collect(t.Context(), map[string]bool{kept.Digest: true}))
	if old, _ := filepath.Glob(filepath.Join(l.dir, "old-*")); len(old) > 0 {
		t.Errorf("left after Collect: %v", old)
	}
	if _, err := again.Path(kept.Digest); err != nil {
		t.Errorf("committed layer lost: %v", err)
	}
}

func TestIndex(t *testing.T) {
	l, _ := openTest(t)
	key := strings.Repeat("ab", 32)
	if _, ok, err := l.Lookup(t.Context(), key); ok || err != nil {
		t.Errorf("empty: %v %v", ok, err)
	}
	want := commit(t, l, map[string]string{"a": "1"})
	want.Target = "/layers/python"
	must(t, l.Remember(t.Context(), key, want))
	got, ok, err := l.Lookup(t.Context(), key)
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("%v %v %s", ok, err, diff)
	}
	must(t, os.WriteFile(filepath.Join(l.index(), key), []byte("{half"), 0o644))
	if _, ok, err := l.Lookup(t.Context(), key); ok || err != nil {
		t.Errorf("damaged entry: %v %v, want a miss", ok, err)
	}
	for _, bad := range []string{"", "../x", strings.Repeat("A", 64)} {
		if err := l.Remember(t.Context(), bad, want); err == nil {
			t.Errorf("Remember(%q) accepted", bad)
		}
	}
}

func TestCollect(t *testing.T) {
	l, c := openTest(t)
	kept := commit(t, l, map[string]string{"a": "kept"})
	old := commit(t, l, map[string]string{"a": "old"})
	used := commit(t, l, map[string]string{"a": "used"})
	oldKey, usedKey := strings.Repeat("1", 64), strings.Repeat("2", 64)
	must(t, l.Remember(t.Context(), oldKey, old))
	must(t, l.Remember(t.Context(), usedKey, used))
	c.t = c.t.Add(2 * time.Hour)
	fresh := commit(t, l, map[string]string{"a": "fresh"})
	if _, ok, _ := l.Lookup(t.Context(), usedKey); !ok {
		t.Fatal("used layer not found")
	}
	must(t, l.Collect(t.Context(), map[string]bool{kept.Digest: true}))
	for name, want := range map[string]struct {
		layer sunya.Layer
		there bool
	}{"kept": {kept, true}, "old": {old, false}, "looked up": {used, true}, "fresh": {fresh, true}} {
		if _, err := l.Path(want.layer.Digest); (err == nil) != want.there {
			t.Errorf("%s: %v, want there = %v", name, err, want.there)
		}
	}
	if got := entries(t, l.index()); !cmp.Equal(got, []string{usedKey}) {
		t.Errorf("index = %v", got)
	}
	c.t = c.t.Add(2 * time.Hour)
	must(t, l.Collect(t.Context(), map[string]bool{kept.Digest: true}))
	if got := entries(t, l.index()); len(got) > 0 {
		t.Errorf("collecting kept what it collects alive: %v", got)
	}
}

func TestPath(t *testing.T) {
	l, _ := openTest(t)
	tests := map[string]sunya.Code{
		"sha256:" + strings.Repeat("0", 64): sunya.NotFound,
		"sha256:../../etc":                  sunya.InvalidArgument,
		"md5:abc":                           sunya.InvalidArgument,
		"":                                  sunya.InvalidArgument,
	}
	for digest, want := range tests {
		if _, err := l.Path(digest); sunya.CodeOf(err) != want {
			t.Errorf("Path(%q) = %v, want code %d", digest, err, want)
		}
	}
}

func TestStageIsChecked(t *testing.T) {
	l, _ := openTest(t)
	precious := t.TempDir()
	write(t, precious, map[string]string{"a": "1"})
	if err := l.Discard(precious); err == nil {
		t.Error("Discard of a foreign directory accepted")
	}
	if _, err := l.Commit(t.Context(), precious); err == nil {
		t.Error("Commit of a foreign directory accepted")
	}
	if _, err := os.Stat(filepath.Join(precious, "a")); err != nil {
		t.Error(err)
	}
}

func TestCommitStopsWithContext(t *testing.T) {
	l, _ := openTest(t)
	dir, err := l.Stage(t.Context())
	must(t, err)
	write(t, dir, map[string]string{"a": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Commit(ctx, dir); sunya.CodeOf(err) != sunya.Canceled {
		t.Errorf("err = %v", err)
	}
}

// FuzzHash checks that two trees hash alike only if they are alike.
func FuzzHash(f *testing.F) {
	f.Add("a", "1", "b", "2")
	f.Add("ab", "", "a", "b")
	f.Fuzz(func(t *testing.T, n1, c1, n2, c2 string) {
		if len(n1) > 100 || len(n2) > 100 || !filepath.IsLocal(n1) || !filepath.IsLocal(n2) || strings.ContainsAny(n1+n2, "/\x00") || n1 == "." || n2 == "." {
			t.Skip()
		}
		one := func(t *testing.T, d string) { write(t, d, map[string]string{n1: c1}) }
		two := func(t *testing.T, d string) { write(t, d, map[string]string{n2: c2}) }
		same := n1 == n2 && c1 == c2
		if got := treeOf(t, one) == treeOf(t, two); got != same {
			t.Errorf("equal hashes = %v, equal trees = %v", got, same)
		}
	})
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
