package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// withStart is a package.json that can be started, with more members.
func withStart(more string) string {
	return `{"name": "x", "scripts": {"start": "node a.js"}` + more + `}`
}

const oneDep = `, "dependencies": {"express": "^4"}`

func TestNodeManager(t *testing.T) {
	berryLock := "# yarn\n\n__metadata:\n  version: 8\n"
	linker := "nodeLinker: node-modules\n"
	tests := []struct {
		rule string
		fsys fstest.MapFS
		want string // manager, its version, whether it needs the whole source
		key  string // manifests in the key
	}{
		{"none", files("server.js", ""), " ", ""},
		{"nothing to install", files("package.json", withStart("")), " ", ""},
		{"npm without a lock", files("package.json", withStart(oneDep)), "npm ", "package.json"},
		{"npm", files("package.json", withStart(oneDep), "package-lock.json", "{}", ".npmrc", ""), "npm ", ".npmrc package-lock.json package.json"},
		{"shrinkwrap first", files("package.json", withStart(oneDep), "package-lock.json", "{}", "npm-shrinkwrap.json", "{}"), "npm ", "npm-shrinkwrap.json package.json"},
		{"yarn classic", files("package.json", withStart(oneDep), "yarn.lock", "# yarn lockfile v1\n"), "yarn 1", "package.json yarn.lock"},
		{"yarn before npm", files("package.json", withStart(oneDep), "yarn.lock", "", "package-lock.json", "{}"), "yarn 1", "package.json yarn.lock"},
		{"yarn by packageManager", files("package.json", withStart(oneDep+`, "packageManager": "yarn@1.22.19+sha1.abc"`)), "yarn 1.22.19", "package.json"},
		{"berry by packageManager", files("package.json", withStart(oneDep+`, "packageManager": "yarn@4.1.0"`), "yarn.lock", "", ".yarnrc.yml", linker), "yarn berry 4.1.0", ".yarnrc.yml package.json yarn.lock"},
		{"berry by its lock", files("package.json", withStart(oneDep), "yarn.lock", berryLock, ".yarnrc.yml", linker), "yarn berry 4", ".yarnrc.yml package.json yarn.lock"},
		{"berry without node_modules", files("package.json", withStart(oneDep), "yarn.lock", berryLock), "yarn berry 4 whole: yarn's Plug'n'Play", "package.json yarn.lock"},
		{"pnpm", files("package.json", withStart(oneDep), "pnpm-lock.yaml", "lockfileVersion: '9.0'\n"), "pnpm 10", "package.json pnpm-lock.yaml"},
		{"older pnpm", files("package.json", withStart(oneDep), "pnpm-lock.yaml", "lockfileVersion: '6.0'\n"), "pnpm 8", "package.json pnpm-lock.yaml"},
		{"pnpm by packageManager", files("package.json", withStart(oneDep+`, "packageManager": "pnpm@9.1.0"`), "pnpm-lock.yaml", ""), "pnpm 9.1.0", "package.json pnpm-lock.yaml"},
		{"another manager's version", files("package.json", withStart(oneDep+`, "packageManager": "pnpm@9.1.0"`), "package-lock.json", "{}"), "npm ", "package-lock.json package.json"},
		{"a script of the install", files("package.json", `{"scripts": {"start": "x", "postinstall": "y"}, "dependencies": {"a": "1"}}`), "npm  whole: a postinstall script", "package.json"},
		{"a package in the source", files("package.json", withStart(`, "dependencies": {"a": "file:../a"}`)), "npm  whole: a package in the source (a)", "package.json"},
		{"workspaces", files("package.json", withStart(`, "workspaces": ["a"]`)), "npm  whole: workspaces", "package.json"},
		{"pnpm's settings", files("package.json", withStart(oneDep), "pnpm-lock.yaml", "", "pnpm-workspace.yaml", "onlyBuiltDependencies: []\n"), "pnpm 10", "package.json pnpm-lock.yaml pnpm-workspace.yaml"},
		{"pnpm's workspaces", files("package.json", withStart(oneDep), "pnpm-lock.yaml", "", "pnpm-workspace.yaml", "packages: [a]\n"), "pnpm 10 whole: workspaces", "package.json pnpm-lock.yaml pnpm-workspace.yaml"},
		{"native code", files("package.json", withStart(oneDep), "binding.gyp", ""), "npm  whole: binding.gyp", "package.json"},
	}
	for _, tt := range tests {
		p, err := Node(tt.fsys, sunya.BuildSpec{})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		got := string(p.Manager) + " " + p.Version
		if p.WholeTree {
			got += " whole: " + p.Why
		}
		if diff := cmp.Diff([]string{tt.want, tt.key}, []string{got, strings.Join(p.Manifests, " ")}); diff != "" && p.Manager != NoNode {
			t.Errorf("%s:\n%s", tt.rule, diff)
		}
		if p.Manager == NoNode && tt.want != " " {
			t.Errorf("%s: nothing is installed, want %s", tt.rule, tt.want)
		}
	}
}

