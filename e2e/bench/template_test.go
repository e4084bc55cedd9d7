//go:build e2e

package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// templateApp is a Python program that instances start from a template of.
type templateApp struct {
	name, title string
	packages    []string
	main        string
	argv        []string // after bin/ of its environment
}

var templateApps = []templateApp{
	{name: "flask", title: "Flask, gunicorn", packages: []string{"Flask", "gunicorn"}, main: flaskMain + slowRoute,
		argv: []string{"gunicorn", "-b", ":$PORT", "--workers", "1", "--threads", "8", "--timeout", "0", "main:app"}},
	{name: "fastapi", title: "FastAPI with pandas, uvicorn", packages: []string{"fastapi", "uvicorn", "pandas"}, main: fastapiMain,
		argv: []string{"uvicorn", "main:app", "--host", "0.0.0.0", "--port", "$PORT"}},
	{name: "django", title: "Django, gunicorn", packages: []string{"Django", "gunicorn"}, main: djangoMain,
		argv: []string{"gunicorn", "-b", ":$PORT", "--workers", "1", "--threads", "8", "--timeout", "0", "main:app"}},
}

// slowRoute keeps an instance busy, so that another request needs another.
const slowRoute = `

@app.route('/slow')
def slow():
    import time
    time.sleep(3)
    return 'slow'
`

const fastapiMain = `import pandas
from fastapi import FastAPI

app = FastAPI()
frame = pandas.DataFrame({'a': [1, 2, 3]})


@app.get('/')
def hello():
    return {'sum': int(frame['a'].sum())}


@app.get('/slow')
def slow():
    import time
    time.sleep(3)
    return 'slow'
`

const djangoMain = `from django.conf import settings

settings.configure(
    SECRET_KEY='bench', ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__,
    INSTALLED_APPS=['django.contrib.' + a for a in ('admin', 'auth', 'contenttypes', 'sessions', 'messages')],
    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware', 'django.middleware.common.CommonMiddleware'],
    TEMPLATES=[{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True}])

import django

django.setup()

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path


def slow(request):
    import time
    time.sleep(3)
    return HttpResponse('slow')


urlpatterns = [path('', lambda request: HttpResponse('Hello World!')), path('slow', slow)]
app = get_wsgi_application()
`

// env has what the bare program needs, once a run.
func (a templateApp) env(tb testing.TB) string {
	return installed(tb, "venv-"+a.name, func(dir string) error {
		for _, argv := range [][]string{
			{"/usr/bin/python3", "-m", "venv", dir},
			append([]string{filepath.Join(dir, "bin", "pip"), "install", "-q"}, a.packages...),
		} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%v: %w: %s", argv, err, out)
			}
		}
		return nil
	})
}

func (a templateApp) source(tb testing.TB, yaml string) string {
	return platform.Files(tb, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: " + strings.Join(a.argv, " ") + "\nenv_variables:\n  SUNYA_TEMPLATE: '1'\n" + yaml,
		"main.py":  a.main, "requirements.txt": strings.Join(a.packages, "\n") + "\n",
	})
}

// templateKept waits until a program has been kept.
func templateKept(s *platform.Server) {
	s.Eventually(60*time.Second, "the program is kept", func() error {
		if out := s.OK("logs", "--tail", "100").Stdout; !strings.Contains(out, "kept its memory") {
			return fmt.Errorf("%s", platform.Tail(out, 2000))
		}
		return nil
	})
}

// BenchmarkTemplate: a request to a service without a process whose instances
// start from a template, over the bare boot of the same program; and what the
// second and each later instance takes of the memory of one that has booted.
func BenchmarkTemplate(b *testing.B) {
	s := begin(b, "template")
	defer s.end()
	for _, a := range templateApps {
		s.run(a.name, a.cold)
	}
	for _, a := range templateApps {
		s.run(a.name+"-memory", a.memory)
	}
	s.run("burst", templateApps[0].burst)
}

func (a templateApp) cold(s *sheet) {
	f := s.figure(results.Figure{
		ID: "template/" + a.name, Title: a.title + ": cold start from a template", Unit: "ms", Base: "bare boot",
		Goals: []results.Goal{{Subject: "Sunya, template", As: results.AsRatio, Over: "bare boot", Limit: 0.20}},
	})
	dir, bareDir := a.source(s, ""), a.source(s, "")
	argv := append([]string{filepath.Join(a.env(s), "bin", a.argv[0])}, a.argv[1:]...)
	server := platform.Start(s, "--idle-timeout", "1s")
	host := server.Deploy(dir)
	templateKept(server)
	s.turns(15, func() {
		scaledToZero(server)
		f.Add("Sunya, template", ms(first(s, address(server), host)))
		from(s, server, 1)
	}, func() {
		scaledToZero(server)
		app := bare(s, bareDir, argv...)
		app.Stop()
		f.Add("bare boot", ms(app.Took))
	})
}

// from fails unless n instances have started from a template.
func from(s *sheet, server *platform.Server, n int) {
	out := server.OK("status").Stdout
	if got := strings.Count(out, " template"); got < n {
		s.Fatalf("%d of %d instances are from a template:\n%s", got, n, out)
	}
}

func (a templateApp) memory(s *sheet) {
	const n = 6
	f := s.figure(results.Figure{
		ID: "template/" + a.name + "/memory", Title: a.title + ": memory of an instance (PSS)", Unit: "MiB", Base: "one that has booted",
		Goals: []results.Goal{{Subject: "second and later, from the template", As: results.AsRatio, Over: "one that has booted", Limit: 0.35}},
	})
	server := platform.Start(s, "--idle-timeout", "5s")
	host := server.Deploy(a.source(s, "automatic_scaling:\n  max_concurrent_requests: 1\n"))
	first(s, address(server), host)
	booted := weigh(s, server)[2].pss
	f.Add("one that has booted", mib(booted))
	templateKept(server)
	scaledToZero(server)
	first(s, address(server), host)
	one := weigh(s, server)[2].pss
	f.Add("first, from the template", mib(one))
	occupy(s, server, host, n)
	from(s, server, n)
	f.Add("second and later, from the template", mib(weigh(s, server)[2].pss-one)/float64(len(server.Instances())-1))
}

// occupy has n requests at once that last, and returns when the last was answered
// and how long that took.
func occupy(s *sheet, server *platform.Server, host string, n int) time.Duration {
	begin := time.Now()
	errs := make(chan error, n)
	for range n {
		go func() {
			a, err := ask(address(server), host, "/slow", patience)
			if err == nil && a.Status != 200 {
				err = fmt.Errorf("status %d", a.Status)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			s.Fatal(err)
		}
	}
	return time.Since(begin)
}

// burst: how fast instances of one template come, when each request needs one.
func (a templateApp) burst(s *sheet) {
	n := less(40, 8)
	f := s.figure(results.Figure{
		ID: "template/burst", Title: fmt.Sprintf("0 to %d instances from one template, at once", n), Unit: "instances/s", Higher: true,
		Goals: []results.Goal{{Subject: "Sunya", As: results.AsValue, Limit: 50, AtLeast: true}},
		Note:  "each has answered a request of 3 s, which is taken off",
	})
	server := platform.Start(s, "--idle-timeout", "1s")
	host := server.Deploy(a.source(s, "instance_class: F1\nautomatic_scaling:\n  max_concurrent_requests: 1\n  max_instances: 100\n"))
	templateKept(server)
	for range s.rounds(5) {
		scaledToZero(server)
		took := occupy(s, server, host, n) - 3*time.Second
		from(s, server, 1)
		f.Add("Sunya", float64(n)/took.Seconds())
	}
}
