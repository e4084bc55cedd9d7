package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// nodeKind tells the steps of a Node.js build apart.
func nodeKind(s sandbox.Spec) string {
	args := strings.Join(s.Args, " ")
	writable := func(target string) bool {
		return slices.ContainsFunc(s.Mounts, func(m sandbox.Mount) bool { return m.Writable && m.Target == target })
	}
	switch {
	case writable("/layers/manager"):
		return "manager"
	case writable("/layers/node"):
		return "node"
	case strings.Contains(args, "SUNYA_WARM"):
		return "warm"
	case strings.Contains(args, "--check"):
		return "check"
	case strings.Contains(args, " run "):
		return "script"
	case strings.Contains(args, "prune"), strings.Contains(args, "--production"):
		return "prune"
	case writable("/workspace/node_modules"):
		return "install"
	case writable("/workspace"):
		return "install in the source"
	}
	return "?"
}

// nodeWorks leaves what each step would.
func nodeWorks(_ context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
	for _, m := range s.Mounts {
		switch {
		case m.Writable && m.Target == "/workspace/node_modules" && nodeKind(s) == "warm":
			os.Mkdir(filepath.Join(m.Source, ".compile-cache"), 0o700)
		case m.Writable && m.Target == "/workspace/node_modules":
			os.WriteFile(filepath.Join(m.Source, "installed"), nil, 0o600)
		case m.Writable && m.Target == "/layers/node":
			os.WriteFile(filepath.Join(m.Source, "version"), []byte("v22.3.4\n"), 0o600)
		case m.Writable && m.Target == "/workspace" && nodeKind(s) == "script":
			os.WriteFile(filepath.Join(m.Source, "made.js"), nil, 0o600)
		}
	}
	fmt.Fprintf(out, "%s done\n", nodeKind(s))
	return sandbox.Exit{}
}

func newNodeBench(t *testing.T, files ...string) *bench {
	b := newBench(t, nodeWorks)
	b.put(t, "requirements.txt", "")
	for i := 0; i < len(files); i += 2 {
		b.put(t, files[i], files[i+1])
	}
	return b
}

func (b *bench) node(t *testing.T, change ...func(*build.Request)) (*build.Result, error) {
	t.Helper()
	return b.build(t, append([]func(*build.Request){func(r *build.Request) { r.Spec.Runtime = "nodejs20" }}, change...)...)
}

func (b *bench) nodeKinds() []string {
	var ks []string
	for _, s := range b.engine.starts {
		ks = append(ks, nodeKind(s))
	}
	return ks
}

const (
	nodePackage = `{"scripts": {"start": "node server.js"}, "dependencies": {"express": "^4"}}`
	nodeScripts = `{"scripts": {"gcp-build": "tsc", "start": "node made.js"}, "devDependencies": {"typescript": "5"}}`
)

func TestWhatRunsAgainForNode(t *testing.T) {
	b := newNodeBench(t, "server.js", "1", "package.json", nodePackage, "package-lock.json", "{}")
	env := func(name, value string) func(*build.Request) {
		return func(r *build.Request) { r.Spec.Env = map[string]string{name: value} }
	}
	tests := []struct {
		rule   string
		change func()
		req    func(*build.Request)
		want   []string
		say    string
	}{
		{"first build", func() {}, nil, []string{"install", "check"}, "Dependencies installed"},
		{"nothing changed", func() {}, nil, nil, "Source unchanged: reused"},
		{"code changed", func() { b.put(t, "server.js", "2") }, nil, []string{"check"}, "Dependencies unchanged: reused"},
		{"lock changed", func() { b.put(t, "package-lock.json", "{ }") }, nil, []string{"install", "check"}, "Dependencies installed"},
		{"build variable", func() {}, env("X", "1"), []string{"install"}, "Source unchanged"},
		{"another project trusts nobody's cache", func() {}, func(r *build.Request) { r.Project = "other" }, []string{"install", "check"}, ""},
		{"a script of the install: the code counts", func() {
			b.put(t, "package.json", `{"scripts": {"start": "node server.js", "postinstall": "x"}, "dependencies": {"express": "^4"}}`)
		}, nil, []string{"install in the source", "check"}, "done again for every change"},
		{"no packages", func() { b.put(t, "package.json", "{}"); os.Remove(filepath.Join(b.src, "package-lock.json")) }, nil, []string{"check"}, "No dependencies to install"},
		{"build scripts, and pruning", func() { b.put(t, "package.json", nodeScripts) }, nil, []string{"install", "script", "prune", "check"}, "Running the script gcp-build"},
		{"and again", func() { b.put(t, "server.js", "3") }, nil, []string{"script", "prune", "check"}, "Dependencies unchanged: reused"},
		{"development on purpose", func() {}, env("NODE_ENV", "development"), []string{"install", "script", "check"}, ""},
		{"another manager", func() { b.put(t, "yarn.lock", "") }, nil, []string{"manager", "install", "script", "prune", "check"}, "Fetching yarn 1"},
	}
	for _, tt := range tests {
		tt.change()
		if _, err := b.node(t, func(r *build.Request) {
			if tt.req != nil {
				tt.req(r)
			}
		}); err != nil {
			t.Fatalf("%s: %v\n%s", tt.rule, err, b.log.String())
		}
		if diff := cmp.Diff(tt.want, b.nodeKinds()); diff != "" || !strings.Contains(b.log.String(), tt.say) {
			t.Errorf("%s: %s\n%s", tt.rule, diff, b.log.String())
		}
	}
}

