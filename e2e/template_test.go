//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// templated makes an app whose revision asks for a template.
func templated(t testing.TB, main string, more map[string]string) string {
	files := map[string]string{
		"app.yaml": "runtime: python311\nenv_variables:\n  SUNYA_TEMPLATE: '1'\n", "main.py": main,
	}
	for name, text := range more {
		files[name] = text
	}
	return platform.Files(t, files)
}

// restoredMain answers with what must differ, and what must not.
const restoredMain = `
import os, random, socket, sys, uuid
random.seed(7)
first = random.random()
loaded = os.getpid()

def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    with open('/proc/self/status') as f:
        status = dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)
    said = [('id', os.environ['GAE_INSTANCE']), ('host', socket.gethostname()), ('loaded', loaded),
        ('random', random.random()), ('argv', sys.argv), ('main', sys.modules['__main__'].__name__),
        ('caps', status['CapEff'] + status['CapPrm'] + status['CapInh'] + status['CapBnd'] + status['CapAmb']),
        ('nnp', status['NoNewPrivs']), ('seccomp', status['Seccomp'] + status['Seccomp_filters']),
        ('uid', status['Uid']), ('fds', sorted(os.listdir('/proc/self/fd')).__len__() < 20), ('cwd', os.getcwd()),
        ('cmdline', open('/proc/self/cmdline').read().replace('\0', ' '))]
    return [('%s=%s\n' % (k, v)).encode() for k, v in said]
`

func words(t *testing.T, body string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(body) {
		k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if !ok {
			t.Fatalf("%q", body)
		}
		out[k] = v
	}
	return out
}

// awaitTemplate waits until the log says what came of a template.
func awaitTemplate(t *testing.T, s *platform.Server, want string) {
	t.Helper()
	s.Eventually(30*time.Second, want, func() error {
		if out := s.OK("logs", "--tail", "100").Stdout; !strings.Contains(out, want) {
			return fmt.Errorf("%s", platform.Tail(out, 3000))
		}
		return nil
	})
}

func awaitNone(s *platform.Server) {
	s.Eventually(30*time.Second, "scaled to zero", func() error {
		if is := s.Instances(); len(is) > 0 {
			return fmt.Errorf("%v", is)
		}
		return nil
	})
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "1s")
	host := s.Deploy(templated(t, restoredMain, nil))
	booted := words(t, s.Get(host, "/"))
	awaitTemplate(t, s, "kept its memory")
	var seen []map[string]string
	for range 2 {
		awaitNone(s)
		seen = append(seen, words(t, s.Get(host, "/")))
		if out := s.CLI("status").Stdout; !strings.Contains(out, "template") {
			t.Errorf("status:\n%s", out)
		}
	}
	for _, v := range seen {
		for _, same := range []string{"caps", "nnp", "seccomp", "uid", "cwd", "fds", "argv"} {
			if v[same] != booted[same] {
				t.Errorf("%s is %q after a boot, %q from a template", same, booted[same], v[same])
			}
		}
		if v["id"] == booted["id"] || v["host"] == booted["host"] {
			t.Errorf("identity of another instance: %v", v)
		}
	}
	if seen[0]["random"] == seen[1]["random"] || seen[0]["id"] == seen[1]["id"] {
		t.Errorf("two instances are the same: %v", seen)
	}
}

// TestHostileTemplate (S1 to S8, S10) looks for a way out of an instance that was
// started from a template, as TestHostileApp does of any other.
func TestHostileTemplate(t *testing.T) {
	s, vars := hostileServer(t)
	host := s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nenv_variables:\n  SUNYA_TEMPLATE: 'on'\n" + vars,
		"probe.py": probeSource(t),
		"main.py":  hostileMain,
	}))
	awaitTemplate(t, s, "kept its memory")
	from := ""
	s.Eventually(30*time.Second, "an instance from the template", func() error {
		_, _, _ = s.Try(host, "/sh?"+url.QueryEscape("kill -9 $PPID")) // the instance, so that there is another
		s.Get(host, "/")
		from = s.OK("status").Stdout
		if !strings.Contains(from, "template") {
			return fmt.Errorf("%s", from)
		}
		return nil
	})
	checkProbes(t, s.Get(host, "/")+s.Get(host, "/env"))
	s.NoOrphans()
}

// TestTemplateRefused: a program that cannot be kept runs as any other, and says
// why.
func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	const app = "\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'fine']\n"
	s := platform.Start(t)
	s.Deploy(platform.Bare(t, "hello"))
	for _, c := range []struct {
		name, main, entrypoint, want string
	}{
		{"thread", "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True, name='beat').start()\n" + app, "", "it has started threads (beat)"},
		{"socket", "import _socket\ns = _socket.socket()\n" + app, "", "it has a socket open"},
		{"device", "d = open('/dev/zero', 'rb')\n" + app, "", "it has the device /dev/zero open"},
		// The kernel lets a parent go on a moment before its child has its new name.
		{"child", "import subprocess\np = subprocess.Popen(['sleep', '3600'])\n" + app, "", "it has started another process ("},
		{"file", "f = open('/tmp/cache', 'w')\n" + app, "", "/tmp/cache"},
		{"left", "open('/tmp/left', 'w').write('x')\n" + app, "", "it has left the file /tmp/left"},
		{"shell", app, "if true; then exec gunicorn -b :$PORT main:app; fi", "the entrypoint needs a shell (;)"},
		{"other", app, "perl -MIO::Socket -e '$s=IO::Socket::INET->new(Listen=>9,LocalPort=>$ENV{PORT},ReuseAddr=>1);while($c=$s->accept){sysread $c,$b,9999;print $c qq(HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\nfine)}'", "is not a Python program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := s.For(t)
			yaml := "runtime: python311\nservice: " + c.name + "\nenv_variables:\n  SUNYA_TEMPLATE: '1'\n"
			if c.entrypoint != "" {
				yaml += "entrypoint: " + strconv.Quote(c.entrypoint) + "\n"
			}
			host := s.Deploy(platform.Files(t, map[string]string{"app.yaml": yaml, "main.py": c.main, "requirements.txt": "gunicorn\n"}))
			s.Eventually(40*time.Second, c.want, func() error {
				if out := s.OK("logs", c.name, "--tail", "100").Stdout; !strings.Contains(out, c.want) {
					return fmt.Errorf("%s", platform.Tail(out, 2000))
				}
				return nil
			})
			if got := s.Get(host, "/"); got != "fine" {
				t.Errorf("answer %q", got)
			}
			if out := s.OK("status").Stdout; !strings.Contains(out, "boot: ") {
				t.Errorf("status says no reason:\n%s", out)
			}
		})
	}
}

// TestTemplateKill: templates outlive a server that is killed, and a launcher's
// end takes them along.
func TestTemplateKill(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "1s")
	host := s.Deploy(templated(t, restoredMain, nil))
	awaitTemplate(t, s, "kept its memory")
	s.Kill()
	s.Up()
	awaitNone(s)
	s.Get(host, "/")
	if out := s.OK("status").Stdout; !strings.Contains(out, "template") {
		t.Errorf("the next server does not use the template:\n%s", out)
	}
	s.Stop()
	s.Up()
	s.Get(host, "/")
	if out := s.OK("status").Stdout; strings.Contains(out, "template") {
		t.Errorf("a template after the launcher's end:\n%s", out)
	}
	s.NoOrphans()
}
