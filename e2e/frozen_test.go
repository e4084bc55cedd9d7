//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// frozenFor is longer than gunicorn's worker timeout of 30 s; make torture
// waits the ten minutes that a lunch break leaves an app alone.
func frozenFor() time.Duration {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 10 * time.Minute
	}
	return 45 * time.Second
}

const wsgi = `import time

BOOT = str(time.time_ns()).encode()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [BOOT]
`

const asgi = `import time

BOOT = str(time.time_ns()).encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BOOT})
`

const node = `const boot = String(process.hrtime.bigint());
require("http").createServer((req, res) => res.end(boot)).listen(process.env.PORT);
`

// TestFrozenServersAnswer: servers with heartbeats of their own survive being
// frozen for long: the process that answers afterwards is the one from before.
func TestFrozenServersAnswer(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "30m")
	apps := []struct{ service, entrypoint, requirements, file, source string }{
		{"default", "gunicorn -b :$PORT main:app", "gunicorn\n", "main.py", wsgi},
		{"threads", "", "gunicorn\n", "main.py", wsgi},
		{"uvicorn", "uvicorn main:app --host 0.0.0.0 --port $PORT", "uvicorn\n", "main.py", asgi},
		{"node", "node server.js", "", "server.js", node},
	}
	type running struct{ service, host, boot string }
	var all []running
	for _, a := range apps {
		if a.service == "node" {
			if _, err := exec.LookPath("node"); err != nil {
				t.Log("SKIP node: not installed on this machine")
				continue
			}
		}
		yaml := "runtime: python311\nservice: " + a.service + "\n"
		if a.entrypoint != "" {
			yaml += "entrypoint: " + a.entrypoint + "\n"
		}
		tree := map[string]string{"app.yaml": yaml, a.file: a.source}
		if a.requirements != "" {
			tree["requirements.txt"] = a.requirements
		}
		host := s.Deploy(platform.Files(t, tree))
		all = append(all, running{a.service, host, s.Get(host, "/")})
	}
	s.Eventually(20*time.Second, "all are frozen", func() error {
		for _, i := range s.Instances() {
			if i.State != "frozen" {
				return fmt.Errorf("%v", i)
			}
		}
		return nil
	})
	// Nothing to wait for but time itself: this is the one thing it tests.
	<-time.After(frozenFor())
	for _, a := range all {
		if got := s.Get(a.host, "/"); got != a.boot {
			t.Errorf("%s was restarted while it was frozen", a.service)
		}
	}
}
