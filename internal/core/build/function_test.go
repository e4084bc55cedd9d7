package build_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
)

func function(target string) func(*build.Request) {
	return func(r *build.Request) {
		r.Spec = sunya.BuildSpec{Runtime: "nodejs20", Function: &sunya.FunctionSpec{Target: target, Fallback: "function"}}
	}
}

// value is that of a variable in a result.
func value(res *build.Result, name string) string {
	i := slices.IndexFunc(res.Env, func(v sunya.EnvVar) bool { return v.Name == name })
	if i < 0 {
		return ""
	}
	return res.Env[i].Value
}

func TestNodeFunctionBuild(t *testing.T) {
	b := newNodeBench(t, "index.js", "exports.a = 1; exports.function = 2")
	os.Remove(filepath.Join(b.src, "requirements.txt"))
	for _, tt := range []struct {
		target, want string
		kinds        []string
	}{
		{"a", "a", []string{"check", "?"}}, // the framework is fetched once
		{"b", "function", []string{"check"}},
		{"b", "function", nil},
	} {
		res, err := b.build(t, function(tt.target))
		if err != nil {
			t.Fatal(err)
		}
		if got := value(res, "FUNCTION_TARGET"); got != tt.want || value(res, "FUNCTION_SIGNATURE_TYPE") != "http" {
			t.Errorf("%s: %s %v", tt.target, got, res.Env)
		}
		if diff := cmp.Diff(tt.kinds, b.nodeKinds()); diff != "" {
			t.Errorf("%s: %s", tt.target, diff)
		}
		if ls := res.Image.Layers; len(ls) != 2 || ls[0].Target != "/node_modules" || ls[1].Target != "/workspace" {
			t.Errorf("layers %+v", ls)
		}
	}
	b.put(t, "index.js", "exports.a = 1")
	if _, err := b.build(t, function("b")); sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "function b is not in index.js; found: a") {
		t.Errorf("missing: %v", err)
	}
}

func TestFunctionRuntimes(t *testing.T) {
	b := newBench(t, nodeWorks)
	have := b.Functions()
	for _, id := range []string{"python37", "python315", "nodejs10", "nodejs22", "go113", "go127", "java11", "java25", "php82", "ruby33"} {
		if !slices.Contains(have, id) {
			t.Errorf("no %s in %v", id, have)
		}
	}
}

func TestJavaFunctionBuild(t *testing.T) {
	b, _ := newJavaBench(t, mavenWorks("target/app.jar"))
	b.put(t, "pom.xml", "<project/>")
	_, err := b.build(t, func(r *build.Request) {
		r.Spec = sunya.BuildSpec{Runtime: "java17", Function: &sunya.FunctionSpec{Target: "a.Hello"}}
	})
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "class a.Hello is not in target/app.jar; classes that implement a function there: none") {
		t.Errorf("missing: %v", err)
	}
	if args := b.engine.starts[0].Args; !slices.Contains(args, "dependency:copy-dependencies") {
		t.Errorf("Maven is not told to copy what the function stands on: %q", args)
	}
}

func TestAskedSignature(t *testing.T) {
	b := newNodeBench(t, "index.js", "exports.a = 1")
	for asked, want := range map[string]string{"": "http", "cloudevent": "cloudevent", "pubsub": `"pubsub" is not a signature`} {
		res, err := b.build(t, function("a"), func(r *build.Request) {
			r.Spec.Env = map[string]string{"GOOGLE_FUNCTION_SIGNATURE_TYPE": asked}
		})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = value(res, "FUNCTION_SIGNATURE_TYPE")
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", asked, got, want)
		}
	}
}
