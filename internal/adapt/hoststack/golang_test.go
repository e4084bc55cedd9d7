package hoststack

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGoToolChains(t *testing.T) {
	p := fakePlaces(t, nil)
	elf := "\x7fELF and so on"
	for dir, version := range map[string]string{
		"root/usr/local/go":      "go1.26.8\ntime 2026-10-07T16:05:55Z\n",
		"root/usr/lib/go-1.19":   "go1.19.8\n",
		"home/sdk/go1.22.3":      "go1.22.3\n",
		"home/sdk/gotip":         "devel go1.28-abc\n",
		"home/.goenv/versions/x": "go1.27rc1\n",
		"home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.24.1.linux-amd64": "go1.24.1\n",
	} {
		put(t, filepath.Join(filepath.Dir(p.home), dir, "bin/go"), elf, 0o755)
		put(t, filepath.Join(filepath.Dir(p.home), dir, "VERSION"), version, 0o644)
	}
	put(t, filepath.Join(p.root, "usr/bin/go"), elf, 0o755) // a wrapper without a VERSION
	got := map[string]string{}
	for _, a := range p.golangs() {
		if r := a.ask(t.Context(), a.bin); r != nil {
			got[r.Version] = strings.TrimPrefix(r.Prefixes[0], filepath.Dir(p.home))
		}
	}
	want := map[string]string{"1.26.8": "/root/usr/local/go", "1.19.8": "/root/usr/lib/go-1.19", "1.22.3": "/home/sdk/go1.22.3",
		"1.24.1": "/home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.24.1.linux-amd64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGoSettings(t *testing.T) {
	env := map[string]string{}
	p := fakePlaces(t, env)
	put(t, filepath.Join(p.home, ".config/go/env"), "GOPROXY=https://modules.example\nGOPATH=/home/ann/go\nGOFLAGS=-mod=mod\n# GOSUMDB=x\nGONOSUMDB=\n", 0o644)
	c, _ := p.client([]string{"GOPRIVATE=example.com"})
	want := map[string]string{"GOPROXY": "https://modules.example", "GOFLAGS": "-mod=mod", "GOPRIVATE": "example.com"}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
	if c, _ = p.client([]string{"GOPROXY=direct"}); c.Env["GOPROXY"] != "direct" {
		t.Errorf("the environment does not win: %v", c.Env)
	}
	env["GOENV"] = "off"
	if c, _ = p.client(nil); len(c.Env) != 0 {
		t.Errorf("GOENV=off: %v", c.Env)
	}
}
