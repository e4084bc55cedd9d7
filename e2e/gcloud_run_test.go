//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// helloImage pushes the image of testdata/run/hello and returns its name.
func helloImage(t *testing.T, s *platform.Server) string {
	t.Helper()
	program := platform.Program(t, "./testdata/run/hello")
	s.Push(platform.Image(t, map[string][]byte{"/hello": program}, v1.Config{Entrypoint: []string{"/hello"}}), "sunya/hello:v1")
	return "gcr.io/sunya/hello:v1"
}

// TestGcloudRun does with an unmodified gcloud what its users do with a service.
func TestGcloudRun(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	image := helloImage(t, s)
	host := "hello.localhost:" + s.Port
	const region = " --region us-central1"

	g.ok("run deploy hello --allow-unauthenticated --image "+image+region+" --set-env-vars COLOUR=blue --concurrency 10",
		"has been deployed and is serving 100 percent of traffic", "Service URL: http://"+host)
	first := s.Get(host, "/revision")
	if !strings.HasPrefix(first, "hello-00001-") {
		t.Errorf("the service answers as %q", first)
	}
	g.ok("run services describe hello"+region, image, "COLOUR", "http://"+host, "Concurrency:       10")
	g.ok("run services list", "hello", "us-central1", "http://"+host)

	g.ok("run services update hello --memory 256Mi --no-traffic --tag next"+region, "http://next---"+host)
	second := s.Get("next---"+host, "/revision")
	if got := s.Get(host, "/revision"); got != first || second == first {
		t.Errorf("--no-traffic: the service answers as %q, the tag as %q", got, second)
	}
	g.ok("run services update-traffic hello --to-tags next=100"+region, "100% "+second, "next: http://next---"+host)
	if got := s.Get(host, "/revision"); got != second {
		t.Errorf("after update-traffic the service answers as %q, want %q", got, second)
	}
	g.ok("run revisions list --service hello"+region, first, second, "yes")
	g.ok("run revisions describe "+first+region, image[:strings.IndexByte(image, ':')]+"@sha256:")

	// A file that gcloud wrote makes the service what it was, and more.
	export := strings.Replace(g.ok("run services describe hello --format export"+region), "name: "+second, "", 1)
	yaml := platform.Files(t, map[string]string{"service.yaml": strings.Replace(export, "blue", "green", 1), "bad.yaml": strings.Replace(export, "containers:", "containres:", 1)})
	g.ok("run services replace "+yaml+"/service.yaml"+region, "http://"+host)
	g.ok("run services describe hello"+region, "green")
	g.fails("run services replace "+yaml+"/bad.yaml"+region, "containres")

	g.ok("run services update-traffic hello --remove-tags next --to-revisions "+first+"=100"+region, "100% "+first)

	g.ok("run services remove-iam-policy-binding hello --member allUsers --role roles/run.invoker"+region, "Updated IAM policy")
	if code, _, _ := s.Try(host, "/"); code != http.StatusForbidden {
		t.Errorf("a private service answers strangers with %d", code)
	}
	g.ok("run services add-iam-policy-binding hello --member allUsers --role roles/run.invoker"+region, "allUsers")
	s.Get(host, "/log")
	s.Eventually(30*time.Second, "gcloud reads the log", func() error {
		if out := g.ok("run services logs read hello --limit 50" + region); !strings.Contains(out, "/log") {
			return fmt.Errorf("log:\n%s", platform.Tail(out, 2000))
		}
		return nil
	})

	// What fails leaves what serves.
	g.fails("run deploy hello --image "+image+region+" --update-env-vars MODE=crash", "is not ready and cannot serve traffic")
	if code, _, _ := s.Try(host, "/"); code != http.StatusOK {
		t.Errorf("after a failed deploy the service answers %d", code)
	}
	g.fails("run deploy hello --image "+image+region+" --memory 12Q", "memory")
	// A source without a Dockerfile is built by its language.
	src := platform.Files(t, map[string]string{"main.py": platform.BareMain("from source"), "Procfile": "web: python3 main.py\n", "requirements.txt": ""})
	g.ok("run deploy sourced --allow-unauthenticated --source "+src+region, "Building using Buildpacks", "Service URL: http://sourced.localhost:"+s.Port)
	if got := s.Get("sourced.localhost:"+s.Port, "/"); got != "from source" {
		t.Errorf("the service of a source answers %q", got)
	}

	g.ok("run revisions delete "+second+region+" --quiet", "Deleted revision")
	g.fails("run revisions delete "+first+region+" --quiet", "traffic")
	g.ok("run services delete hello"+region+" --quiet", "Deleted service [hello]")
	g.fails("run services describe hello"+region, "Cannot find service")
}
