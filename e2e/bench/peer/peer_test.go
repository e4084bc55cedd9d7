package peer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFirstNumber(t *testing.T) {
	for text, want := range map[string]string{
		"nginx version: nginx/1.22.1":                              "1.22.1",
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://x/": "2.6.12-1+deb12u4",
		"v2.11.7 h1:yj0Y4fYZGPkS=":                                 "2.11.7",
		"Version:      3.7.15\nCodename: langres\n":                "3.7.15",
		"go version go1.26.1 linux/amd64":                          "1.26.1",
		"wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012":         "4.1.0-3+b2",
		"Python 3.11.2": "3.11.2",
		"nothing":       "",
	} {
		if got := firstNumber(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Each proxy is told where to listen and whom to ask, and one that logs where to.
func TestConfigurations(t *testing.T) {
	at := place{"/dir", "127.0.0.1:1234", "127.0.0.1:5678"}
	for _, p := range Proxies() {
		var all string
		for _, text := range p.files(at) {
			all += text
		}
		for _, want := range []string{at.listen, at.backend} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %s in\n%s", p.Name, want, all)
			}
		}
		if strings.Contains(all, "%!") {
			t.Errorf("%s: a bad format in\n%s", p.Name, all)
		}
		logs := strings.Contains(all, "/dir/access.log") || strings.Contains(all, "log stdout")
		if logs != strings.HasSuffix(p.Name, ", logging") {
			t.Errorf("%s: logs is %v", p.Name, logs)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SUNYA_PEERS", dir)
	want := filepath.Join(dir, "nginx")
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("nginx"); err != nil || got != want {
		t.Errorf("%q %v", got, err)
	}
	if _, err := Find("no-such-proxy"); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	if v := Version("no-such-proxy"); v != "" {
		t.Errorf("version %q", v)
	}
}
