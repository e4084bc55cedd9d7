package detect

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestNodeFunction(t *testing.T) {
	const listed = `"dependencies": {"@google-cloud/functions-framework": "^5"}`
	tests := []struct {
		rule  string
		files []string
		env   string // GOOGLE_FUNCTION_SOURCE
		want  string // "ENTRY LINE", or the error
	}{
		{"one file alone", []string{"index.js", ""}, "", "index.js exec /node_modules/.bin/functions-framework"},
		{"the last name that is tried", []string{"function.js", ""}, "", "function.js exec /node_modules/.bin/functions-framework"},
		{"main", []string{"package.json", `{"main": "./src/a", "scripts": {"start": "node b.js"}}`, "src/a.js", "", "index.js", "", "server.js", ""}, "", "src/a.js exec /node_modules/.bin/functions-framework"},
		{"the framework is listed", []string{"package.json", "{" + listed + "}", "index.js", ""}, "", "index.js exec /workspace/node_modules/.bin/functions-framework"},
		{"main is made by a script", []string{"package.json", `{"main": "dist/a.js", "scripts": {"build": "tsc"}}`}, "", "dist/a.js exec /node_modules/.bin/functions-framework"},
		{"main that is not there", []string{"package.json", `{"main": "a.js"}`, "index.js", ""}, "", "package.json names a.js as main, which is not in the source"},
		{"nothing", []string{"server.js", ""}, "", "neither index.js nor function.js"},
		{"Python's variable", []string{"index.js", ""}, "a.js", "name a.js as main in package.json"},
		{"Plug'n'Play", []string{"package.json", "{" + listed + "}", "yarn.lock", "\n__metadata:\n", "index.js", ""}, "", "nodeLinker: node-modules"},
	}
	for _, tt := range tests {
		spec := sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: "f"}, Env: map[string]string{"GOOGLE_FUNCTION_SOURCE": tt.env}}
		got := ""
		p, err := Node(files(tt.files...), spec)
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(p.Entry, " ") + " " + p.Line
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestPythonFallback(t *testing.T) {
	for src, want := range map[string]string{
		"def function(r):\n  pass":                 "function",
		"async def function(r):\n  pass":           "function",
		"def hello(r):\n  pass":                    "hello",
		"def other(r):\n  pass":                    "hello",
		"hello = 1\ndef function(r):\n  pass":      "hello",
		"from x import *\ndef function(r): return": "hello",
		"class A:\n  def function(r):\n    pass":   "hello",
	} {
		p, err := Python(files("main.py", src), sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: "hello", Fallback: "function"}}, Version{3, 11, -1})
		if err != nil || p.Function != want {
			t.Errorf("%q: %+v, %v, want %s", src, p, err, want)
		}
	}
}
