//go:build e2e

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkDockerfile measures builds of an image from the command to its digest:
// of nothing but a file, again with nothing changed, and with one changed file
// behind it and two steps after it. What the steps themselves take is next to
// nothing: the rest is the build's own.
func BenchmarkDockerfile(b *testing.B) {
	s := begin(b, "dockerfile")
	defer s.end()
	if os.Geteuid() != 0 {
		s.Skip("SKIP: needs root")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		s.Skip("SKIP: busybox-static is not installed")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		s.Fatal(err)
	}
	f := s.figure(results.Figure{
		ID: "dockerfile/build", Title: "command to digest", Unit: "s",
		Goals: []results.Goal{{Subject: "one changed file, three steps", As: results.AsValue, Limit: 1}},
	})
	server := platform.Start(s)
	server.Push(platform.Image(s, map[string][]byte{"/bin/busybox": program, "/bin/sh": program}, v1.Config{Env: []string{"PATH=/bin"}}), "sunya/base")
	scratch := platform.Files(s, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "0"})
	steps := platform.Files(s, map[string]string{"Dockerfile": "FROM gcr.io/sunya/base\nRUN echo 1\nCOPY a /a\nRUN echo 2\nRUN echo 3\n", "a": "0"})
	build := func(dir, tag string) float64 {
		return took(s, func() error {
			server.OK("builds", "submit", dir, "--tag", "gcr.io/sunya/"+tag, "--quiet")
			return nil
		}).Seconds()
	}
	build(scratch, "scratch") // unpacks the builder
	build(steps, "steps")
	for i := range s.rounds(5) {
		touch(s, scratch, i)
		touch(s, steps, i)
		f.Add("FROM scratch, one file", build(scratch, "scratch"))
		f.Add("one changed file, three steps", build(steps, "steps"))
		f.Add("nothing changed", build(steps, "steps"))
	}
}

func touch(s *sheet, dir string, i int) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(fmt.Sprint(i+1)), 0o600); err != nil {
		s.Fatal(err)
	}
}
