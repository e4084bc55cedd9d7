//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestFunctionsConformance holds functions that are deployed here against what
// the conformance suite of Google's functions frameworks asks of one: requests
// (also at once), typed functions, and 17 types of events, as CloudEvents and as
// the first generation's, each to functions of both kinds.
func TestFunctionsConformance(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	for _, c := range conformants {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.needs); c.needs != "" && err != nil {
				t.Skipf("SKIP: no %s on this machine", c.needs)
			}
			r := conformance{t, s.For(t), c, platform.Files(t, c.files)}
			r.requests()
			r.types()
			r.cloudEvents()
			r.backgroundEvents()
		})
	}
}

// conformance is one language on its way through the test.
type conformance struct {
	t *testing.T
	s *platform.Server
	conformant
	dir string
}

// deploy returns the host of a function that everybody may call.
func (r conformance) deploy(signature, entry string, more ...string) (host string) {
	r.t.Helper()
	name := "conf-" + r.name + "-" + signature
	args := append([]string{"functions", "deploy", name, "--runtime", r.runtime, "--entry-point", entry, "--source", r.dir, "--region", "us-central1", "--allow-unauthenticated", "--quiet"}, more...)
	if res := r.s.CLI(args...); res.Code != 0 {
		r.t.Fatalf("deploy %s: %d\n%s", name, res.Code, platform.Tail(res.Stderr, 3000))
	}
	return name + ".localhost:" + r.s.Port
}

func (r conformance) post(host, path, body string, header ...string) (int, string) {
	r.t.Helper()
	return r.send(http.MethodPost, host, path, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

func (r conformance) send(method, host, path, body string, header ...string) (int, string) {
	r.t.Helper()
	resp, got, err := sendTo(r.s, method, host, path, body, header...)
	if err != nil {
		r.t.Fatalf("%s %s%s: %v", method, host, path, err)
	}
	return resp.StatusCode, got
}

// requests: any method, any path, the body as it was sent; and four at once in
// one instance.
func (r conformance) requests() {
	host := r.deploy("http", r.http, "--cpu", "1", "--memory", "512Mi", "--concurrency", "8", "--max-instances", "1")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
		const body = `{"res":"é"}`
		want := method + " /a/b\n" + body
		if code, got := r.send(method, host, "/a/b?c=d", body, "Content-Type", "application/json"); code != http.StatusOK || got != want {
			r.t.Errorf("%s: %d %q, want %q", method, code, got, want)
		}
	}
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() {
			resp, body, err := sendTo(r.s, http.MethodGet, host, "/meet", "")
			if err != nil {
				body = err.Error()
			} else if resp.StatusCode != http.StatusOK {
				body = resp.Status
			}
			answers <- body
		}()
	}
	for range cap(answers) {
		if got := <-answers; got != "met" {
			r.t.Errorf("four requests at once: %q", got)
		}
	}
}

// types: JSON to a value and back.
func (r conformance) types() {
	host := r.deploy("typed", r.typed)
	code, got := r.post(host, "/", `{"message":"Hello world!"}`)
	if want := map[string]any{"payload": map[string]any{"message": "Hello world!"}}; code != http.StatusOK || !cmp.Equal(any(want), fromJSON(got)) {
		r.t.Errorf("typed: %d %s", code, got)
	}
	if code, got := r.post(host, "/", `{"message":`); code < 400 {
		r.t.Errorf("half a document: %d %s", code, got)
	}
}

// cloudEvents: a CloudEvent function gets all kinds in both forms.
func (r conformance) cloudEvents() {
	host := r.deploy("cloudevent", r.cloudevent)
	want := map[string]seenEvent{}
	for i, k := range eventKinds() {
		id := "c" + strconv.Itoa(i)
		want[id] = k.wantCloud(id, true)
		r.event(host, k.cloudEvent(id), i%2 == 0)
		id = "l" + strconv.Itoa(i)
		want[id] = k.wantCloud(id, false)
		r.accepts(r.post(host, "/", k.legacyBody(id)))
	}
	r.sees(host, want)
}

// backgroundEvents: so does a function of the first generation.
func (r conformance) backgroundEvents() {
	host := r.deploy("event", r.conformant.event, r.eventFlags...)
	want := map[string]seenEvent{}
	for i, k := range eventKinds() {
		id := "l" + strconv.Itoa(i)
		want[id] = k.wantLegacy(id, false)
		r.accepts(r.post(host, "/", k.legacyBody(id)))
		id = "c" + strconv.Itoa(i)
		want[id] = k.wantLegacy(id, true)
		r.event(host, k.cloudEvent(id), true) // Go's framework knows no other mode here
	}
	r.sees(host, want)
}

// event sends a CloudEvent in binary or in structured mode.
func (r conformance) event(host, event string, binary bool) {
	r.t.Helper()
	if !binary {
		r.accepts(r.send(http.MethodPost, host, "/", event, "Content-Type", "application/cloudevents+json"))
		return
	}
	attributes := fromJSON(event).(map[string]any)
	var header []string
	for name, value := range attributes {
		if name != "data" && name != "datacontenttype" {
			header = append(header, "ce-"+name, fmt.Sprint(value))
		}
	}
	r.accepts(r.post(host, "/", toJSON(attributes["data"]), header...))
}

func (r conformance) accepts(code int, body string) {
	r.t.Helper()
	if code/100 != 2 {
		r.t.Errorf("an event is answered with %d %s", code, platform.Tail(body, 500))
	}
}

// sees compares what a function has printed.
func (r conformance) sees(host string, want map[string]seenEvent) {
	r.t.Helper()
	name, _, _ := strings.Cut(host, ".")
	var got map[string]seenEvent
	r.s.Eventually(30*time.Second, fmt.Sprintf("%d events are in the log of %s", len(want), name), func() error {
		got = r.printed(name)
		if len(got) < len(want) {
			return fmt.Errorf("%d", len(got))
		}
		return nil
	})
	for id, w := range want {
		if diff := cmp.Diff(w.plain(), got[id].plain()); diff != "" {
			r.t.Errorf("%s: %s (-want +got):\n%s", name, id, diff)
		}
	}
}

// printed are the events in a function's log by their ids.
func (r conformance) printed(name string) map[string]seenEvent {
	out := map[string]seenEvent{}
	for line := range strings.Lines(r.s.OK("functions", "logs", "read", name, "--limit", "1000", "--filter", `textPayload:"EVENT"`, "--json").Stdout) {
		var entry struct{ TextPayload string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			r.t.Fatalf("%q: %v", line, err)
		}
		text, ok := strings.CutPrefix(entry.TextPayload, "EVENT ")
		if !ok {
			continue
		}
		var e seenEvent
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			r.t.Fatalf("%q: %v", text, err)
		}
		out[e.ID] = e
	}
	return out
}

// sendTo sends one request to an app.
func sendTo(s *platform.Server, method, host, path, body string, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Host = host
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := platform.Client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}