func TestNodeImage(t *testing.T) {
	b := newNodeBench(t, "server.js", "1", "package.json", nodePackage)
	res, err := b.node(t)
	if err != nil {
		t.Fatal(err)
	}
	img := res.Image
	if img.Fingerprint != "n20" || img.Runtime != "Node.js 20.11.1" || len(img.HostPaths) != 0 || res.Dir != "/workspace" {
		t.Errorf("image %+v", img)
	}
	// The packages are mounted into the source, which is therefore mounted first.
	if len(img.Layers) != 2 || img.Layers[0].Target != "/workspace" || img.Layers[1].Target != "/workspace/node_modules" {
		t.Fatalf("layers %+v", img.Layers)
	}
	app := filepath.Join(b.data, "layers", "sha256", strings.TrimPrefix(img.Layers[0].Digest, "sha256:"))
	if entries, err := os.ReadDir(filepath.Join(app, "node_modules")); err != nil || len(entries) != 0 {
		t.Errorf("the place for the packages: %v, %v", entries, err)
	}
	if got := res.Command; len(got) != 3 || got[0] != "/bin/sh" || !strings.HasSuffix(got[2], "\nexec node server.js") {
		t.Errorf("command %q", got)
	}
	if !slices.Contains(res.Env, sunya.EnvVar{Name: "NODE_ENV", Value: "production"}) ||
		!slices.Contains(res.Env, sunya.EnvVar{Name: "PATH", Value: "/workspace/node_modules/.bin:/usr/local/bin:/usr/bin:/bin"}) {
		t.Errorf("environment %v", res.Env)
	}
}

