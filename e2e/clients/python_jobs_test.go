//go:build e2e

package clients

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestPythonJobsClient runs python/run_jobs.py, which uses Google's library for
// Cloud Run, against jobs that do run.
func TestPythonJobsClient(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	const image = "gcr.io/sunya/work"
	s.OK("builds", "submit", "--pack", "image="+image, platform.Files(t, map[string]string{
		"main.py":  "import os, sys, time\nif os.environ.get('FAIL'): sys.exit(3)\ntime.sleep(float(os.environ.get('SLEEP', 0)))\n",
		"Procfile": "web: exec python3 main.py\n",
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, transport := range []string{"grpc", "rest"} {
		cmd := exec.CommandContext(ctx, "python/run.sh", "run_jobs.py")
		cmd.Env = append(os.Environ(), "SUNYA_SERVER="+s.URL(), "SUNYA_TRANSPORT="+transport, "SUNYA_IMAGE="+image)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", transport, err, out)
		}
	}
}
