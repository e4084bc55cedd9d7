package build_test

import (
	"bytes"
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

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// bench is a Runner whose steps are played.
type bench struct {
	*build.Runner
	engine *scriptEngine
	data   string
	src    string
	log    bytes.Buffer
}

func newBench(t *testing.T, play func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit) *bench {
	t.Helper()
	b := &bench{engine: &scriptEngine{play: play}, data: t.TempDir(), src: t.TempDir()}
	store, err := disk.OpenLayers(filepath.Join(b.data, "layers"), time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	b.Runner, err = build.New(build.Options{
		Engine: b.engine, Layers: store, CacheDir: filepath.Join(b.data, "cache"), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Machine: build.Machine{
			Runtimes: []build.Runtime{{Language: "python", Version: "3.11.7", Path: "/opt/py/bin/python3.11", Prefixes: []string{"/opt/py"}, Fingerprint: "f1", Modules: []string{"venv", "pip"}},
				{Language: "nodejs", Version: "20.11.1", Path: "/usr/bin/node", Fingerprint: "n20", Modules: []string{"npm"}},
				{Language: "nodejs", Version: "18.19.0", Path: "/opt/n18/bin/node", Prefixes: []string{"/opt/n18"}, Fingerprint: "n18"},
				{Language: "php", Version: "8.2.7", Path: "/usr/bin/php8.2", Fingerprint: "p82"}, {Language: "composer", Path: "/usr/bin/composer", Fingerprint: "c"},
				{Language: "ruby", Version: "3.1.2", Path: "/usr/bin/ruby3.1", Fingerprint: "r31", Modules: []string{"bundler"}}},
			Client: build.Client{Env: map[string]string{"PIP_INDEX_URL": "https://i", "PIP_CERT": "/secret/ca.pem"}, Files: []build.ClientFile{{Name: "ca.pem", Vars: []string{"PIP_CERT"}, Content: []byte("CA")}}, Paths: []string{"/opt/wheels"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "main.py", "app = 1\n")
	b.put(t, "requirements.txt", "flask\n")
	return b
}

func (b *bench) put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.src, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) build(t *testing.T, change ...func(*build.Request)) (*build.Result, error) {
	t.Helper()
	b.engine.starts, b.log = nil, bytes.Buffer{}
	r := build.Request{ID: "b1", Project: "sunya", Service: "apps/sunya/services/default", UIDRange: 7, Dir: b.src, Log: &b.log, Spec: sunya.BuildSpec{Runtime: "python311"}}
	for _, c := range change {
		c(&r)
	}
	res, err := b.Build(t.Context(), r)
	if left, _ := filepath.Glob(filepath.Join(b.data, "cache", ".scratch", "*")); len(left) > 0 {
		t.Errorf("scratch left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(b.data, "layers", "tmp", "*")); len(left) > 0 {
		t.Errorf("stages left: %v", left)
	}
	return res, err
}

// kindOf tells the steps apart.
func kindOf(s sandbox.Spec) string {
	for _, m := range s.Mounts {
		switch {
		case m.Writable && m.Target == "/layers/python":
			return "install"
		case m.Writable && strings.HasPrefix(m.Target, "/layers/"):
			return "tool"
		}
	}
	return "compile"
}

func (b *bench) kinds() []string {
	var ks []string
	for _, s := range b.engine.starts {
		ks = append(ks, kindOf(s))
	}
	return ks
}

// works leaves what each step would.
func works(_ context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
	for _, m := range s.Mounts {
		if m.Writable && strings.HasPrefix(m.Target, "/layers/") {
			os.WriteFile(filepath.Join(m.Source, "installed"), []byte(m.Target), 0o600)
		}
		if m.Writable && m.Target == "/workspace" && kindOf(s) == "compile" {
			os.WriteFile(filepath.Join(m.Source, "main.pyc"), []byte("compiled"), 0o666)
		}
	}
	fmt.Fprintf(out, "%s done\n", kindOf(s))
	return sandbox.Exit{}
}

func TestWhatRunsAgain(t *testing.T) {
	b := newBench(t, works)
	tests := []struct {
		rule   string
		change func()
		req    func(*build.Request)
		want   []string
		say    string
	}{
		{"first build", func() {}, nil, []string{"compile", "tool", "install"}, "install done"},
		{"nothing changed", func() {}, nil, nil, "Source unchanged: reused"},
		{"code changed", func() { b.put(t, "main.py", "app = 2\n") }, nil, []string{"compile"}, "Dependencies unchanged: reused"},
		{"requirements changed", func() { b.put(t, "requirements.txt", "flask==3\n") }, nil, []string{"compile", "install"}, "Dependencies installed"},
		{"build variable", func() {}, func(r *build.Request) { r.Spec.Env = map[string]string{"X": "1"} }, []string{"install"}, "Source unchanged"},
		{"another project trusts nobody's cache", func() {}, func(r *build.Request) { r.Project = "other" }, []string{"compile", "install"}, ""},
		{"local requirement: the code counts", func() { b.put(t, "requirements.txt", ".\n") }, nil, []string{"compile", "install"}, ""},
		{"so it does", func() { b.put(t, "main.py", "app = 3\n") }, nil, []string{"compile", "install"}, ""},
	}
	for _, tt := range tests {
		tt.change()
		res, err := b.build(t, func(r *build.Request) {
			if tt.req != nil {
				tt.req(r)
			}
		})
		if err != nil || len(res.Image.Layers) != 2 {
			t.Fatalf("%s: %v", tt.rule, err)
		}
		if diff := cmp.Diff(tt.want, b.kinds()); diff != "" || !strings.Contains(b.log.String(), tt.say) {
			t.Errorf("%s: %s\n%s", tt.rule, diff, b.log.String())
		}
	}
}

func TestImage(t *testing.T) {
	b := newBench(t, works)
	res, err := b.build(t)
	if err != nil {
		t.Fatal(err)
	}
	img := res.Image
	if img.Stack != sunya.HostStack || img.Fingerprint != "f1" || img.Runtime != "Python 3.11.7" || !slices.Equal(img.HostPaths, []string{"/opt/py"}) {
		t.Errorf("image %+v", img)
	}
	if img.Layers[0].Target != "/layers/python" || img.Layers[1].Target != "/workspace" || res.Dir != "/workspace" {
		t.Errorf("layers %+v", img.Layers)
	}
	app := filepath.Join(b.data, "layers", "sha256", strings.TrimPrefix(img.Layers[1].Digest, "sha256:"))
	for _, name := range []string{"main.py", "main.pyc"} {
		if fi, err := os.Stat(filepath.Join(app, name)); err != nil || fi.Mode() != 0o644 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(b.src, "main.pyc")); err == nil {
		t.Error("the build wrote into the source")
	}
}

func TestSandboxOfAStep(t *testing.T) {
	b := newBench(t, works)
	if _, err := b.build(t, func(r *build.Request) { r.Spec.Env = map[string]string{"PATH": "/evil", "MINE": "1"} }); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.engine.starts {
		if s.Profile != sandbox.Build || s.Kind != "build" || !s.Network || s.UIDRange != 7 || s.MemoryBytes != 2<<30 || s.PIDs != 512 || len(s.ID) > 48 {
			t.Errorf("%s: %+v", kindOf(s), s)
		}
		env := strings.Join(s.Env, "\n") + "\n"
		if strings.Contains(env, "/evil") || strings.Contains(env, "/secret") || !strings.Contains(env, "PIP_CERT=/build/client/ca.pem\n") {
			t.Errorf("%s: environment %s", kindOf(s), env)
		}
		shared := slices.ContainsFunc(s.Mounts, func(m sandbox.Mount) bool { return m.Target == "/cache" || m.Target == "/workspace" })
		if kindOf(s) == "tool" && (shared || strings.Contains(env, "MINE=")) {
			t.Errorf("a tool of the whole machine sees a project: %+v", s)
		}
	}
}

// TestBuildThatShutsItsFolders matters without root: the server must get its
// directories back.
func TestBuildThatShutsItsFolders(t *testing.T) {
	b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		exit := works(ctx, s, out)
		for _, m := range s.Mounts {
			if m.Writable && kindOf(s) == "install" && m.Target != "/cache" {
				os.MkdirAll(filepath.Join(m.Source, "a/b"), 0o755)
				os.Chmod(filepath.Join(m.Source, "a"), 0)
				os.Chmod(m.Source, 0)
			}
		}
		return exit
	})
	if _, err := b.build(t); err != nil {
		t.Fatal(err)
	}
	if err := tree.Remove(b.src); err != nil {
		t.Error(err)
	}
}

// TestBuildThatDigsTooDeep is a build that kept the server from every later
// start: nothing could walk through or remove what it had left.
func TestBuildThatDigsTooDeep(t *testing.T) {
	b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		for _, m := range s.Mounts {
			if m.Writable && kindOf(s) == "install" {
				dig(t, m.Source)
			}
		}
		return works(ctx, s, out)
	})
	_, err := b.build(t)
	if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), "deep") {
		t.Errorf("error = %v", err)
	}
	if err := tree.Remove(b.src); err != nil {
		t.Error(err)
	}
}

