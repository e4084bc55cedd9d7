//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestJobsOfImages runs an image that was pushed from outside, as whom and how it
// says, and with what is said over it.
func TestJobsOfImages(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	program := platform.Program(t, "./testdata/run/work")
	image := s.Push(platform.Image(t, map[string][]byte{"/work": program}, v1.Config{
		Entrypoint: []string{"/work"}, Cmd: []string{"env"}, Env: []string{"MODE=image"}, User: "1234:1234", WorkingDir: "/tmp",
	}), "sunya/work:v1")
	s.OK("run", "jobs", "deploy", "work", "--image", image, "--tasks", "2", "--memory", "128Mi", "--max-retries", "1")
	id := strings.TrimSpace(s.OK("run", "jobs", "execute", "work", "--wait").Stdout)
	logged(s, id, "CLOUD_RUN_TASK_INDEX=1", "MODE=image", "uid 1234 in /tmp", "task 0 ends")

	id = strings.TrimSpace(s.OK("run", "jobs", "execute", "work", "--wait", "--args", "env,once,token", "--update-env-vars", "MODE=over").Stdout)
	logged(s, id, "MODE=over", "the first attempt fails", "has a token", "task 1 attempt 1 begins")

	for args, want := range map[string]string{"fail,7": "exit status 7", "eat": "Memory limit of 128 MiB exceeded", "fill": "Memory limit of 128 MiB exceeded"} {
		if args != "fail,7" && os.Geteuid() != 0 {
			continue // the limits of level user are doctor's to report
		}
		r := s.CLI("run", "jobs", "execute", "work", "--wait", "--tasks", "1", "--args", args)
		if r.Code != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: exit %d, want 1 with %q: %s", args, r.Code, want, r.Stderr)
		}
	}
	r := s.CLI("run", "jobs", "deploy", "work", "--image", image, "--command", "/none", "--execute-now", "--wait", "--max-retries", "0")
	if r.Code != 1 || !strings.Contains(r.Stderr, "/none") {
		t.Errorf("a program that is not there: exit %d: %s", r.Code, r.Stderr)
	}
	s.NoOrphans()
}
