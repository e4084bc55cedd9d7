//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestBadInput: each mistake gets its exit code and an error that names the
// thing, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	yaml := "runtime: python311\n"
	own := yaml + "entrypoint: python3 main.py\n"
	for _, c := range []struct {
		name string
		tree map[string]string
		code int
		want []string // all of these in stderr
	}{
		{"malformed YAML", map[string]string{"app.yaml": "runtime: [python311\n"}, 2, []string{"app.yaml", "line"}},
		{"no app.yaml", map[string]string{"main.py": ""}, 2, []string{"app.yaml"}},
		{"unknown key", map[string]string{"app.yaml": yaml + "instance_clas: F1\n"}, 2, []string{"instance_clas", "instance_class", "line 2"}},
		{"unknown runtime", map[string]string{"app.yaml": "runtime: cobol60\n", "main.py": ""}, 2, []string{"cobol60", "python"}},
		{"first generation", map[string]string{"app.yaml": "runtime: python27\n", "main.py": ""}, 2, []string{"python27"}},
		{"wrong value", map[string]string{"app.yaml": yaml + "instance_class: F9\n"}, 2, []string{"instance_class", "F9", "F1"}},
		{"requirements name a missing file", map[string]string{"app.yaml": yaml, "main.py": "app = None\n", "requirements.txt": "-r more.txt\n"}, 6, []string{"more.txt"}},
		{"a package that does not exist", map[string]string{"app.yaml": yaml, "main.py": "app = None\n", "requirements.txt": "sunya-no-such-package-xyz==1.0\n"}, 6, []string{"sunya-no-such-package-xyz"}},
		{"syntax error", map[string]string{"app.yaml": own, "main.py": "def f(:\n  pass\n"}, 6, []string{"main.py:1", "SyntaxError"}},
		{"exits", map[string]string{"app.yaml": own, "main.py": "import sys\nprint('giving up', flush=True)\nsys.exit(3)\n"}, 7, []string{"exit", "3", "giving up"}},
		{"cannot be imported", map[string]string{"app.yaml": yaml, "main.py": "import os\n\nif os.environ.get('PORT'):\n    raise RuntimeError('no configuration')\napp = None\n", "requirements.txt": "gunicorn\n"}, 7, []string{"RuntimeError: no configuration"}},
		{"listens elsewhere", map[string]string{"app.yaml": own, "main.py": "import http.server\nhttp.server.HTTPServer(('', 5000), http.server.SimpleHTTPRequestHandler).serve_forever()\n"}, 7, []string{"5000", "8080"}},
		{"odd service name", map[string]string{"app.yaml": own + "service: Ünï_code\n", "main.py": ""}, 2, []string{"service"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.code == 7 {
				t.Skip("waits for a start timeout")
			}
			r := s.CLI("app", "deploy", platform.Files(t, c.tree), "--quiet")
			if r.Code != c.code {
				t.Errorf("exit %d, want %d", r.Code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(r.Stderr, w) {
					t.Errorf("stderr does not mention %q", w)
				}
			}
			if !strings.Contains(r.Stderr, "ERROR:") {
				t.Error("no line begins with ERROR:")
			}
			if r.Stdout != "" {
				t.Errorf("stdout = %q, want nothing", r.Stdout)
			}
			if t.Failed() {
				t.Logf("stderr:\n%s", r.Stderr)
			}
			if code, body, err := s.Try("sunya.localhost:"+s.Port, "/"); err != nil || code != 404 {
				t.Errorf("something serves: %d %v %s", code, err, platform.Tail(body, 300))
			}
		})
	}
	if err := nothingRuns(s); err != nil {
		t.Errorf("left running: %v", err)
	}
	if out := s.OK("app", "versions", "list", "--format", "json").Stdout; strings.TrimSpace(out) != "[]" {
		t.Errorf("versions left behind: %s", out)
	}
	s.NoOrphans()
}
