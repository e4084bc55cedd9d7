package hoststack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakePlaces is a home and a root in a temporary directory.
func fakePlaces(t *testing.T, env map[string]string) places {
	t.Helper()
	dir := t.TempDir()
	return places{home: filepath.Join(dir, "home"), root: filepath.Join(dir, "root"), getenv: func(k string) string { return env[k] }}
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestPythonBinaries(t *testing.T) {
	p := fakePlaces(t, nil)
	elf := "\x7fELF and so on"
	shims := filepath.Join(p.home, ".pyenv", "shims")
	p.path = []string{shims, "relative", filepath.Join(p.root, "usr/bin")}
	put(t, filepath.Join(shims, "python3.11"), "#!/bin/sh\nexec pyenv\n", 0o755)
	put(t, filepath.Join(p.home, ".pyenv/versions/3.11.7/bin/python3.11"), elf, 0o755)
	put(t, filepath.Join(p.home, ".local/share/uv/python/cpython-3.12/bin/python3.12"), elf, 0o755)
	put(t, filepath.Join(p.root, "usr/bin/python3.9"), elf, 0o755)
	put(t, filepath.Join(p.root, "usr/bin/python3.9-config"), elf, 0o755)
	put(t, filepath.Join(p.root, "usr/bin/python3.8"), elf, 0o644) // not a program
	if err := os.Symlink("python3.9", filepath.Join(p.root, "usr/bin/python3.10")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, bin := range programs(p.pythonDirs(), pythonRE) {
		got = append(got, strings.TrimPrefix(bin, filepath.Dir(p.home)))
	}
	want := []string{"/root/usr/bin/python3.9", "/home/.pyenv/versions/3.11.7/bin/python3.11", "/home/.local/share/uv/python/cpython-3.12/bin/python3.12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiscoverHere(t *testing.T) {
	h, err := Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Machine().Runtimes) == 0 {
		t.Skip("SKIP: no Python on this machine")
	}
	for _, r := range h.Machine().Runtimes {
		if r.Language != "python" {
			continue
		}
		if fi, err := os.Lstat(r.Path); err != nil || !fi.Mode().IsRegular() {
			t.Errorf("%s is not a real file: %v", r.Path, err)
		}
		seen := standard(r.Path) || slices.ContainsFunc(r.Prefixes, func(d string) bool { return strings.HasPrefix(r.Path, d+"/") })
		if !seen || !h.Has(r.Fingerprint) {
			t.Errorf("a sandbox would not see %s: prefixes %v", r.Path, r.Prefixes)
		}
	}
	if h.Has("python-3.11.7-other") {
		t.Error("an unknown fingerprint is here")
	}
}

func TestFingerprintChangesWithTheBinary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "python3.11")
	put(t, path, "one", 0o755)
	one, err := fingerprint("python", "3.11.7", path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, "other", 0o755)
	two, _ := fingerprint("python", "3.11.7", path)
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	three, _ := fingerprint("python", "3.11.7", path)
	if one == two || two == three {
		t.Errorf("fingerprints %s %s %s", one, two, three)
	}
}

func TestTooWide(t *testing.T) {
	p := places{home: "/home/ann"}
	for dir, want := range map[string]bool{"/": true, "/home": true, "/home/ann": true, "/home/ann/.pyenv/versions/3.11.7": false, "/opt/python": false, "/home/an": false} {
		if got := p.tooWide(dir); got != want {
			t.Errorf("tooWide(%s) = %v", dir, got)
		}
	}
}
