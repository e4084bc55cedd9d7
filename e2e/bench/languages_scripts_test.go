//go:build e2e

package bench

import (
	"path/filepath"
	"testing"
)

var pythonRows = []language{{
	name: "python", dir: "../../examples/hello-python", main: "main.py",
	bare: func(b *testing.B, _ string) []string {
		return []string{filepath.Join(venv(b), "bin", "gunicorn"), "-b", ":$PORT", "--workers", "1", "--threads", "8", "--timeout", "0", "main:app"}
	},
}}

var nodeRows = []language{{
	name: "node", needs: "npm", dir: "../testdata/node/express", main: "server.js",
	bare: func(b *testing.B, dir string) []string {
		run(b, dir, "npm", "ci", "--no-audit", "--no-fund")
		return []string{"node", "server.js"}
	},
}}

var phpRows = []language{{
	name: "php", needs: "php", dir: "../../examples/hello-php", main: "index.php",
	bare: func(*testing.B, string) []string { return []string{"php", "-S", "0.0.0.0:$PORT", "index.php"} },
}}

var rubyRows = []language{{
	name: "ruby", needs: "ruby", dir: "../../examples/hello-ruby", main: "app.rb",
	bare: func(*testing.B, string) []string { return []string{"ruby", "app.rb"} },
}}
