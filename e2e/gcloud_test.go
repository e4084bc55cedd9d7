//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// gcloud is the real one, with a configuration directory of its own.
type gcloud struct {
	t      *testing.T
	server *platform.Server
	env    []string
	dir    string
}

// newGcloud skips where gcloud is not installed.
func newGcloud(t *testing.T, server *platform.Server) *gcloud {
	t.Helper()
	g := &gcloud{t: t, server: server, dir: t.TempDir()}
	g.env = append(os.Environ(),
		"CLOUDSDK_CONFIG="+g.dir,
		"CLOUDSDK_CORE_DISABLE_PROMPTS=1",
		"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=1",
		"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1",
		"SUNYA_SERVER="+server.URL(),
	)
	return g
}

// configure makes the configuration that leads to the server.
func (g *gcloud) configure() {
	g.t.Helper()
	cli := exec.Command(orDefault(os.Getenv("SUNYA_BIN"), "../bin/sunya"), "gcloud-config")
	cli.Env = g.env
	if out, err := cli.CombinedOutput(); err != nil {
		g.t.Fatalf("sunya gcloud-config: %v\n%s", err, out)
	}
	g.env = append(g.env, "CLOUDSDK_ACTIVE_CONFIG_NAME=sunya")
}

// run returns what gcloud printed, both streams in one, and its error.
func (g *gcloud) run(args ...string) (string, error) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "gcloud", args...)
	cmd.Env = g.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return ansiRE.ReplaceAllString(out.String(), ""), err
}

// ansiRE matches what gcloud writes for terminals, also where there is none.
var ansiRE = regexp.MustCompile("\x1b\\[[0-9;]*m")

// ok expects success and each of the texts, and returns what was printed.
func (g *gcloud) ok(command string, want ...string) string {
	g.t.Helper()
	out, err := g.run(strings.Fields(command)...)
	if err != nil {
		g.t.Fatalf("gcloud %s: %v\n%s", command, err, platform.Tail(out, 4000))
	}
	g.says(command, out, want...)
	return out
}

// fails expects an error that says each of the texts.
func (g *gcloud) fails(command string, want ...string) {
	g.t.Helper()
	out, err := g.run(strings.Fields(command)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		g.t.Errorf("gcloud %s: %v, want an error\n%s", command, err, out)
	}
	g.says(command, out, want...)
}

func (g *gcloud) says(command, out string, want ...string) {
	g.t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			g.t.Errorf("gcloud %s lacks %q:\n%s", command, w, platform.Tail(out, 4000))
		}
	}
}

// TestGcloud does with an unmodified gcloud what its users do with an app.
// Each call takes a second or two, so each shows several things.
func TestGcloud(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	host := "sunya.localhost:" + s.Port

	app := platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\ninbound_services: [warmup]\n" +
			"handlers:\n- url: /static\n  static_dir: static\n- url: /.*\n  script: auto\n",
		"main.py":         platform.BareMain("one"),
		"static/a.txt":    "a file",
		"dispatch.yaml":   "dispatch:\n- url: \"*/worker/*\"\n  service: worker\n",
		"cron.yaml":       "cron:\n- description: x\n  url: /x\n  schedule: every 24 hours\n",
		"worker/app.yaml": "runtime: python311\nservice: worker\nentrypoint: python3 main.py\nbasic_scaling:\n  max_instances: 1\n",
		"worker/main.py":  platform.BareMain("worker"),
	})
	yaml := filepath.Join(app, "app.yaml")

	g.ok("app create --region us-central", "Success!")
	g.ok("app deploy "+yaml+" --version v1", "Deployed service [default] to [https://"+host+"]")
	if got := s.Get(host, "/"); got != "one" {
		t.Errorf("the app answers %q", got)
	}
	if got := s.Get(host, "/static/a.txt"); got != "a file" {
		t.Errorf("the static file is %q", got)
	}
	g.ok("app browse --no-launch-browser", "https://"+host)
	g.ok("app describe", "defaultHostname: "+host, "locationId: us-central")

	save(t, app, "main.py", platform.BareMain("two"))
	g.ok("app deploy "+yaml+" "+filepath.Join(app, "worker", "app.yaml")+" --version v2 --no-promote",
		"Deployed service [default] to [https://v2-dot-"+host+"]", "Deployed service [worker]")
	if got := s.Get(host, "/"); got != "one" {
		t.Errorf("--no-promote: the app answers %q", got)
	}
	g.ok("app services set-traffic default --splits v1=0.5,v2=0.5 --split-by cookie", "v1: 0.5")
	g.ok("app services describe default", "v1: 0.5", "shardBy: COOKIE")
	g.ok("app versions list --service default --format value(id,traffic_split)", "v1\t0.5", "v2\t0.5")
	g.ok("app versions migrate v2 --service default", "Migrating all traffic")
	s.Eventually(30*time.Second, "all traffic is on v2", func() error {
		for range 20 {
			if got := s.Get(host, "/"); got != "two" {
				return fmt.Errorf("the app answers %q", got)
			}
		}
		return nil
	})
	g.ok("app versions describe v2 --service default", "runtime: python311", "versionUrl: http://v2-dot-")
	g.ok("app instances list --service default", "v2")

	g.ok("app deploy "+filepath.Join(app, "dispatch.yaml"), "Custom routings have been updated")
	if got := s.Get(host, "/worker/x"); got != "worker" {
		t.Errorf("dispatch.yaml: the app answers %q", got)
	}
	g.ok("app versions stop v2 --service worker", "worker/v2")
	if code, _, err := s.Try("worker-dot-"+host, "/"); err != nil || code == http.StatusOK {
		t.Errorf("a stopped version answers %d, %v", code, err)
	}
	g.ok("app versions start v2 --service worker", "worker/v2")
	if got := s.Get("worker-dot-"+host, "/"); got != "worker" {
		t.Errorf("a started version answers %q", got)
	}

	g.fails("app versions delete v2 --service default", "v2")
	g.ok("app versions delete v1 --service default", "default/v1")
	g.fails("app versions describe v1 --service default", "not found")
	g.fails("app deploy "+filepath.Join(app, "cron.yaml"), "cron jobs (cron.yaml) come with it")

	s.Get(host, "/log")
	s.Eventually(30*time.Second, "gcloud reads the log", func() error {
		out := g.ok("app logs read --limit 50")
		for _, want := range []string{"a line on stdout", `"GET /log HTTP/1.1" 200`, "default[v2]"} {
			if !strings.Contains(out, want) {
				return fmt.Errorf("no %q in:\n%s", want, platform.Tail(out, 2000))
			}
		}
		return nil
	})
	g.ok("app operations list --limit 1", "COMPLETED")
}

