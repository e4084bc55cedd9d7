package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

const (
	mainGo = "package main\n\nfunc main() {}\n"
	libGo  = "// Package lib is one.\npackage lib\n"
	goMod  = "module example.com/app\n\ngo 1.22\n"
)

func TestGoPackage(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		env  map[string]string
		want string
	}{
		{"the root", files("go.mod", goMod, "main.go", mainGo, "cmd/x/main.go", mainGo), nil, "."},
		{"the only one below", files("go.mod", goMod, "lib.go", libGo, "cmd/web/main.go", mainGo), nil, "./cmd/web"},
		{"main: of app.yaml", files("go.mod", goMod, "cmd/a/a.go", mainGo, "cmd/b/b.go", mainGo), map[string]string{"GAE_YAML_MAIN": "./cmd/b/"}, "./cmd/b"},
		{"main: without ./", files("go.mod", goMod, "cmd/a/a.go", mainGo), map[string]string{"GAE_YAML_MAIN": "cmd/a"}, "./cmd/a"},
		{"main: as a file", files("go.mod", goMod, "cmd/a/a.go", mainGo), map[string]string{"GAE_YAML_MAIN": "cmd/a/a.go"}, "./cmd/a/a.go"},
		{"main: as an import path", files("go.mod", goMod, "cmd/a/a.go", mainGo), map[string]string{"GAE_YAML_MAIN": "example.com/app/cmd/a"}, "example.com/app/cmd/a"},
		{"the build variable before main:", files("go.mod", goMod, "a/a.go", mainGo, "b/b.go", mainGo), map[string]string{"GAE_YAML_MAIN": "a", "GOOGLE_BUILDABLE": "./b"}, "./b"},
		{"gcloud's stager", files("go.mod", goMod, "a/a.go", mainGo, "b/b.go", mainGo, "_main-package-path", "b\n"), nil, "./b"},
		{"no go.mod", files("app.go", mainGo), nil, "."},
		{"gcloud's stager without go.mod", files("app.go", mainGo, "_gopath/main-package-path", "example.com/app"), nil, "example.com/app"},
		{"what go build leaves out", files("go.mod", goMod, "lib.go", libGo, "vendor/x/x.go", mainGo, "testdata/t.go", mainGo, "_old/o.go", mainGo,
			".git/g.go", mainGo, "tools/go.mod", "module tools", "tools/t.go", mainGo, "gen.go", "//go:build ignore\n\n"+mainGo, "w_windows.go", mainGo, "m_test.go", mainGo, "svc/s.go", mainGo), nil, "./svc"},
	}
	for _, tt := range tests {
		p, err := Go(tt.fsys, sunya.BuildSpec{Env: tt.env})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if p.Package != tt.want {
			t.Errorf("%s: %q, want %q", tt.rule, p.Package, tt.want)
		}
	}
}

func TestGoMod(t *testing.T) {
	tests := []struct {
		rule, mod   string
		more        fstest.MapFS
		want, needs GoVersion
		vendor      bool
		tidy        bool
		ignored     bool
	}{
		{"a language", goMod, files(), "1.22", "1.22", false, true, false},
		{"a release", "module m\ngo 1.22.3\n", files("go.sum", ""), "1.22.3", "1.22.3", false, false, false},
		{"a newer tool chain", "module m\ngo 1.22\ntoolchain go1.23.4\n", files(), "1.23.4", "1.22", false, true, false},
		{"an older tool chain", "module m\ngo 1.22.3\ntoolchain go1.21.0\n", files(), "1.22.3", "1.22.3", false, true, false},
		{"the default tool chain", "module m\ngo 1.22\ntoolchain default\n", files(), "1.22", "1.22", false, true, false},
		{"a named tool chain", "module m\ngo 1.22\ntoolchain go1.24.1-custom\n", files(), "1.24.1", "1.22", false, true, false},
		{"no go line", "module m\n", files("vendor/modules.txt", ""), "", "", false, true, true},
		{"vendored", goMod, files("vendor/modules.txt", ""), "1.22", "1.22", true, false, false},
		{"vendored, but too old to count", "module m\ngo 1.13\n", files("vendor/modules.txt", ""), "1.13", "1.13", false, true, true},
		{"lines that only a newer Go knows", "module m\ngo 1.22\nfuture x\n", files(), "1.22", "1.22", false, true, false},
	}
	for _, tt := range tests {
		tt.more["go.mod"] = &fstest.MapFile{Data: []byte(tt.mod), Mode: 0o644}
		tt.more["main.go"] = &fstest.MapFile{Data: []byte(mainGo), Mode: 0o644}
		p, err := Go(tt.more, sunya.BuildSpec{})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		want := &GoPlan{Module: true, Package: ".", Needs: tt.needs, Wants: tt.want, Vendor: tt.vendor, Tidy: tt.tidy, Ignored: tt.ignored}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("%s: %s", tt.rule, diff)
		}
	}
}