func TestNodeScripts(t *testing.T) {
	pkg := func(scripts string) fstest.MapFS {
		return files("server.js", "", "package.json", `{"scripts": {`+scripts+`}, "devDependencies": {"typescript": "5"}}`)
	}
	tests := []struct {
		rule string
		fsys fstest.MapFS
		env  map[string]string
		want string // the scripts; D: with development packages, P: which are pruned, B: by Google's default
	}{
		{"none", pkg(``), nil, ""},
		{"gcp-build", pkg(`"gcp-build": "tsc", "build": "x"`), nil, "gcp-build D P"},
		{"an empty gcp-build", pkg(`"gcp-build": "", "build": "x"`), nil, ""},
		{"build", pkg(`"build": "tsc"`), nil, "build D P B"},
		{"named", pkg(`"build": "tsc", "a": "x", "b": "y"`), map[string]string{"GOOGLE_NODE_RUN_SCRIPTS": "a, b"}, "a b D P"},
		{"none on purpose", pkg(`"build": "tsc"`), map[string]string{"GOOGLE_NODE_RUN_SCRIPTS": ""}, ""},
		{"development on purpose", pkg(`"build": "tsc"`), map[string]string{"NODE_ENV": "development"}, "build D B"},
		{"production on purpose", pkg(`"build": "tsc"`), map[string]string{"NODE_ENV": "production"}, "build B"},
	}
	for _, tt := range tests {
		p, err := Node(tt.fsys, sunya.BuildSpec{Env: tt.env})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		got := strings.Join(p.Scripts, " ")
		if p.Dev {
			got += " D"
		}
		if p.Prune {
			got += " P"
		}
		if p.Default {
			got += " B"
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestNodeStart(t *testing.T) {
	pkg := func(scripts string) string { return `{"scripts": {` + scripts + `}}` }
	tests := []struct {
		rule  string
		fsys  fstest.MapFS
		spec  sunya.BuildSpec
		want  string
		entry string
	}{
		{"the user's line", files("package.json", pkg(`"start": "node a.js"`)), sunya.BuildSpec{Entrypoint: "node b.js --x"}, "exec node b.js --x", "b.js"},
		{"Procfile", files("Procfile", "web: node c.js"), sunya.BuildSpec{}, "exec node c.js", "c.js"},
		{"start", files("server.js", "", "package.json", pkg(`"start": "node ./a.js"`)), sunya.BuildSpec{}, "exec node ./a.js", "a.js"},
		{"start with variables", files("package.json", pkg(`"start": "NODE_ENV=production node --enable-source-maps dist/a.js"`)), sunya.BuildSpec{},
			"exec env NODE_ENV=production node --enable-source-maps dist/a.js", "dist/a.js"},
		{"start with a program of node_modules", files("package.json", pkg(`"start": "next start -p $PORT"`)), sunya.BuildSpec{}, "exec next start -p $PORT", ""},
		{"start of several commands", files("package.json", pkg(`"start": "node m.js && node a.js"`)), sunya.BuildSpec{}, "node m.js && node a.js", "m.js a.js"},
		{"start with an option that takes a word", files("package.json", pkg(`"start": "node -r dotenv/config a.js"`)), sunya.BuildSpec{}, "exec node -r dotenv/config a.js", ""},
		{"start in another folder", files("package.json", pkg(`"start": "cd app && node a.js"`)), sunya.BuildSpec{}, "cd app && node a.js", ""},
		{"prestart", files("package.json", pkg(`"prestart": "echo hi", "start": "node a.js"`)), sunya.BuildSpec{}, "( echo hi\n) || exit $?\nexec node a.js", "a.js"},
		{"a script that runs another", files("package.json", pkg(`"start": "npm run serve", "preserve": "p", "serve": "node s.js"`)), sunya.BuildSpec{}, "( p\n) || exit $?\nexec node s.js", "s.js"},
		{"a circle", files("package.json", pkg(`"start": "npm run start"`)), sunya.BuildSpec{}, "exec npm run start", ""},
		{"with an argument npm is needed", files("package.json", pkg(`"start": "npm run serve -- -x", "serve": "y"`)), sunya.BuildSpec{}, "exec npm run serve -- -x", ""},
		{"server.js", files("server.js", "", "index.js", "", "package.json", `{"main": "index.js"}`), sunya.BuildSpec{}, "exec node server.js", "server.js"},
		{"main", files("lib/app.js", "", "package.json", `{"main": "./lib/app"}`), sunya.BuildSpec{}, "exec node lib/app.js", "lib/app.js"},
		{"main that a script makes", files("package.json", `{"main": "dist/app.js", "scripts": {"build": "tsc"}}`), sunya.BuildSpec{}, "exec node dist/app.js", "dist/app.js"},
		{"main with a space", files("my app.js", "", "package.json", `{"main": "my app.js"}`), sunya.BuildSpec{}, "exec node 'my app.js'", ""},
		{"index.js", files("index.js", ""), sunya.BuildSpec{}, "exec node index.js", "index.js"},
	}
	for _, tt := range tests {
		p, err := Node(tt.fsys, tt.spec)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if diff := cmp.Diff([]string{tt.want, tt.entry}, []string{p.Line, strings.Join(p.Entry, " ")}); diff != "" {
			t.Errorf("%s:\n%s", tt.rule, diff)
		}
	}
}

func TestNodeScriptEnv(t *testing.T) {
	p, err := Node(files("package.json", `{"name": "x", "version": "1.2.3", "config": {"port": 8081, "odd name": "y", "deep": {}}, "scripts": {"start": "node a.js"}}`), sunya.BuildSpec{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"npm_lifecycle_event": "start", "npm_lifecycle_script": "node a.js", "npm_package_json": "/workspace/package.json",
		"INIT_CWD": "/workspace", "npm_package_name": "x", "npm_package_version": "1.2.3", "npm_package_config_port": "8081"}
	if diff := cmp.Diff(want, p.Env); diff != "" {
		t.Error(diff)
	}
}

func TestBadNodeSource(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		want string
	}{
		{"nothing to start", files("a.js", "", "b.js", ""), "neither package.json nor server.js or index.js"},
		{"one program", files("app.js", "", "package.json", "{}"), `add "start": "node app.js" to its scripts`},
		{"main is missing", files("package.json", `{"main": "x.js"}`), "names x.js as main, which is not in the source"},
		{"not JSON", files("package.json", "{\n\"a\": 1,\n}"), "package.json line 3 is not valid JSON"},
		{"not an object", files("package.json", "[]"), "package.json is not valid JSON"},
		{"null", files("package.json", "null"), "not a JSON object"},
		{"Procfile without web", files("server.js", "", "Procfile", "worker: x"), "no web: line"},
	}
	for _, tt := range tests {
		_, err := Node(tt.fsys, sunya.BuildSpec{})
		var e *sunya.Error
		if !errors.As(err, &e) || e.Code != sunya.FailedPrecondition || e.Reason != sunya.ReasonBuildFailed || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v, want BUILD_FAILED with %q", tt.rule, err, tt.want)
		}
	}
}

func TestSemver(t *testing.T) {
	tests := []struct {
		spec, version string
		want          bool
	}{
		{"", "20.1.0", true}, {"20.x", "20.1.0", true}, {"^18 || ^20.2", "20.1.0", false}, {">=18 <21", "20.1.0", true}, {"18 - 19", "20.1.0", false}, {"*", "20.1.0", true}, {"~20.1", "20.1.7", true},
	}
	for _, tt := range tests {
		r, err := ParseSemver(tt.spec)
		v, verr := ParseVersion(tt.version)
		if err != nil || verr != nil || r.Holds(v) != tt.want {
			t.Errorf("%q holds %s = %v, %v %v", tt.spec, tt.version, !tt.want, err, verr)
		}
	}
	r, err := ParseSemver("^20 || >=22.1")
	if err != nil || r.Within(Version{22, -1, -1}) != "22.x ^20 || 22.x >=22.1" {
		t.Errorf("within 22: %q, %v", r.Within(Version{22, -1, -1}), err)
	}
	if _, err := ParseSemver("lts/*"); err == nil {
		t.Error("lts/* is taken for a range")
	}
}

func FuzzNode(f *testing.F) {
	f.Add(`{"name": "x", "main": "a.js", "engines": {"node": "^20"}, "scripts": {"start": "node a.js", "build": "tsc"}, "dependencies": {"a": "1"}, "packageManager": "yarn@4.1.0"}`, "__metadata:\n  version: 8\n", "lockfileVersion: '9.0'\n", "nodeLinker: pnpm\n", "web: node x.js", "")
	f.Add(`{"scripts": {"start": "npm run a", "a": "npm run start"}}`, "", "", "", "", "A=1 node x")
	f.Fuzz(func(t *testing.T, pkg, yarn, pnpm, rc, procfile, entry string) {
		for lock, content := range map[string]string{"yarn.lock": yarn, "pnpm-lock.yaml": pnpm} {
			fsys := files("package.json", pkg, lock, content, ".yarnrc.yml", rc, "index.js", "")
			if procfile != "" {
				fsys["Procfile"] = &fstest.MapFile{Data: []byte(procfile), Mode: 0o644}
			}
			p, err := Node(fsys, sunya.BuildSpec{Entrypoint: entry})
			if err == nil && p.Line == "" {
				t.Error("nothing is started")
			}
			var e *sunya.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("%v has no code", err)
			}
		}
	})
}
