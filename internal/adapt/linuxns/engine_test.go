package linuxns

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestRunsToTheEnd(t *testing.T) {
	e := engine(t)
	s := start(t, e, sandbox.Spec{Args: shell("id; pwd; ls /; ls -la /dev /etc; cat /proc/self/status | grep -i -E 'cap|seccomp|nonew'; mount; exit 3"), Dir: "/tmp"})
	out, errText := output(t, s)
	<-s.Done()
	if got := s.Exit(); got != (sandbox.Exit{Code: 3}) {
		t.Errorf("exit = %+v, stdout %s stderr %s", got, out, errText)
	}
	if !strings.Contains(out, "uid=1000(app) gid=1000(app) groups=1000(app)") {
		t.Errorf("output = %s %s", out, errText)
	}
	t.Log(e.Report(), out)
}
