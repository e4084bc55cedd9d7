//go:build e2e

package clients

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestPythonAdminClient runs python/appengine_admin.py, which uses Google's
// library from PyPI, in a virtual environment that python/run.sh makes.
func TestPythonAdminClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for _, transport := range []string{"grpc", "rest"} {
		t.Run(transport, func(t *testing.T) {
			cmd := exec.CommandContext(ctx, "python/run.sh", "appengine_admin.py")
			cmd.Env = append(os.Environ(), "SUNYA_SERVER="+server(t), "SUNYA_TRANSPORT="+transport)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
