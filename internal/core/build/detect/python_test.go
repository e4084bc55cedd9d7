package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// files is a source tree: path to content.
func files(kv ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(kv); i += 2 {
		fsys[kv[i]] = &fstest.MapFile{Data: []byte(kv[i+1]), Mode: 0o644}
	}
	return fsys
}

var py311 = Version{3, 11, -1}

func TestManifestOrder(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		want Manager
		key  string // manifests in the key
	}{
		{"none", files(), NoManager, ""},
		{"requirements first", files("requirements.txt", "", "pyproject.toml", "", "uv.lock", "", "Pipfile", ""), Requirements, "requirements.txt"},
		{"a lock before its project", files("uv.lock", "", "pyproject.toml", ""), UVLock, "pyproject.toml uv.lock"},
		{"poetry", files("poetry.lock", "", "pyproject.toml", ""), PoetryLock, "poetry.lock pyproject.toml"},
		{"pylock", files("pylock.toml", "", "pyproject.toml", ""), PyLock, "pylock.toml pyproject.toml"},
		{"project", files("pyproject.toml", "", "Pipfile", ""), PyProject, "pyproject.toml"},
		{"pipenv", files("Pipfile", ""), Pipfile, "Pipfile"},
		{"pipenv with a lock", files("Pipfile", "", "Pipfile.lock", ""), Pipfile, "Pipfile Pipfile.lock"},
	}
	for _, tt := range tests {
		tt.fsys["main.py"] = &fstest.MapFile{Mode: 0o644}
		p, err := Python(tt.fsys, sunya.BuildSpec{}, py311)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if got := strings.Join(p.Manifests, " "); p.Manager != tt.want || got != tt.key {
			t.Errorf("%s: %q with key of %q, want %q with %q", tt.rule, p.Manager, got, tt.want, tt.key)
		}
	}
}

func TestEntrypoint(t *testing.T) {
	tests := []struct {
		rule  string
		fsys  fstest.MapFS
		spec  sunya.BuildSpec
		minor int
		want  string
		extra string
		entry string
	}{
		{"main.py", files("main.py", "", "app.py", ""), sunya.BuildSpec{}, 11, "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 main:app", "gunicorn", "main.py"},
		{"only app.py", files("app.py", ""), sunya.BuildSpec{}, 11, "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 app:app", "gunicorn", "app.py"},
		{"gunicorn is there", files("main.py", "", "requirements.txt", "Gunicorn>=20\n"), sunya.BuildSpec{}, 11, "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 main:app", "", "main.py"},
		{"the user's line", files("main.py", "", "Procfile", "web: x"), sunya.BuildSpec{Entrypoint: "gunicorn -b :$PORT pkg.wsgi:application"}, 11, "exec gunicorn -b :$PORT pkg.wsgi:application", "", ""},
		{"its module is checked", files("pkg/wsgi.py", ""), sunya.BuildSpec{Entrypoint: "gunicorn -b :$PORT pkg.wsgi:application"}, 11, "exec gunicorn -b :$PORT pkg.wsgi:application", "", "pkg/wsgi.py"},
		{"its script is checked", files("run.py", ""), sunya.BuildSpec{Entrypoint: "python ./run.py --x"}, 11, "exec python ./run.py --x", "", "run.py"},
		{"build variable", files("Procfile", "web: x"), sunya.BuildSpec{Env: map[string]string{"GOOGLE_ENTRYPOINT": "y"}}, 11, "exec y", "", ""},
		{"Procfile", files("Procfile", "release: z\nweb:  python app.py\n", "app.py", ""), sunya.BuildSpec{}, 11, "exec python app.py", "", "app.py"},
		{"a list of commands stays", files(), sunya.BuildSpec{Entrypoint: "cd x && y"}, 11, "cd x && y", "", ""},
		{"an assignment goes before", files(), sunya.BuildSpec{Entrypoint: "A=1 y"}, 11, "exec env A=1 y", "", ""},
		{"an exec stays", files(), sunya.BuildSpec{Entrypoint: "exec y"}, 11, "exec y", "", ""},
		{"uvicorn since 3.13", files("main.py", "", "requirements.txt", "uvicorn\n"), sunya.BuildSpec{}, 13, "exec uvicorn main:app --port $PORT --host 0.0.0.0", "", "main.py"},
		{"fastapi[standard] since 3.13", files("main.py", "", "pyproject.toml", "[project]\ndependencies=['FastAPI[all,standard]>=0.1']"), sunya.BuildSpec{}, 13, "exec uvicorn main:app --port $PORT --host 0.0.0.0", "", "main.py"},
		{"gunicorn before uvicorn", files("main.py", "", "requirements.txt", "uvicorn\ngunicorn\n"), sunya.BuildSpec{}, 13, "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 main:app", "", "main.py"},
		{"no uvicorn before 3.13", files("main.py", "", "requirements.txt", "uvicorn\n"), sunya.BuildSpec{}, 12, "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 main:app", "gunicorn", "main.py"},
	}
	for _, tt := range tests {
		p, err := Python(tt.fsys, tt.spec, Version{3, tt.minor, -1})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		got := []string{p.Command[2], strings.Join(p.Extra, " "), strings.Join(p.Entry, " ")}
		if diff := cmp.Diff([]string{tt.want, tt.extra, tt.entry}, got); diff != "" {
			t.Errorf("%s:\n%s", tt.rule, diff)
		}
	}
}

