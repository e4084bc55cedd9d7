package cli

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseBases(t *testing.T) {
	got, err := parseBases([]string{"debian:12-slim", "docker.io/library/python:3", "library/node", "nginx"})
	if err != nil || len(got) != 4 {
		t.Fatalf("%v %v", got, err)
	}
	for i, want := range []string{"debian:12-slim", "python:3", "node:latest", "nginx:latest"} {
		if name := got[i].repository + ":" + got[i].tag; name != want {
			t.Errorf("%s, want %s", name, want)
		}
	}
	for _, bad := range []string{"alpine", "", "gcr.io/a/python"} {
		if _, err := parseBases([]string{bad}); err == nil || !strings.Contains(err.Error(), "debian") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRecipeScripts(t *testing.T) {
	s := recipes["python"].script()
	for _, want := range []string{`ln -sf /usr/bin/python3 "$1/usr/local/bin/python"`, `rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED`, "dpkg-query", "python3 >&2"} {
		if !strings.Contains(s, want) {
			t.Errorf("%s lacks %s", s, want)
		}
	}
}

func TestBaseImage(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "a.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "x", Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"python": "python3", "golang": "bash"} {
		img, err := base{name, "1", recipes[name]}.image(archive)
		if err != nil {
			t.Fatal(err)
		}
		file, err := img.ConfigFile()
		if err != nil || file.OS != "linux" || file.Config.Cmd[0] != want || len(file.RootFS.DiffIDs) != 1 {
			t.Errorf("%s: %+v, %v", name, file, err)
		}
		paths := 0
		for _, e := range file.Config.Env {
			if strings.HasPrefix(e, "PATH=") {
				paths++
			}
		}
		if paths != 1 {
			t.Errorf("%s: %q", name, file.Config.Env)
		}
	}
}

func TestOwnSuite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	if err := os.WriteFile(file, []byte("NAME=x\nVERSION_CODENAME=\"bookworm\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ownSuite(file); got != "bookworm" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if err := os.WriteFile(file, []byte("NAME=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ownSuite(file); err == nil || !strings.Contains(err.Error(), "--suite") {
		t.Errorf("%v", err)
	}
}

func TestBuildConfigs(t *testing.T) {
	b, err := parseBuildConfig([]byte("steps:\n- name: a\n  args: [1, true, x]\n  env: ['A=b']\ntimeout: 600s\nsubstitutions:\n  _A: 1\noptions:\n  substitutionOption: ALLOW_LOOSE\n"))
	if err != nil || strings.Join(b.GetSteps()[0].GetArgs(), " ") != "1 true x" || b.GetSubstitutions()["_A"] != "1" || b.GetTimeout().GetSeconds() != 600 {
		t.Errorf("%v %v", b, err)
	}
	for text, want := range map[string]string{"": "empty", "steps: [{nam: x}]": "nam", "a: [": "line 1", "steps: 5": "unexpected token 5"} {
		if _, err := parseBuildConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseBuildConfig(f *testing.F) {
	f.Add("steps:\n- name: a\n")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseBuildConfig([]byte(text)) })
}