// dig makes folders that lie in each other too deep for Walk.
func dig(t *testing.T, dir string) {
	root, err := os.OpenRoot(dir)
	for depth := 0; err == nil && depth <= tree.MaxDepth+1; depth++ {
		var below *os.Root
		if err = root.Mkdir("d", 0o755); err == nil {
			below, err = root.OpenRoot("d")
		}
		root.Close()
		root = below
	}
	if err != nil {
		t.Fatal(err)
	}
	root.Close()
}

func TestNewSweepsScratch(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".scratch", "b-old", "tmp")
	kept := filepath.Join(dir, "sunya", "uv")
	if err := errors.Join(os.MkdirAll(left, 0o755), os.MkdirAll(kept, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := build.New(build.Options{CacheDir: dir, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("scratch of a killed build is left")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("download cache is gone: %v", err)
	}
}

func TestRuntimesThatAreSpeltDifferently(t *testing.T) {
	b := newBench(t, works)
	for runtime, want := range map[string]string{
		"python3.11": `did you mean "python311"?`, "nodejs18.x": `did you mean "nodejs18"?`, "node18": `did you mean "nodejs18"?`,
		"golang126": `did you mean "go126"?`, "php-8.2": `did you mean "php82"?`, "ruby3": "use ruby25 to ruby40", "nodejs": "use nodejs10 to nodejs26",
	} {
		err := b.Check(sunya.BuildSpec{Runtime: runtime})
		if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", runtime, err, want)
		}
	}
}
