//go:build e2e

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var goRows = []language{{
	name: "go", needs: "go", dir: "../../examples/hello-go", main: "main.go",
	bare: func(b *testing.B, _ string) []string {
		bin := filepath.Join(b.TempDir(), "main")
		run(b, "../../examples/hello-go", "go", "build", "-o", bin, ".")
		return []string{bin}
	},
}}

// run runs a program without cgo that must succeed.
func run(b *testing.B, dir string, argv ...string) {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
}
