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

// node builds what a user does wrong with the real npm, and a smallest app.
func (s *sandboxed) node(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIP: no npm on this machine")
	}
	lock := `{"name": "x", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "x"}}}`
	tests := []struct {
		rule  string
		files map[string]string
		want  string
	}{
		{"syntax error", map[string]string{"server.js": "function f() {\n  return (1\n}\n"}, "server.js:3: SyntaxError"},
		{"syntax error in a module", map[string]string{"server.js": "import x from 'node:http'\nexport {\n", "package.json": `{"type": "module"}`}, "server.js:3: SyntaxError"},
		{"unknown package", map[string]string{"server.js": "1", "package.json": `{"dependencies": {"sunya-no-such-package-x": "1"}}`}, "there is no package `sunya-no-such-package-x`"},
		{"unknown version", map[string]string{"server.js": "1", "package.json": `{"dependencies": {"ms": "99.0.0"}}`}, "package `ms` has no version 99.0.0"},
		{"lock out of date", map[string]string{"server.js": "1", "package.json": `{"dependencies": {"ms": "2.1.3"}}`, "package-lock.json": lock}, "the lock file does not fit package.json"},
		{"a script that fails", map[string]string{"server.js": "1", "package.json": `{"scripts": {"gcp-build": "echo 'error: no such thing'; exit 3"}}`}, "the script gcp-build of package.json failed: error: no such thing"},
		{"a script that is missing", map[string]string{"server.js": "1", "package.json": `{}`, "env": "GOOGLE_NODE_RUN_SCRIPTS=nope"}, "package.json has no script nope"},
	}
	for i, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			dir := filepath.Join(s.data, "node"+strconv.Itoa(i))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{}
			for name, content := range tt.files {
				if name == "env" {
					name, value, _ := strings.Cut(content, "=")
					env[name] = value
					continue
				}
				write(t, dir, name, content)
			}
			var log bytes.Buffer
			r := request(dir, env, &log)
			r.Spec.Runtime = "nodejs20"
			_, err := s.Build(t.Context(), r)
			var e *build.Error
			if !errors.As(err, &e) || !strings.HasPrefix(e.Err.Message, tt.want) {
				t.Errorf("%v, want %q\n%s", err, tt.want, log.String())
			}
		})
	}
}
