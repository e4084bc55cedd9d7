package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// player is what the scriptEngine plays.
type player func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit

// newMachineBench is a Runner on a machine with these runtimes, whose steps
// are played.
func newMachineBench(t *testing.T, play player, runtimes ...build.Runtime) *bench {
	t.Helper()
	b := &bench{engine: &scriptEngine{play: play}, data: t.TempDir(), src: t.TempDir()}
	store, err := disk.OpenLayers(filepath.Join(b.data, "layers"), time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	b.Runner, err = build.New(build.Options{
		Engine: b.engine, Layers: store, CacheDir: filepath.Join(b.data, "cache"), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Machine: build.Machine{Runtimes: runtimes},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newGoBench has these Gos, and a program.
func newGoBench(t *testing.T, play player, versions ...string) *bench {
	t.Helper()
	var runtimes []build.Runtime
	for _, v := range versions {
		runtimes = append(runtimes, build.Runtime{Language: "go", Version: v, Path: "/opt/go" + v + "/bin/go", Prefixes: []string{"/opt/go" + v}, Fingerprint: "f" + v})
	}
	b := newMachineBench(t, play, runtimes...)
	b.put(t, "main.go", "package main\n\nfunc main() {}\n")
	b.put(t, "go.mod", "module example.com/app\n\ngo 1.20\n")
	return b
}

// goWorks compiles, and fetches every tool chain that it is asked for.
func goWorks(_ context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
	for _, m := range s.Mounts {
		switch {
		case m.Writable && m.Target == "/layers/go-toolchain":
			v := strings.Fields(strings.Join(s.Args, " "))[4]
			os.WriteFile(filepath.Join(m.Source, "VERSION"), []byte("go"+v+"\ntime x\n"), 0o600)
		case m.Writable && m.Target == "/layers/go":
			os.Mkdir(filepath.Join(m.Source, "bin"), 0o755)
			os.WriteFile(filepath.Join(m.Source, "bin", "main"), []byte("program"), 0o755)
		}
	}
	fmt.Fprintln(out, "done")
	return sandbox.Exit{}
}

// goOffline compiles, and can fetch nothing.
func goOffline(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
	if slices.ContainsFunc(s.Mounts, func(m sandbox.Mount) bool { return m.Writable && m.Target == "/layers/go-toolchain" }) {
		fmt.Fprintln(out, "go: golang.org/toolchain: dial tcp: lookup proxy.golang.org: no such host")
		return sandbox.Exit{Code: 1}
	}
	return goWorks(ctx, s, out)
}

func TestWhichGoCompiles(t *testing.T) {
	tests := []struct {
		rule    string
		runtime string
		mod     string
		pin     string
		play    player
		want    string // the image's runtime, or what the error says
		warning string
	}{
		{"the version itself", "go122", "go 1.20", "", goOffline, "Go 1.22.4", ""},
		{"a newer one is as good", "go121", "go 1.20", "", goOffline, "Go 1.22.4", ""},
		{"go.mod asks for more than the runtime", "go120", "go 1.23", "", goOffline, "Go 1.25.1", ""},
		{"its tool chain line too", "go120", "go 1.20\ntoolchain go1.25.0", "", goOffline, "Go 1.25.1", ""},
		{"a newer one is fetched", "go127", "go 1.20", "", goWorks, "Go 1.27", ""},
		{"go.mod's release is fetched", "go122", "go 1.26.2", "", goWorks, "Go 1.26.2", ""},
		{"an older one will do, loudly", "go127", "go 1.20", "", goOffline, "Go 1.25.1", "NOR ANY NEWER ONE: using the OLDER Go 1.25.1"},
		{"but not where go.mod forbids it", "go122", "go 1.26", "", goOffline, "the manifest requires Go 1.26 or newer, which this machine does not have (this machine has Go 1.25.1, 1.22.4), and Go 1.26 could not be fetched", ""},
		{"a pin that is here", "go125", "go 1.20", "1.22.4", goOffline, "Go 1.22.4", ""},
		{"a pin that is fetched", "go125", "go 1.20", "1.21.3", goWorks, "Go 1.21.3", ""},
		{"a pin that is a series is its newest", "go125", "go 1.20", "1.24", goWorks, "Go 1.24", ""},
		{"a pin that cannot be met", "go125", "go 1.20", "1.21.3", goOffline, "GOOGLE_GO_VERSION asks for Go 1.21.3, which this machine does not have", ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			b := newGoBench(t, tt.play, "1.25.1", "1.22.4")
			b.put(t, "go.mod", "module example.com/app\n\n"+tt.mod+"\n")
			res, err := b.build(t, func(r *build.Request) {
				r.Spec = sunya.BuildSpec{Runtime: tt.runtime, Env: map[string]string{"GOOGLE_GO_VERSION": tt.pin}}
			})
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if res.Image.Runtime != tt.want || !strings.Contains(strings.Join(res.Warnings, "\n"), tt.warning) || (tt.warning == "") != (len(res.Warnings) == 0) {
				t.Errorf("%s with warnings %q, want %s with %q", res.Image.Runtime, res.Warnings, tt.want, tt.warning)
			}
		})
	}
}

func TestGoImage(t *testing.T) {
	b := newGoBench(t, goWorks, "1.25.1")
	spec := sunya.BuildSpec{Runtime: "go125", Env: map[string]string{"GOOGLE_GOLDFLAGS": "-s -w"}}
	res, err := b.build(t, func(r *build.Request) { r.Spec = spec })
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Image.HostPaths) > 0 || res.Image.Fingerprint != "" {
		t.Errorf("a binary is tied to the machine: %+v", res.Image)
	}
	if !slices.Equal(res.Command, []string{"/layers/go/bin/main"}) || res.Dir != "/workspace" || len(res.Image.Layers) != 2 {
		t.Errorf("%+v", res)
	}
	step := b.engine.starts[0]
	if i := slices.Index(step.Args, "-ldflags"); i < 0 || step.Args[i+1] != "-s -w" {
		t.Errorf("args %q", step.Args)
	}
	if _, err = b.build(t, func(r *build.Request) { r.Spec = spec }); err != nil || len(b.engine.starts) > 0 {
		t.Errorf("unchanged source ran %d steps: %v", len(b.engine.starts), err)
	}
	b.put(t, "page.html", "new")
	if _, err = b.build(t, func(r *build.Request) { r.Spec = spec }); err != nil || len(b.engine.starts) != 1 {
		t.Errorf("changed source ran %d steps: %v", len(b.engine.starts), err)
	}
	b.put(t, "Procfile", "web: main -v\n")
	res, err = b.build(t, func(r *build.Request) { r.Spec = spec })
	if err != nil || !slices.Equal(res.Command, []string{"/bin/bash", "-c", "exec main -v"}) {
		t.Errorf("Procfile: %v %v", res, err)
	}
}

func TestGoFailures(t *testing.T) {
	tests := []struct{ rule, mod, output, want string }{
		{"compile error", "go.mod", "# example.com/app\n./main.go:12:5: undefined: foo\n./main.go:13:2: x\n", "go build failed: main.go:12:5: undefined: foo"},
		{"in a folder", "go.mod", "# example.com/app/cmd\ncmd/web/a.go:3:1: syntax error: unexpected EOF\n", "go build failed: cmd/web/a.go:3:1: syntax error: unexpected EOF"},
		{"missing module", "go.mod", "main.go:4:2: no required module provides package github.com/x/y; to add it:\n\tgo get github.com/x/y\n", "go build failed: main.go:4:2: no required module provides package github.com/x/y; to add it: go get github.com/x/y"},
		{"missing sum", "go.mod", "main.go:4:2: missing go.sum entry for module providing package github.com/x/y; to add:\n\tgo mod download github.com/x/y\n", "to add: go mod download github.com/x/y"},
		{"no go.mod", "", "main.go:4:2: cannot find package \"github.com/x/y\" in any of:\n\t/usr/local/go/src/github.com/x/y (from $GOROOT)\n", "go build failed: main.go:4:2: the package github.com/x/y is not in the source, which has no go.mod: run go mod init and go mod tidy"},
		{"stale vendor", "go.mod", "go: inconsistent vendoring in /workspace:\n\tgithub.com/x/y@v1: is explicitly required in go.mod, but not marked\n", "go build failed: inconsistent vendoring in /workspace: github.com/x/y@v1: is"},
		{"no network", "go.mod", "go: downloading github.com/x/y v1.0.0\ngo: github.com/x/y@v1.0.0: Get \"https://p\": dial tcp: lookup p: no such host\n", "the Go modules could not be fetched: github.com/x/y@v1.0.0"},
		{"silence", "go.mod", "", "go build failed: see the build log"},
	}
	for _, tt := range tests {
		b := newGoBench(t, func(_ context.Context, _ sandbox.Spec, out io.Writer) sandbox.Exit {
			io.WriteString(out, tt.output)
			return sandbox.Exit{Code: 1}
		}, "1.25.1")
		if tt.mod == "" {
			os.Remove(filepath.Join(b.src, "go.mod"))
		}
		_, err := b.build(t, func(r *build.Request) { r.Spec.Runtime = "go125" })
		var e *build.Error
		if !errors.As(err, &e) || !strings.Contains(e.Err.Message, tt.want) {
			t.Errorf("%s: %v, want %q", tt.rule, err, tt.want)
		}
	}
}

// TestGoNotMain: go build leaves an archive for a package that is not main.
func TestGoNotMain(t *testing.T) {
	b := newGoBench(t, func(_ context.Context, s sandbox.Spec, _ io.Writer) sandbox.Exit {
		for _, m := range s.Mounts {
			if m.Target == "/layers/go" {
				os.Mkdir(filepath.Join(m.Source, "bin"), 0o755)
				os.WriteFile(filepath.Join(m.Source, "bin", "main"), []byte("!<arch>"), 0o644)
			}
		}
		return sandbox.Exit{}
	}, "1.25.1")
	_, err := b.build(t, func(r *build.Request) {
		r.Spec = sunya.BuildSpec{Runtime: "go125", Env: map[string]string{"GAE_YAML_MAIN": "example.com/app/lib"}}
	})
	if err == nil || !strings.Contains(err.Error(), "example.com/app/lib is not a package main") {
		t.Error(err)
	}
}

func TestGoRuntimeIDs(t *testing.T) {
	b := newGoBench(t, goWorks, "1.25.1")
	for id, code := range map[string]sunya.Code{"go111": sunya.OK, "go127": sunya.OK, "go110": sunya.InvalidArgument, "go128": sunya.InvalidArgument, "go": sunya.InvalidArgument, "go1": sunya.InvalidArgument} {
		if err := b.Check(sunya.BuildSpec{Runtime: id}); sunya.CodeOf(err) != code {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := newGoBench(t, goWorks).Check(sunya.BuildSpec{Runtime: "go125"}); sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "this machine has no Go 1.11 or newer: install one") {
		t.Errorf("no Go: %v", err)
	}
}

// TestToolChainIsNobodysOwn: what every project compiles with is fetched from
// where the owner says, not from where one user says.
func TestToolChainIsNobodysOwn(t *testing.T) {
	b := newGoBench(t, goWorks, "1.25.1")
	_, err := b.build(t, func(r *build.Request) {
		r.Spec = sunya.BuildSpec{Runtime: "go127", Env: map[string]string{"GOPROXY": "https://evil.example", "GONOSUMDB": "*"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range b.engine.starts[0].Env {
		if strings.Contains(kv, "evil") || strings.HasPrefix(kv, "GONOSUMDB=") {
			t.Errorf("the tool chain is fetched with %s", kv)
		}
	}
	if compile := b.engine.starts[1]; !slices.Contains(compile.Env, "GOPROXY=https://evil.example") {
		t.Errorf("modules are fetched with %q", compile.Env)
	}
}
