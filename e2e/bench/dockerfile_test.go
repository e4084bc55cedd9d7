//go:build e2e

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkDockerfile measures builds of an image from the command to its digest:
// of nothing but a file, again with nothing changed, and with one changed file
// behind it and two steps after it. What the steps themselves take is next to
// nothing: the rest is the build's own. Goal: a rebuild in 1 s.
func BenchmarkDockerfile(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		b.Skip("busybox-static is not installed")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		b.Fatal(err)
	}
	s := platform.Start(b)
	s.Push(platform.Image(b, map[string][]byte{"/bin/busybox": program, "/bin/sh": program}, v1.Config{Env: []string{"PATH=/bin"}}), "sunya/base")
	scratch := platform.Files(b, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "0"})
	steps := platform.Files(b, map[string]string{"Dockerfile": "FROM gcr.io/sunya/base\nRUN echo 1\nCOPY a /a\nRUN echo 2\nRUN echo 3\n", "a": "0"})
	build := func(dir, tag string) time.Duration {
		begin := time.Now()
		s.OK("builds", "submit", dir, "--tag", "gcr.io/sunya/"+tag, "--quiet")
		return time.Since(begin)
	}
	build(scratch, "scratch") // unpacks the builder
	build(steps, "steps")
	for i := range max(b.N, 3) {
		change(b, scratch, i)
		change(b, steps, i)
		b.ReportMetric(build(scratch, "scratch").Seconds(), "s/scratch")
		b.ReportMetric(build(steps, "steps").Seconds(), "s/rebuild")
		b.ReportMetric(build(steps, "steps").Seconds(), "s/cached")
	}
	b.ReportMetric(0, "ns/op")
}

func change(b *testing.B, dir string, i int) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(fmt.Sprint(i+1)), 0o600); err != nil {
		b.Fatal(err)
	}
}
