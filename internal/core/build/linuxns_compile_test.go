package build_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// badPrograms is what a user of a compiled language does wrong, seen by the
// real tools.
func (s *sandboxed) badPrograms(t *testing.T) {
	const mod, pom = "module example.com/app\n\ngo 1.20\n", "../../../examples/hello-java/pom.xml"
	project, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule, runtime, tool string
		files               map[string]string
		want                string
	}{
		{"Go: compile error", "go125", "go", map[string]string{"go.mod": mod, "main.go": "package main\n\nfunc main() {\n\tx\n}\n"}, "go build failed: main.go:4:2: undefined: x"},
		{"Go: no such module", "go125", "go", map[string]string{"go.mod": mod, "go.sum": "", "main.go": "package main\n\nimport _ \"example.com/none\"\n\nfunc main() {}\n"},
			"go build failed: main.go:3:8: no required module provides package example.com/none; to add it: go get example.com/none"},
		{"Go: no go.mod", "go125", "go", map[string]string{"main.go": "package main\n\nimport _ \"example.com/none\"\n\nfunc main() {}\n"},
			"go build failed: main.go:3:8: the package example.com/none is not in the source, which has no go.mod"},
		{"Go: not main after all", "go125", "go", map[string]string{"go.mod": mod, "_main-package-path": "example.com/app/lib", "lib/l.go": "package lib\n"}, "example.com/app/lib is not a package main"},
		{"Java: compile error", "java17", "mvn", map[string]string{"pom.xml": string(project), "src/main/java/Hello.java": "class Hello {\n  int a = b;\n}\n"},
			"the program does not compile: src/main/java/Hello.java:2: cannot find symbol: variable b"},
		{"Java: broken pom.xml", "java17", "mvn", map[string]string{"pom.xml": "<project><x></y>"}, "Maven failed: pom.xml: "},
	}
	for i, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if _, err := exec.LookPath(tt.tool); err != nil {
				t.Skipf("SKIP: no %s on this machine", tt.tool)
			}
			dir := filepath.Join(s.data, "program"+strconv.Itoa(i))
			for name, content := range tt.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				write(t, dir, name, content)
			}
			var log bytes.Buffer
			r := request(dir, nil, &log)
			r.Spec.Runtime = tt.runtime
			_, err := s.Build(t.Context(), r)
			var e *build.Error
			if !errors.As(err, &e) || !strings.Contains(e.Err.Message, tt.want) {
				t.Errorf("%v, want %q\n%s", err, tt.want, log.String())
			}
		})
	}
}
