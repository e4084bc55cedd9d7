//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestHostileImage (S1 to S8, S10) looks for a way out of a container, as root of
// its image and as another user, with a whole server around it.
func TestHostileImage(t *testing.T) {
	s, _ := hostileServer(t)
	program := platform.Program(t, "../internal/adapt/linuxns/probe")
	for _, user := range []string{"", "1234:1234"} {
		name := "probe-" + strings.Split(user+"root", ":")[0]
		s.Push(platform.Image(t, map[string][]byte{"/probe": program}, v1.Config{Entrypoint: []string{"/probe"}, User: user}), "gcr.io/sunya/"+name)
		s.CLI("run", "jobs", "deploy", name, "--image", "gcr.io/sunya/"+name, "--max-retries", "0", "--execute-now", "--wait",
			"--set-env-vars", "PROBE_IMAGE=1,PROBE_HOST_PORT="+s.Port)
		var report string
		s.Eventually(20*time.Second, "the report of "+name, func() error {
			report = s.OK("run", "jobs", "logs", "read", name, "--limit", "1000").Stdout
			if !strings.Contains(report, "S10 ") {
				return fmt.Errorf("it is not complete:\n%s", report)
			}
			return nil
		})
		checkProbes(t, report)
	}
}
