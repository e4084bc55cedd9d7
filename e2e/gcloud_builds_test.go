//go:build e2e

package e2e

import (
	"os/exec"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestGcloudBuilds builds images with an unmodified gcloud. It would follow the
// log at storage.googleapis.com alone, so it is told that there is none.
func TestGcloudBuilds(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	needRoot(t, manyUsers)
	t.Parallel()
	s := platform.Start(t)
	pushBase(t, s)
	g := newGcloud(t, s)
	g.configure()
	dir := platform.Files(t, map[string]string{"Dockerfile": "FROM gcr.io/sunya/base\nRUN echo from a step\n"})
	g.ok("builds submit --tag gcr.io/sunya/hello "+dir, "SUCCESS", "gcr.io/sunya/hello")
	g.ok("builds list --limit 1", "SUCCESS", "gcr.io/sunya/hello")
	bad := platform.Files(t, map[string]string{"Dockerfile": "FROM gcr.io/sunya/base\nRUN echo last words; false\n"})
	g.fails("builds submit --tag gcr.io/sunya/hello "+bad, "did not complete successfully", "ERROR")
	py := platform.Files(t, map[string]string{"main.py": "def app(environ, start):\n    start('200 OK', [])\n    return [b'hi']\n", "requirements.txt": "gunicorn\n"})
	g.ok("builds submit --pack image=gcr.io/sunya/py "+py, "SUCCESS")
	s.OK("run", "deploy", "py", "--image", "gcr.io/sunya/py", "--allow-unauthenticated", "--quiet")
	if got := s.Get("py.localhost:"+s.Port, "/"); got != "hi" {
		t.Errorf("the service answers %q", got)
	}
}
