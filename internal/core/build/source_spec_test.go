package build_test

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestSourceSpec(t *testing.T) {
	b := newBench(t, nil)
	for _, tt := range []struct {
		name                string
		files               map[string]string
		env                 map[string]string
		runtime, entry, bad string
	}{
		{"python", map[string]string{"main.py": ""}, nil, "python311", "", ""},
		{"newest node", map[string]string{"package.json": "{}"}, nil, "nodejs20", "", ""},
		{"runtime named", map[string]string{"main.py": ""}, map[string]string{"GOOGLE_RUNTIME": "nodejs18"}, "nodejs18", "", ""},
		{"language named", map[string]string{"a.txt": ""}, map[string]string{"GOOGLE_RUNTIME": "python"}, "python311", "", ""},
		{"Procfile", map[string]string{"main.py": "", "Procfile": "web: python3 main.py"}, nil, "python311", "python3 main.py", ""},
		{"entrypoint wins", map[string]string{"main.py": "", "Procfile": "web: x"}, map[string]string{"GOOGLE_ENTRYPOINT": "y"}, "python311", "y", ""},
		{"project.toml", map[string]string{"main.py": "", "project.toml": "[[build.env]]\nname='GOOGLE_ENTRYPOINT'\nvalue='z'"}, nil, "python311", "z", ""},
		{"nothing", map[string]string{"README": ""}, nil, "", "", "language"},
		{"not here", map[string]string{"main.go": ""}, nil, "", "", "does not have"},
		{"unknown", map[string]string{"main.go": ""}, map[string]string{"GOOGLE_RUNTIME": "cobol"}, "", "", "unknown runtime"},
	} {
		fsys := fstest.MapFS{}
		for name, text := range tt.files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		spec, err := b.SourceSpec(fsys, tt.env)
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.bad)
			}
			continue
		}
		if err != nil || spec.Runtime != tt.runtime || spec.Entrypoint != tt.entry {
			t.Errorf("%s: %+v, %v", tt.name, spec, err)
		}
	}
}