func TestBadSource(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		want string
	}{
		{"nothing to start", files("requirements.txt", ""), "neither main.py nor app.py"},
		{"Procfile without web", files("main.py", "", "Procfile", "worker: x"), "no web: line"},
		{"missing include", files("main.py", "", "requirements.txt", "flask\n-r more.txt\n"), "requirements.txt line 2 names more.txt, which is not in the source"},
		{"include outside", files("main.py", "", "requirements.txt", "-r ../more.txt\n"), "outside of the source"},
		{"bad TOML", files("main.py", "", "pyproject.toml", "[project\n"), "pyproject.toml is not valid"},
		{"packages that only poetry finds", files("main.py", "", "pyproject.toml", "[tool.poetry.dependencies]\npython='^3.11'\nflask='*'"), "run poetry lock"},
		{"bad requires-python", files("main.py", "", "pyproject.toml", "[project]\nrequires-python='three'"), "requires-python"},
		{"bad Pipfile", files("main.py", "", "Pipfile", "[[[[\n"), "Pipfile is not valid TOML"},
		{"odd Pipfile version", files("main.py", "", "Pipfile", "[requires]\npython_version='3.1.2.3.4'\n"), "python_version"},
	}
	for _, tt := range tests {
		_, err := Python(tt.fsys, sunya.BuildSpec{}, py311)
		var e *sunya.Error
		if !errors.As(err, &e) || e.Code != sunya.FailedPrecondition || e.Reason != sunya.ReasonBuildFailed || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v, want BUILD_FAILED with %q", tt.rule, err, tt.want)
		}
	}
}

func TestRequirements(t *testing.T) {
	fsys := files(
		"requirements.txt", "# head\nFlask==3.0 # web\n\nzope.interface[x] >=5 ; python_version<'4'\n-r sub/more.txt\n-c sub/pins.txt\nhttps://x/y.whl#sha256=1\nlong \\\n  --hash=sha256:1\n",
		"sub/more.txt", "six\n-r more.txt\n--requirement=deep.txt\n", "sub/deep.txt", "attrs\r\n", "sub/pins.txt", "six==1\n")
	r, err := readRequirements(fsys, "requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"requirements.txt", "sub/more.txt", "sub/deep.txt", "sub/pins.txt"}, r.files); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"flask": "requirements.txt line 2", "zope-interface": "requirements.txt line 4", "long": "requirements.txt line 8",
		"six": "sub/pins.txt line 1", "attrs": "sub/deep.txt line 1"}
	if diff := cmp.Diff(want, r.lines); diff != "" {
		t.Error(diff)
	}
	if !r.hashes || r.local {
		t.Errorf("hashes %v, local %v", r.hashes, r.local)
	}
}

func TestLocalRequirements(t *testing.T) {
	for line, want := range map[string]bool{".": true, "-e .": true, "./lib": true, "../lib": true, "lib @ file:///workspace/lib": true, ".[x]": true,
		"flask": false, "x @ https://host/x": false, "--extra-index-url https://x": false, "-r more.txt": false} {
		r, err := readRequirements(files("requirements.txt", line, "more.txt", ""), "requirements.txt")
		if err != nil || r.local != want {
			t.Errorf("%q: local %v, %v", line, r.local, err)
		}
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		spec, version string
		want          bool
	}{
		{"", "3.6.0", true}, {">=3.9", "3.9.0", true}, {">=3.9", "3.8.9", false}, {">=3.9,<3.12", "3.12.0", false}, {">=3.9, <3.12", "3.11.9", true},
		{"~=3.9", "3.12.1", true}, {"~=3.9", "4.0.0", false}, {"~=3.9.2", "3.9.9", true}, {"~=3.9.2", "3.10.0", false},
		{"==3.11.*", "3.11.7", true}, {"==3.11.*", "3.12.7", false}, {"!=3.11.*", "3.11.7", false}, {"==3.11.7", "3.11.7", true}, {"==3", "3.11.7", false}, {"==3.*", "3.11.7", true},
		{">3.10", "3.10.1", true}, {"<=3.10", "3.10.1", false}, {"===3.10.1", "3.10.1", true},
	}
	for _, tt := range tests {
		r, err := ParseRange(tt.spec)
		v, verr := ParseVersion(tt.version)
		if err != nil || verr != nil || r.Holds(v) != tt.want {
			t.Errorf("%q holds %s = %v, %v %v", tt.spec, tt.version, !tt.want, err, verr)
		}
	}
}

func FuzzVersion(f *testing.F) {
	for _, s := range []string{"3.11", "3.11.7", "3.11.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVersion(s)
		if err != nil {
			return
		}
		if again, err := ParseVersion(v.String()); err != nil || again != v {
			t.Errorf("%q -> %v -> %v, %v", s, v, again, err)
		}
	})
}

func FuzzPython(f *testing.F) {
	f.Add("flask\n-r x\n", "[project]\nrequires-python='>=3'\n", "[packages]\nx='*'\n[requires]\npython_version='3.11'", "web: x", "y", ">=3.1")
	f.Fuzz(func(t *testing.T, req, proj, pipfile, procfile, entry, rng string) {
		for _, name := range []string{"requirements.txt", "pyproject.toml", "Pipfile"} {
			fsys := files("main.py", "", "Procfile", procfile, name, map[string]string{"requirements.txt": req, "pyproject.toml": proj, "Pipfile": pipfile}[name])
			p, err := Python(fsys, sunya.BuildSpec{Entrypoint: entry}, py311)
			if err == nil && len(p.Command) != 3 {
				t.Errorf("command %q", p.Command)
			}
			var e *sunya.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("%v has no code", err)
			}
		}
		if r, err := ParseRange(rng); err == nil {
			r.Holds(py311)
		}
	})
}