func TestNodeImageAfterScripts(t *testing.T) {
	b := newNodeBench(t, "package.json", nodeScripts)
	res, err := b.node(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Image.Layers) != 1 {
		t.Fatalf("layers %+v", res.Image.Layers)
	}
	app := filepath.Join(b.data, "layers", "sha256", strings.TrimPrefix(res.Image.Layers[0].Digest, "sha256:"))
	for _, name := range []string{"made.js", "node_modules/installed"} {
		if _, err := os.Stat(filepath.Join(app, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestWhichNode(t *testing.T) {
	tests := []struct {
		rule, runtime, engines string
		env                    string // NAME=value
		offline                bool
		want                   string
		say                    string
	}{
		{"the machine's", "nodejs20", "", "", false, "Node.js 20.11.1", "Node.js 20.11.1 (/usr/bin/node)"},
		{"another of the machine's", "nodejs18", "", "", false, "Node.js 18.19.0", "/opt/n18/bin/node"},
		{"fetched", "nodejs22", "", "", false, "Node.js 22.3.4", "fetched from the npm registry"},
		{"fetched for a pin", "nodejs20", "", "GOOGLE_NODEJS_VERSION=22.3", false, "Node.js 22.3.4", "fetched"},
		{"offline: the nearest newer", "nodejs19", "", "", true, "Node.js 20.11.1", "using the newer Node.js 20.11.1"},
		{"offline: the nearest older, loudly", "nodejs22", "", "", true, "Node.js 20.11.1", "NODE.JS 22 IS NOT ON THIS MACHINE"},
		{"engines allow another one only", "nodejs20", "18.x", "", false, "Node.js 18.19.0", "package.json allows 18.x alone: Node.js 18.19.0 is used"},
		{"engines within the version: fetched", "nodejs20", ">=20.12", "", false, "Node.js 22.3.4", "Node.js 20.x >=20.12"},
		{"engines allow none of the machine's: fetched", "nodejs12", "22.5.1", "", false, "Node.js 22.3.4", "Fetching Node.js 22.5.1,"},
		{"engines that nobody reads", "nodejs20", "lts/*", "", false, "Node.js 20.11.1", "it is ignored"},
	}
	for _, tt := range tests {
		b := newNodeBench(t, "server.js", "1", "package.json", fmt.Sprintf(`{"engines": {"node": %q}}`, tt.engines))
		if tt.offline {
			b.engine.play = func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
				if nodeKind(s) == "node" {
					return sandbox.Exit{Code: 1}
				}
				return nodeWorks(ctx, s, out)
			}
		}
		res, err := b.node(t, func(r *build.Request) {
			r.Spec.Runtime = tt.runtime
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				r.Spec.Env = map[string]string{name: value}
			}
		})
		if err != nil || res.Image.Runtime != tt.want || !strings.Contains(b.log.String(), tt.say) {
			t.Errorf("%s: %+v, %v\n%s", tt.rule, res, err, b.log.String())
		}
	}
}

func TestNodeStepsThatFail(t *testing.T) {
	tests := []struct {
		rule, kind, pkg string
		out             string
		want            string
	}{
		{"syntax error", "check", nodePackage, "/workspace/server.js:3\nfoo(\n   ^\n\nSyntaxError: Unexpected end of input\n    at wrapSafe (x)\n", "server.js:3: SyntaxError: Unexpected end of input"},
		{"unknown package", "install", nodePackage, "npm error code E404\nnpm error 404 Not Found - GET https://r/expresss - Not found\nnpm error 404\nnpm error 404  'expresss@^4' is not in this registry.\n", "there is no package `expresss`: check package.json"},
		{"type error", "script", nodeScripts, "> gcp-build\n> tsc\n\nsrc/server.ts(3,7): error TS2322: Type 'number' is not assignable to type 'string'.\nnpm error code 2\n",
			"the script gcp-build of package.json failed: src/server.ts(3,7): error TS2322: Type 'number' is not assignable to type 'string'."},
		{"a manager that is not there", "manager", `{"packageManager": "pnpm@99.1.0", "dependencies": {"a": "1"}}`, "npm error code ETARGET\n", "pnpm 99.1.0 cannot be fetched from the npm registry: check packageManager"},
	}
	for _, tt := range tests {
		b := newNodeBench(t, "server.js", "1", "package.json", tt.pkg)
		b.engine.play = func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
			if nodeKind(s) != tt.kind {
				return nodeWorks(ctx, s, out)
			}
			io.WriteString(out, tt.out)
			return sandbox.Exit{Code: 1}
		}
		_, err := b.node(t)
		var e *build.Error
		if !errors.As(err, &e) || sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.HasPrefix(e.Err.Message, tt.want) {
			t.Errorf("%s: %v", tt.rule, err)
		}
	}
}

func TestNodeEntryThatIsMadeAtStart(t *testing.T) {
	b := newNodeBench(t, "package.json", `{"scripts": {"start": "make x.js && node x.js"}}`)
	if _, err := b.node(t); err != nil {
		t.Error(err)
	}
}

func TestNodeEntryThatIsNotThere(t *testing.T) {
	for pkg, want := range map[string]string{
		`{"scripts": {"start": "node app.js"}}`:                             "started with app.js, which is not in the source",
		`{"scripts": {"gcp-build": "tsc", "start": "node dist/server.js"}}`: "dist/server.js, which is not in the source and was not made by the script gcp-build",
	} {
		b := newNodeBench(t, "package.json", pkg)
		if _, err := b.node(t); sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pkg, err)
		}
	}
}

// TestNodeSandboxes: what fetches a tool for the whole machine sees nothing of
// a project.
func TestNodeSandboxes(t *testing.T) {
	b := newNodeBench(t, "server.js", "1", "package.json", nodePackage, "yarn.lock", "")
	res, err := b.node(t, func(r *build.Request) {
		r.Spec.Runtime, r.Spec.Env = "nodejs22", map[string]string{"MINE": "1"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(res.Env, sunya.EnvVar{Name: "NODE_COMPILE_CACHE", Value: "/workspace/node_modules/.compile-cache"}) {
		t.Errorf("env = %v", res.Env)
	}
	if diff := cmp.Diff([]string{"node", "manager", "install", "warm", "check"}, b.nodeKinds()); diff != "" {
		t.Fatal(diff)
	}
	for _, s := range b.engine.starts[:2] {
		shared := slices.ContainsFunc(s.Mounts, func(m sandbox.Mount) bool { return m.Target == "/cache" || strings.HasPrefix(m.Target, "/workspace") })
		if shared || slices.Contains(s.Env, "MINE=1") {
			t.Errorf("%s sees a project: %+v", nodeKind(s), s)
		}
	}
}
