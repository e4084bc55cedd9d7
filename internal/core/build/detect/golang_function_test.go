package detect

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sunya-cloud/sunya"
)

const (
	goFnMod  = "module example.com/f\n\ngo 1.21\n"
	goPlain  = "package f\nimport (\"context\"; \"net/http\"; ce \"github.com/cloudevents/sdk-go/v2\")\nfunc Hello(w http.ResponseWriter, r *http.Request) {}\nfunc OnEvent(_ context.Context, e ce.Event) error { return nil }\nfunc OnMessage(ctx context.Context, m struct{}) error { return nil }\nfunc Helper(a, b int) error { return nil }\nfunc hidden() {}\nvar Wrapped = wrap()\ntype T int\nfunc (T) Method(w http.ResponseWriter, r *http.Request) {}\n"
	goListed = goFnMod + "require github.com/GoogleCloudPlatform/functions-framework-go v1.9.2\n"
)

func TestGoFunction(t *testing.T) {
	register := func(call string) string {
		return "package f\nimport \"github.com/GoogleCloudPlatform/functions-framework-go/functions\"\nfunc init() { " + call + " }\n"
	}
	tests := []struct {
		rule, target string
		files        []string
		want         string // "TARGET SIGNATURE declared|plain", or the error
	}{
		{"HTTP", "Hello", []string{"go.mod", goFnMod, "f.go", goPlain}, "Hello http plain"},
		{"CloudEvent", "OnEvent", []string{"go.mod", goFnMod, "f.go", goPlain}, "OnEvent cloudevent plain"},
		{"background event", "OnMessage", []string{"go.mod", goFnMod, "f.go", goPlain}, "OnMessage event plain"},
		{"a variable", "Wrapped", []string{"go.mod", goFnMod, "f.go", goPlain}, "Wrapped  plain"},
		{"other parameters are the framework's to refuse", "Helper", []string{"go.mod", goFnMod, "f.go", goPlain}, "Helper  plain"},
		{"missing", "nope", []string{"go.mod", goFnMod, "f.go", goPlain, "f_test.go", "package f\nfunc nope() {}"}, "function nope is not in package f; found: Hello, OnEvent, OnMessage ("},
		{"a method is no function", "Method", []string{"go.mod", goFnMod, "f.go", goPlain}, "function Method is not in package f"},
		{"registered", "nope", []string{"go.mod", goListed, "f.go", goPlain, "i.go", register(`functions.HTTP("nope", Hello)`)}, "nope http declared"},
		{"registered under its own name", "Hello", []string{"go.mod", goListed, "f.go", goPlain, "i.go", register(`functions.CloudEvent("Hello", OnEvent)`)}, "Hello cloudevent declared"},
		{"registered under a computed name", "nope", []string{"go.mod", goListed, "f.go", goPlain, "i.go", register(`functions.HTTP(name, Hello)`)}, "nope  declared"},
		{"registered in another package", "nope", []string{"go.mod", goListed, "f.go", goPlain, "sub/i.go", register(`functions.HTTP("nope", nil)`)}, "nope  declared"},
		{"in place of the name", "hello-world", []string{"go.mod", goListed, "f.go", goPlain, "i.go", register(`functions.HTTP("function", Hello)`)}, "function http declared"},
		{"does not parse", "nope", []string{"go.mod", goFnMod, "f.go", "package f\nfunc {"}, "nope  declared"},
		{"package main", "Hello", []string{"go.mod", goFnMod, "f.go", "package main"}, "cannot be in a package main"},
		{"no files", "Hello", []string{"go.mod", goFnMod, "sub/f.go", goPlain}, "no Go files in its first folder"},
		{"no go.mod", "Hello", []string{"f.go", goPlain}, "the source has no go.mod"},
		{"an old framework", "Hello", []string{"go.mod", strings.Replace(goListed, "v1.9.2", "v1.0.1", 1), "f.go", goPlain}, "v1.0.1, which is too old"},
		{"vendored without it", "Hello", []string{"go.mod", goListed, "f.go", goPlain, "vendor/modules.txt", ""}, "the vendor folder does not have github.com/GoogleCloudPlatform/functions-framework-go/funcframework"},
		{"vendored", "Hello", []string{"go.mod", goListed, "f.go", goPlain, "vendor/" + goServer + "/x.go", "package funcframework"}, "Hello http plain"},
	}
	for _, tt := range tests {
		got := ""
		p, err := Go(files(tt.files...), sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: tt.target, Fallback: "function"}})
		if err != nil {
			got = err.Error()
		} else {
			got = p.Function.Target + " " + p.Function.Signature + " " + map[bool]string{true: "declared", false: "plain"}[p.Function.Declared]
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func FuzzGoFunction(f *testing.F) {
	f.Add(goPlain, "Hello")
	f.Add("package f\nimport . \"github.com/GoogleCloudPlatform/functions-framework-go/functions\"\nfunc init() { HTTP(`x`, nil) }", "x")
	f.Fuzz(func(t *testing.T, src, target string) {
		fsys := fstest.MapFS{"go.mod": {Data: []byte(goFnMod), Mode: 0o644}, "f.go": {Data: []byte(src), Mode: 0o644}}
		p, err := Go(fsys, sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: target}})
		if err == nil && p.Function.Target != target {
			t.Errorf("target %q", p.Function.Target)
		}
	})
}