// TestGcloudFunctions does with an unmodified gcloud what its users do with a
// function.
func TestGcloudFunctions(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	dir := platform.Files(t, map[string]string{"main.py": helloFunction, "requirements.txt": "functions-framework\n"})
	const region = " --region us-central1"
	deploy := "functions deploy hello --gen2 --trigger-http --source " + dir + region + " --quiet"
	g.ok(deploy+" --runtime python311 --entry-point hello_http --allow-unauthenticated", "state: ACTIVE", "uri: http://hello.localhost:"+s.Port)
	if got := s.Get("hello.localhost:"+s.Port, "/x"); got != "Hello World! /x" {
		t.Errorf("the function answers %q", got)
	}
	g.fails(deploy+" --entry-point nope", "function nope is not in main.py; found: hello_http, hello_event")
	g.ok(deploy+" --entry-point hello_event --no-allow-unauthenticated", "state: ACTIVE", "entryPoint: hello_event")
	if code, _, _ := s.Try("hello.localhost:"+s.Port, "/"); code != http.StatusForbidden {
		t.Errorf("a private function answers strangers with %d", code)
	}
	s.OK("functions", "call", "hello", "--region", "us-central1", "--cloud-event",
		`{"specversion":"1.0","id":"e-1","source":"//x","type":"x","data":{"a":1}}`)
	g.ok("functions describe hello"+region, "entryPoint: hello_event", "availableMemory: 256M")
	g.ok("functions list", "hello", "HTTP Trigger", "us-central1")
	s.Eventually(30*time.Second, "gcloud reads the log", func() error {
		if out := g.ok("functions logs read hello" + region); !strings.Contains(out, "event e-1") {
			return fmt.Errorf("log:\n%s", out)
		}
		return nil
	})
	g.ok("functions call hello" + region + " --cloud-event " + `{"specversion":"1.0","id":"e-2","source":"//x","type":"x","data":{}}`)
	g.ok("functions add-invoker-policy-binding hello"+region+" --member user:a@example.com", "user:a@example.com", "roles/run.invoker")
	g.ok("functions remove-invoker-policy-binding hello" + region + " --member user:a@example.com")
	g.ok("functions runtimes list"+region, "python311", "nodejs20")
	first := strings.Replace(deploy, "deploy hello --gen2", "deploy old --no-gen2", 1)
	g.ok(first+" --runtime python311 --entry-point hello_http --allow-unauthenticated --update-labels a=b", "status: ACTIVE",
		"url: http://functions.localhost:"+s.Port+"/sunya/us-central1/old", "versionId: '1'", "securityLevel: SECURE_ALWAYS")
	g.ok(`functions call old`+region+` --data {"name":"x"}`, "executionId:", "result: Hello x! /")
	g.ok(first+" --memory 512MB --no-allow-unauthenticated", "availableMemoryMb: 512", "a: b")
	g.ok("functions list", "2nd gen", "1st gen")
	g.ok("functions logs read old"+region, "started in")
	g.ok("functions delete old"+region+" --quiet", "Deleted")
	g.ok("functions delete hello"+region+" --quiet", "Deleted [projects/sunya/locations/us-central1/functions/hello]")
	g.fails("functions describe hello"+region, "not found")
}
