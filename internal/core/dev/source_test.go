package dev

import (
	"slices"
	"strings"
	"testing"
)

func TestOwners(t *testing.T) {
	sources := []Source{
		{"/p", "/p/app.yaml"},
		{"/p", "/p/admin.yaml"},
		{"/p/worker", "/p/worker/app.yaml"},
	}
	tests := []struct {
		path string
		want []int
	}{
		{"/p/main.py", []int{0, 1}},
		{"/p/app.yaml", []int{0}},
		{"/p/admin.yaml", []int{1}},
		{"/p/worker/main.py", []int{2}},
		{"/p/worker/app.yaml", []int{2}},
		{"/p/workers/main.py", []int{0, 1}},
		{"/p/..data", []int{0, 1}},
		{"/p", []int{0, 1}}, // something was lost: look at all of it
		{"/q/main.py", nil},
	}
	for _, tt := range tests {
		if got := Owners(sources, tt.path); !slices.Equal(got, tt.want) {
			t.Errorf("Owners(%s) = %v, want %v", tt.path, got, tt.want)
		}
	}
	if got := Roots(append(sources, Source{"/q", "/q/app.yaml"})); !slices.Equal(got, []string{"/p", "/q"}) {
		t.Errorf("Roots = %v", got)
	}
}

func TestScratch(t *testing.T) {
	for path, want := range map[string]bool{
		"main.py": false, ".main.py.swp": true, "lib/.x.swx": true, "main.py~": true, "#main.py#": true,
		".#main.py": true, "4913": true, "a/4913": true, "14913": false, ".git/index": true, ".gitignore": false,
		"x.git": false, "a/main.py___jb_tmp___": true, ".env": false, ".git": true, "swp": false,
	} {
		if got := Scratch(path); got != want {
			t.Errorf("Scratch(%s) = %v", path, got)
		}
	}
}

var located = []struct {
	name, log string
	want      Place
}{
	{"python, innermost last", `Traceback (most recent call last):
  File "/layers/python/lib/python3.11/site-packages/gunicorn/util.py", line 420, in import_app
    mod = importlib.import_module(module)
  File "/workspace/main.py", line 4, in <module>
    go()
  File "/workspace/lib/deep.py", line 3, in go
    raise ValueError("boom: main.py:99")
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
ValueError: boom`, Place{"lib/deep.py", 3}},
	{"python compiler", "error: main.py:7: SyntaxError: invalid syntax", Place{"main.py", 7}},
	{"go compiler, the first error", "# example.com/app\n./main.go:8:2: undefined: x\n./main.go:11:2: undefined: y", Place{"main.go", 8}},
	{"node", "file:///workspace/index.js:3\nthrow new Error('no')\n    at go (/workspace/lib/deep.js:9:1)", Place{"index.js", 3}},
	{"node stack", "Error: no\n    at Module._compile (node:internal/modules/cjs/loader:1565:14)\n    at Object.<anonymous> (/workspace/lib/deep.js:5:7)", Place{"lib/deep.js", 5}},
	{"php", "PHP Parse error:  syntax error, unexpected end of file in /workspace/index.php on line 12", Place{"index.php", 12}},
	{"typescript", "src/app.ts:4:7 - error TS2322: Type 'string' is not assignable", Place{"src/app.ts", 4}},
	{"a file of the machine", `File "/usr/lib/python3/main.py", line 3`, Place{}},
	{"not a line", "main.py:0 main.py:99999999999999999999", Place{}},
	{"a time", "2026-11-24 15:06:26 listening", Place{}},
	{"nothing", "", Place{}},
}

func inSource(path string) bool {
	return slices.Contains([]string{"main.py", "lib/deep.py", "main.go", "index.js", "lib/deep.js", "index.php", "src/app.ts"}, path)
}

func TestLocate(t *testing.T) {
	for _, tt := range located {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Locate(strings.Split(tt.log, "\n"), "/workspace", inSource)
			if got != tt.want || ok != (tt.want.Line > 0) {
				t.Errorf("Locate = %v %v, want %v", got, ok, tt.want)
			}
		})
	}
}

func FuzzLocate(f *testing.F) {
	for _, tt := range located {
		f.Add(tt.log)
	}
	f.Fuzz(func(t *testing.T, log string) {
		p, ok := Locate(strings.Split(log, "\n"), "/workspace", inSource)
		if ok && (!inSource(p.File) || p.Line < 1) || !ok && p != (Place{}) {
			t.Errorf("Locate = %v %v", p, ok)
		}
	})
}
