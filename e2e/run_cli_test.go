//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestRunCommands is the way of a service with the command line, on an image:
// deployed, changed, split, rolled back, closed, deleted.
func TestRunCommands(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	image := helloImage(t, s)
	url := s.OK("run", "deploy", "hello", "--image", image, "--allow-unauthenticated", "--set-env-vars", "COLOUR=blue", "--args", "^;^a,b;c").Stdout
	if url != "http://hello.localhost:"+s.Port+"\n" {
		t.Fatalf("stdout = %q", url)
	}
	host := "hello.localhost:" + s.Port
	if got := s.Get(host, "/"); !strings.Contains(got, `"COLOUR":"blue"`) || !strings.Contains(got, `"args":["a,b","c"]`) {
		t.Errorf("the service answers %s", got)
	}
	first := s.Get(host, "/revision")

	// The port's default probe goes where the port goes.
	s.OK("run", "services", "update", "hello", "--port", "9000", "--update-env-vars", "SIZE=1")
	if got := s.Get(host, "/"); !strings.Contains(got, `"PORT":"9000"`) || !strings.Contains(got, `"COLOUR":"blue"`) || !strings.Contains(got, `"SIZE":"1"`) {
		t.Errorf("after the update the service answers %s", got)
	}
	second := s.Get(host, "/revision")

	tag := s.OK("run", "deploy", "hello", "--image", image, "--no-traffic", "--tag", "next", "--quiet").Stdout
	if tag != "http://next---"+host+"\n" {
		t.Errorf("stdout of --no-traffic --tag = %q", tag)
	}
	if got, next := s.Get(host, "/revision"), s.Get("next---"+host, "/revision"); got != second || next == second {
		t.Errorf("--no-traffic: the service answers as %q, the tag as %q", got, next)
	}
	table := s.OK("run", "services", "update-traffic", "hello", "--to-revisions", first+"=100").Stdout
	if !strings.Contains(table, "100% "+first) || s.Get(host, "/revision") != first {
		t.Errorf("rolled back:\n%s", table)
	}
	s.OK("run", "services", "update-traffic", "hello", "--to-latest", "--clear-tags")

	fails := func(code int, want string, args ...string) {
		t.Helper()
		r := s.CLI(append([]string{"run"}, args...)...)
		if r.Code != code || !strings.Contains(r.Stderr, want) {
			t.Errorf("sunya run %s: exit %d, want %d with %q\n%s", strings.Join(args, " "), r.Code, code, want, r.Stderr)
		}
	}
	fails(7, "this program ends at once", "deploy", "hello", "--image", image, "--update-env-vars", "MODE=crash")
	fails(2, "12Q", "deploy", "hello", "--image", image, "--memory", "12Q")
	fails(2, "resources.limits[cpu]", "services", "update", "hello", "--cpu", "3")
	fails(3, "nothing-like-it", "deploy", "other", "--image", "gcr.io/sunya/nothing-like-it")
	fails(3, "service not found", "services", "describe", "nope")
	fails(5, "traffic", "revisions", "delete", s.Get(host, "/revision"), "--yes")
	if got := s.Get(host, "/"); !strings.Contains(got, "COLOUR") {
		t.Errorf("after failures the service answers %s", got)
	}

	s.OK("run", "services", "remove-iam-policy-binding", "hello", "--member", "allUsers")
	if code, _, _ := s.Try(host, "/"); code != http.StatusForbidden {
		t.Errorf("a private service answers strangers with %d", code)
	}
	s.OK("run", "services", "add-iam-policy-binding", "hello", "--member", "allUsers")
	s.Get(host, "/log")
	s.Eventually(30*time.Second, "the log shows the request", func() error {
		for _, args := range [][]string{{"logs", "hello"}, {"run", "services", "logs", "read", "hello"}} {
			if out := s.OK(args...).Stdout; !strings.Contains(out, "/log") {
				return fmt.Errorf("%v:\n%s", args, platform.Tail(out, 2000))
			}
		}
		return nil
	})
	if got := s.OK("open", "hello").Stdout; got != url {
		t.Errorf("open prints %q", got)
	}

	// A file in Knative's form makes a service, and changes it.
	yaml := platform.Files(t, map[string]string{"service.yaml": "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: filed\n" +
		"spec:\n  template:\n    spec:\n      containers:\n      - image: " + image + "\n        env:\n        - name: FROM\n          value: file\n"})
	if got := s.OK("run", "services", "replace", yaml+"/service.yaml").Stdout; got != "http://filed.localhost:"+s.Port+"\n" {
		t.Errorf("replace prints %q", got)
	}
	exported := platform.Files(t, map[string]string{"service.yaml": strings.Replace(s.OK("run", "services", "describe", "filed", "--format", "export").Stdout, "value: file", "value: export", 1)})
	s.OK("run", "services", "replace", exported+"/service.yaml")
	s.OK("run", "services", "add-iam-policy-binding", "filed", "--member", "allUsers")
	if got := s.Get("filed.localhost:"+s.Port, "/"); !strings.Contains(got, `"FROM":"export"`) {
		t.Errorf("a service of a file answers %s", got)
	}

	// A directory becomes a service: by its language, and its Procfile. Again, it
	// is the same service with another revision.
	src := platform.Files(t, map[string]string{"shop/main.py": platform.BareMain("one"), "shop/Procfile": "web: python3 main.py\n", "shop/requirements.txt": ""})
	if got := s.OK("deploy", src+"/shop", "--allow-unauthenticated").Stdout; got != "http://shop.localhost:"+s.Port+"\n" {
		t.Errorf("deploy prints %q", got)
	}
	save(t, src, "shop/main.py", platform.BareMain("two"))
	s.OK("run", "deploy", "shop", "--source", src+"/shop")
	if got := s.Get("shop.localhost:"+s.Port, "/"); got != "two" {
		t.Errorf("the service of a source answers %q", got)
	}
	save(t, src, "shop/main.py", "def (")
	fails(6, "main.py", "deploy", "shop", "--source", src+"/shop")
	if got := s.Get("shop.localhost:"+s.Port, "/"); got != "two" {
		t.Errorf("after a failed build the service answers %q", got)
	}

	docker := platform.Files(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY --chmod=755 hello /\nCMD [\"/hello\", \"built\"]\n", "hello": string(platform.Program(t, "./testdata/run/hello"))})
	s.OK("run", "deploy", "docked", "--source", docker, "--allow-unauthenticated")
	if got := s.Get("docked.localhost:"+s.Port, "/"); !strings.Contains(got, `"args":["built"]`) {
		t.Errorf("the service of a Dockerfile answers %s", got)
	}

	s.OK("run", "services", "delete", "hello", "--yes")
	if code, _, _ := s.Try(host, "/"); code != http.StatusNotFound {
		t.Errorf("a deleted service answers %d", code)
	}
}
