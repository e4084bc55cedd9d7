package detect_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

func TestLanguage(t *testing.T) {
	for _, tt := range []struct{ files, want string }{
		{"main.go", "go"},
		{"go.mod package.json", "go"},
		{"pom.xml", "java"},
		{"package.json requirements.txt", "nodejs"},
		{"main.py", "python"},
		{"requirements.txt", "python"},
		{"Gemfile", "ruby"},
		{"index.php", "php"},
		{"sub/main.py README", ""},
		{"", ""},
	} {
		fsys := fstest.MapFS{}
		for _, f := range strings.Fields(tt.files) {
			fsys[f] = &fstest.MapFile{}
		}
		got, err := detect.Language(fsys)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: %q, %v, want %q", tt.files, got, err, tt.want)
		}
	}
}

func TestProcfile(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		ok, bad    bool
	}{
		{"web: gunicorn -b :$PORT app:app\nworker: x", "gunicorn -b :$PORT app:app", true, false},
		{"worker: x\n web :  python a.py  ", "python a.py", true, false},
		{"worker: x", "", false, true},
		{"", "", false, true},
	} {
		got, ok, err := detect.Procfile(fstest.MapFS{"Procfile": {Data: []byte(tt.text)}})
		if got != tt.want || ok != tt.ok || (err != nil) != tt.bad {
			t.Errorf("%q: %q, %v, %v", tt.text, got, ok, err)
		}
	}
	if _, ok, err := detect.Procfile(fstest.MapFS{}); ok || err != nil {
		t.Errorf("no Procfile: %v, %v", ok, err)
	}
}

func TestProjectEnv(t *testing.T) {
	text := "[[build.env]]\nname='A'\nvalue='1'\n[[io.buildpacks.build.env]]\nname='B'\nvalue='2'\n"
	env, err := detect.ProjectEnv(fstest.MapFS{"project.toml": {Data: []byte(text)}})
	if diff := cmp.Diff(map[string]string{"A": "1", "B": "2"}, env); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"[[build.env]]\nvalue='1'", "[", "build=1"} {
		if _, err := detect.ProjectEnv(fstest.MapFS{"project.toml": {Data: []byte(bad)}}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzProjectEnv(f *testing.F) {
	f.Add("[[build.env]]\nname='A'\nvalue='1'\n", "web: x")
	f.Fuzz(func(_ *testing.T, project, procfile string) {
		fsys := fstest.MapFS{"project.toml": {Data: []byte(project)}, "Procfile": {Data: []byte(procfile)}}
		_, _ = detect.ProjectEnv(fsys)
		_, _, _ = detect.Procfile(fsys)
	})
}
