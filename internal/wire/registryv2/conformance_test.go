package registryv2_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The suite of the OCI distribution specification, with everything that it can
// ask of a registry, also what comes with the next version.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs another program")
	}
	s := serve(t)
	cmd := exec.CommandContext(t.Context(), "go", "tool", "conformance")
	cmd.Env = append(os.Environ(),
		"OCI_REGISTRY="+strings.TrimPrefix(s.url, "http://"), "OCI_TLS=disabled", "OCI_VERSION=dev",
		"OCI_RESULTS_DIR="+t.TempDir(), "OCI_CONFIGURATION="+filepath.Join("testdata", "conformance.yaml"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	for _, what := range []string{"FAIL", "Skip"} {
		if !regexp.MustCompile(`(?m)^ *` + what + `\.*: +0$`).Match(out) {
			t.Errorf("the suite has results of the kind %s", what)
		}
	}
}
