//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// languageFunction is a source with three functions, which every language
// writes in its own way: one that greets (name from the query or from JSON,
// then the path) and fails on the path /crash, one that prints "event ID WHAT"
// of a CloudEvent, where WHAT is a message's data or an object's name.
type languageFunction struct {
	name    string // of the functions, unique
	runtime string
	needs   string // a program without which it cannot be built; empty: none
	fetch   string // a command in the source that names what it stands on, from the network, in the file fetched; empty: none
	fetched string
	http    string // the function that greets; empty: it is found without being named
	event   string
	files   map[string]string
	broken  map[string]string // files with an error in their syntax; nil: not tried
	found   string            // what a deploy of a function named nope says
	says    string            // what a deploy of broken says
	open    bool              // favicon.ico and robots.txt reach the function
}

func languageFunctions() []languageFunction {
	return slices.Concat(nodeFunctions, goFunctions, javaFunctions, scriptFunctions)
}

// TestFunctionLanguages: the same things are true of functions in every
// language.
func TestFunctionLanguages(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	for _, example := range [][3]string{{"python", "python311", "hello"}, {"node", "nodejs20", "hello"}, {"go", "go121", "Hello"}} {
		name := "hello-function-" + example[0]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.OK("functions", "deploy", name, "--runtime", example[1], "--entry-point", example[2], "--source", "../examples/"+name, "--allow-unauthenticated", "--quiet")
			if got := s.Get(name+".localhost:"+s.Port, "/"); strings.TrimSpace(got) != greeting {
				t.Errorf("%q", got)
			}
		})
	}
	for _, example := range [][]string{
		{"functions-event-python", "python311", "on_message"}, {"functions-event-node", "nodejs20", "onMessage", "--signature-type", "event"}, {"functions-event-go", "go121", "OnMessage"},
	} {
		name, source := example[0], "../examples/"+example[0]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.For(t)
			s.OK(append([]string{"functions", "deploy", name, "--runtime", example[1], "--entry-point", example[2], "--source", source, "--quiet"}, example[3:]...)...)
			s.OK("functions", "call", name, "--cloud-event", source+"/event.json")
			s.Eventually(30*time.Second, "the message is in the log", func() error {
				if log := s.OK("functions", "logs", "read", name).Stdout; !strings.Contains(log, greeting) {
					return fmt.Errorf("log:\n%s", log)
				}
				return nil
			})
		})
	}
	t.Run("functions-typed-python", func(t *testing.T) {
		t.Parallel()
		s := s.For(t)
		s.OK("functions", "deploy", "greet", "--runtime", "python311", "--source", "../examples/functions-typed-python", "--quiet")
		if got := s.OK("functions", "call", "greet", "--data", `{"name":"you"}`).LastLine(); got != `{"text": "Hello you!"}` {
			t.Errorf("%q", got)
		}
	})
	for _, f := range languageFunctions() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(f.needs); f.needs != "" && err != nil {
				t.Skipf("SKIP: no %s on this machine", f.needs)
			}
			f.files = fetched(t, f)
			r := functionRun{t, s, f}
			r.answers()
			r.takesEvents()
			r.refuses()
		})
	}
}

// fetched are the files with what fetch leaves; the test is skipped where the
// network has none of it.
func fetched(t *testing.T, f languageFunction) map[string]string {
	t.Helper()
	if f.fetch == "" {
		return f.files
	}
	dir := platform.Files(t, f.files)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", f.fetch)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIP: %s: %v: the functions framework is out of reach\n%s", f.fetch, err, platform.Tail(string(out), 500))
	}
	text, err := os.ReadFile(filepath.Join(dir, f.fetched))
	if err != nil {
		t.Fatal(err)
	}
	files := maps.Clone(f.files)
	files[f.fetched] = string(text)
	return files
}

// functionRun is one source on its way through the test.
type functionRun struct {
	t *testing.T
	s *platform.Server
	languageFunction
}

func (r functionRun) deploy(name, entry string, files map[string]string, more ...string) platform.Result {
	r.t.Helper()
	args := append([]string{"functions", "deploy", name, "--runtime", r.runtime, "--source", platform.Files(r.t, files), "--region", "us-central1", "--quiet"}, more...)
	if entry != "" {
		args = append(args, "--entry-point", entry)
	}
	return r.s.CLI(args...)
}

func (r functionRun) deployed(name, entry string, more ...string) {
	r.t.Helper()
	if res := r.deploy(name, entry, r.files, more...); res.Code != 0 {
		r.t.Fatalf("deploy: %d\n%s\n%s", res.Code, res.Stdout, platform.Tail(res.Stderr, 3000))
	}
}

// answers: requests, and what the frameworks do by themselves.
func (r functionRun) answers() {
	name := r.name
	r.deployed(name, r.http, "--allow-unauthenticated")
	host := name + ".localhost:" + r.s.Port
	if got := r.s.Get(host, "/x?name=You"); got != "Hello You! /x" {
		r.t.Errorf("GET: %q", got)
	}
	if got := r.s.OK("functions", "call", name, "--region", "us-central1", "--data", `{"name":"x"}`).LastLine(); got != "Hello x! /" {
		r.t.Errorf("call: %q", got)
	}
	for _, path := range []string{"/favicon.ico", "/robots.txt"} {
		want := http.StatusNotFound
		if r.open {
			want = http.StatusOK
		}
		if code, _, _ := r.s.Try(host, path); code != want {
			r.t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	resp, _ := exchange(r.t, r.s, "GET", host, "/crash")
	if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("X-Google-Status") != "" {
		r.t.Errorf("a crash: %d, X-Google-Status %q", resp.StatusCode, resp.Header.Get("X-Google-Status"))
	}
	r.s.Eventually(30*time.Second, "the function serves after a crash", func() error {
		if code, body, err := r.s.Try(host, "/"); code != http.StatusOK || body != "Hello World! /" {
			return fmt.Errorf("%d %q, %v", code, body, err)
		}
		return nil
	})
}

// takesEvents: CloudEvents as triggers send them.
func (r functionRun) takesEvents() {
	name := r.name + "-event"
	r.deployed(name, r.event)
	const event = `{"specversion":"1.0","id":%q,"source":"//x","type":%q,"data":%s}`
	for _, e := range []string{
		fmt.Sprintf(event, "e-1", "google.cloud.pubsub.topic.v1.messagePublished", `{"message":{"data":"aGk="}}`),
		fmt.Sprintf(event, "e-2", "google.cloud.storage.object.v1.finalized", `{"bucket":"b","name":"f.txt"}`),
	} {
		r.s.OK("functions", "call", name, "--region", "us-central1", "--cloud-event", e)
	}
	r.s.Eventually(30*time.Second, "the events are in the log", func() error {
		log := r.s.OK("functions", "logs", "read", name).Stdout
		if !strings.Contains(log, "event e-1 aGk=") || !strings.Contains(log, "event e-2 f.txt") {
			return fmt.Errorf("log:\n%s", log)
		}
		return nil
	})
}

// refuses: what cannot become a function is a failed build that says why.
func (r functionRun) refuses() {
	for want, try := range map[string]struct {
		entry string
		files map[string]string
	}{
		r.found: {"nope", nil}, r.says: {r.event, r.broken},
	} {
		if want == "" {
			continue
		}
		files := maps.Clone(r.files)
		maps.Copy(files, try.files)
		res := r.deploy(r.name+"-event", try.entry, files)
		if res.Code != 6 || !strings.Contains(res.Stderr, want) {
			r.t.Errorf("exit %d, want 6 and %q:\n%s", res.Code, want, platform.Tail(res.Stderr, 3000))
		}
	}
}
