//go:build e2e

package clients

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// helloImage pushes an image that answers requests, and returns its name.
func helloImage(t *testing.T, base string) string {
	t.Helper()
	program := platform.Program(t, "../testdata/run/hello")
	img := platform.Image(t, map[string][]byte{"/hello": program}, v1.Config{Entrypoint: []string{"/hello"}})
	_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	if err := crane.Push(img, "localhost:"+port+"/sunya/hello:clients"); err != nil {
		t.Fatal(err)
	}
	return "gcr.io/sunya/hello:clients"
}

// TestRunClients runs Google's Cloud Run libraries for Python and Node.js, as
// they come from their registries, against the platform.
func TestRunClients(t *testing.T) {
	base := server(t)
	libraries(t, base, "run_services", "SUNYA_IMAGE="+helloImage(t, base))
}

// libraries runs a program in Python and its like in Node.js over both
// transports.
func libraries(t *testing.T, base, program string, env ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for _, line := range [][]string{{"python/run.sh", program + ".py"}, {"node/run.sh", program + ".js"}} {
		for _, transport := range []string{"grpc", "rest"} {
			t.Run(line[1]+" "+transport, func(t *testing.T) {
				cmd := exec.CommandContext(ctx, line[0], line[1:]...)
				cmd.Env = append(append(os.Environ(), "SUNYA_SERVER="+base, "SUNYA_TRANSPORT="+transport), env...)
				out, err := cmd.CombinedOutput()
				t.Logf("%s", out)
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