func TestGoRefuses(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		main string
		want string
	}{
		{"nothing", files("go.mod", goMod), "", "no Go files"},
		{"a library", files("go.mod", goMod, "lib.go", libGo), "", "no package main"},
		{"several", files("go.mod", goMod, "cmd/a/a.go", mainGo, "cmd/b/b.go", mainGo), "", "2 main packages (cmd/a, cmd/b): write in app.yaml which one serves, for example main: ./cmd/a"},
		{"many", files("1/a.go", mainGo, "2/a.go", mainGo, "3/a.go", mainGo, "4/a.go", mainGo, "5/a.go", mainGo, "6/a.go", mainGo, "7/a.go", mainGo), "", "6 and 1 more)"},
		{"a broken go.mod", files("go.mod", "module m\nrequire (\n", "main.go", mainGo), "", "go.mod:"},
		{"a wrong version", files("go.mod", "module m\ngo one\n", "main.go", mainGo), "", "go.mod:2: invalid go version"},
		{"no module line", files("go.mod", "go 1.22\n", "main.go", mainGo), "", "no module line"},
		{"main: is absolute", files("main.go", mainGo), "/etc", "main: \"/etc\" must not be an absolute path"},
		{"main: is outside", files("main.go", mainGo), "a/../../b", "outside of the source"},
		{"main: is a library", files("lib/l.go", libGo), "lib", "package lib"},
		{"main: is empty", files("lib/README", ""), "lib", "no Go files"},
		{"main: is a flag", files("main.go", mainGo), "-toolexec=x", "neither a folder of the source nor an import path"},
		{"main: is a pattern", files("main.go", mainGo), "./...", "neither a folder of the source nor an import path"},
	}
	for _, tt := range tests {
		_, err := Go(tt.fsys, sunya.BuildSpec{Env: map[string]string{"GAE_YAML_MAIN": tt.main}})
		var e *sunya.Error
		if !errors.As(err, &e) || e.Reason != sunya.ReasonBuildFailed || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v, want %q", tt.rule, err, tt.want)
		}
	}
}

func TestGoEntrypoint(t *testing.T) {
	p, err := Go(files("go.mod", goMod, "main.go", mainGo, "Procfile", "web: main -v"), sunya.BuildSpec{})
	if err != nil || !cmp.Equal(p.Command, []string{"/bin/bash", "-c", "exec main -v"}) {
		t.Errorf("Procfile: %v %v", p, err)
	}
	p, err = Go(files("main.go", mainGo, "Procfile", "web: x"), sunya.BuildSpec{Entrypoint: "main -a"})
	if err != nil || !cmp.Equal(p.Command, []string{"/bin/bash", "-c", "exec main -a"}) {
		t.Errorf("entrypoint: %v %v", p, err)
	}
}

func TestGoVersionOrder(t *testing.T) {
	tests := []struct {
		v, w  GoVersion
		holds bool
	}{
		{"", "1.11", true}, {"1.22", "1.22.0", true}, {"1.22.3", "1.22.2", false}, {"1.22", "1.23rc1", true},
		{"1.23", "1.23rc1", true}, {"1.23.0", "1.23rc1", false}, {"1.9", "1.10", true},
	}
	for _, tt := range tests {
		if got := tt.v.Holds(tt.w); got != tt.holds {
			t.Errorf("%q holds %q: %v", tt.v, tt.w, got)
		}
	}
	if GoVersion("1.22").Exact() || !GoVersion("1.22.0").Exact() || !GoVersion("1.23rc1").Exact() {
		t.Error("which versions are releases")
	}
}

// FuzzGo holds that no source makes detection panic, and that what it returns
// is something go build may be given.
func FuzzGo(f *testing.F) {
	f.Add(goMod, mainGo, "./cmd/a", "x")
	f.Add("module m\n\ngo 1.23.1\n\ntoolchain go1.24.0\n\nrequire (\n\tgithub.com/gin-gonic/gin v1.10.0\n\tgolang.org/x/net v0.25.0 // indirect\n)\n", "//go:build linux\n\npackage main\n", "", "")
	f.Add("module \"x\"\nreplace a => ../a\n", "package lib // c\n", "a.go", "web: ./x")
	f.Fuzz(func(t *testing.T, mod, src, main, line string) {
		p, err := Go(files("go.mod", mod, "a.go", src, "cmd/b/b.go", src), sunya.BuildSpec{Entrypoint: line, Env: map[string]string{"GAE_YAML_MAIN": main}})
		if err != nil {
			var e *sunya.Error
			if !errors.As(err, &e) || e.Reason != sunya.ReasonBuildFailed {
				t.Errorf("not the source's fault: %v", err)
			}
			return
		}
		if p.Package == "" || p.Package[0] == '-' || strings.Contains(p.Package, "..") && strings.HasPrefix(p.Package, "..") || p.Package[0] == '/' {
			t.Errorf("package %q", p.Package)
		}
	})
}
