//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// eventFunctions are functions of both kinds that log what they get, one JSON
// object after the word EVENT.
const eventFunctions = `import json, functions_framework

@functions_framework.cloud_event
def cloud(event):
    show(event["id"], event["type"], event.get_time() if hasattr(event, "get_time") else event["time"], event["source"], event.get("subject"), event.data)

def background(data, context):
    show(context.event_id, context.event_type, context.timestamp, context.resource, None, data)

def fails(data, context):
    raise RuntimeError("never")

def show(id, type, time, source, subject, data):
    print("EVENT", json.dumps({"id": id, "type": type, "time": str(time), "source": source, "subject": subject, "data": data}), flush=True)
`

// shownEvent is what the functions log.
type shownEvent struct {
	ID, Type, Time, Subject string
	Source                  any
	Resource                string // in Node and Go
	Data                    map[string]any
}

// eventsOf are the events that a function has logged.
func eventsOf(s *platform.Server, function string) (out []shownEvent) {
	for line := range strings.SplitSeq(s.OK("functions", "logs", "read", function, "--limit", "500").Stdout, "\n") {
		_, text, ok := strings.Cut(line, "EVENT ")
		var e shownEvent
		if ok && json.Unmarshal([]byte(text), &e) == nil {
			out = append(out, e)
		}
	}
	return out
}

// awaitEvent waits until a function has logged an event that is wanted.
func awaitEvent(s *platform.Server, function, what string, wanted func(e *shownEvent) bool) (found shownEvent) {
	s.Eventually(60*time.Second, function+" sees "+what, func() error {
		all := eventsOf(s, function)
		for i := range all {
			if wanted(&all[i]) {
				found = all[i]
				return nil
			}
		}
		return fmt.Errorf("%d events: %+v", len(all), all)
	})
	return found
}

// messageOf returns the message in a Pub/Sub event of either form.
func (e *shownEvent) message() map[string]any {
	if m, ok := e.Data["message"].(map[string]any); ok {
		return m
	}
	return e.Data
}

func writeEventFunctions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.py"), []byte(eventFunctions), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventServer is a service of Cloud Run that logs what it gets.
const eventServer = `import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        h = self.headers
        print("EVENT", json.dumps({"id": h["ce-id"], "type": h["ce-type"], "time": h["ce-time"], "source": h["ce-source"], "subject": h["ce-subject"],
            "path": self.path, "authorized": str(h["authorization"])[:7], "data": json.loads(body)}), flush=True)
        self.send_response(204)
        self.end_headers()

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`

// TestEvents publishes and uploads, and looks at what functions of both
// generations and a service get.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := writeEventFunctions(t)
	objects := storageClient(t, s)
	if err := objects.Bucket("inbox").Create(t.Context(), "sunya", nil); err != nil {
		t.Fatal(err)
	}
	deploy := func(name string, flags ...string) {
		t.Helper()
		s.OK(append([]string{"functions", "deploy", name, "--runtime", "python311", "--source", dir}, flags...)...)
	}
	deploy("cloud", "--trigger-topic", "letters")
	deploy("background", "--no-gen2", "--trigger-topic", "letters")
	deploy("cloud-files", "--entry-point", "cloud", "--trigger-bucket", "inbox")
	deploy("background-files", "--no-gen2", "--entry-point", "background", "--trigger-bucket", "inbox")

	hello := func(e *shownEvent) bool { return e.message()["data"] == "aGVsbG8=" }
	t.Run("a published message", func(t *testing.T) {
		s := s.For(t)
		s.OK("pubsub", "topics", "publish", "letters", "--message", "hello", "--attribute", "colour=red")
		got := awaitEvent(s, "cloud", "the message", hello)
		message := got.message()
		if got.Type != "google.cloud.pubsub.topic.v1.messagePublished" || got.Source != "//pubsub.googleapis.com/projects/sunya/topics/letters" || message["messageId"] != got.ID ||
			fmt.Sprint(message["attributes"]) != "map[colour:red]" || !strings.HasPrefix(fmt.Sprint(got.Data["subscription"]), "projects/sunya/subscriptions/eventarc-local-cloud-") {
			t.Errorf("cloud got %+v", got)
		}
		old := awaitEvent(s, "background", "the message", hello)
		want := map[string]any{"service": "pubsub.googleapis.com", "name": "projects/sunya/topics/letters", "type": "type.googleapis.com/google.pubsub.v1.PubsubMessage"}
		if old.ID != got.ID || old.Type != "google.pubsub.topic.publish" || fmt.Sprint(old.Source) != fmt.Sprint(want) || old.Data["@type"] != want["type"] {
			t.Errorf("background got %+v", old)
		}
	})
	t.Run("an uploaded object", func(t *testing.T) {
		s := s.For(t)
		w := objects.Bucket("inbox").Object("dir/a b.txt").NewWriter(t.Context())
		if _, err := w.Write([]byte("twelve bytes")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		generation := fmt.Sprint(w.Attrs().Generation)
		this := func(e *shownEvent) bool { return e.Data["generation"] == generation }
		got := awaitEvent(s, "cloud-files", "the object", this)
		if got.Type != "google.cloud.storage.object.v1.finalized" || got.Source != "//storage.googleapis.com/projects/_/buckets/inbox" || got.Subject != "objects/dir/a%20b.txt" /* Python's SDK leaves it as the header has it */ ||
			got.Data["name"] != "dir/a b.txt" || got.Data["bucket"] != "inbox" || got.Data["size"] != "12" {
			t.Errorf("cloud got %+v", got)
		}
		old := awaitEvent(s, "background-files", "the object", this)
		want := map[string]any{"service": "storage.googleapis.com", "name": "projects/_/buckets/inbox/objects/dir/a b.txt", "type": "storage#object"}
		if old.Type != "google.storage.object.finalize" || fmt.Sprint(old.Source) != fmt.Sprint(want) || old.Data["kind"] != "storage#object" {
			t.Errorf("background got %+v", old)
		}
	})
	t.Run("a service", func(t *testing.T) {
		s := s.For(t)
		source := platform.Files(t, map[string]string{"main.py": eventServer, "Procfile": "web: python3 main.py\n", "requirements.txt": ""})
		s.OK("run", "deploy", "sink", "--source", source, "--no-allow-unauthenticated")
		s.OK("eventarc", "triggers", "create", "pngs", "--destination-run-service", "sink", "--destination-run-path", "/new", "--service-account", "sunya@appspot.gserviceaccount.com",
			"--event-filters", "type=google.cloud.storage.object.v1.finalized,bucket=inbox", "--event-filters-path-pattern", "object=pics/*.png")
		for _, name := range []string{"pics/a.txt", "pics/a.png"} {
			w := objects.Bucket("inbox").Object(name).NewWriter(t.Context())
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		awaitService(s, "sink", `"subject": "objects/pics/a.png", "path": "/new", "authorized": "Bearer "`)
		if out := s.OK("run", "services", "logs", "read", "sink").Stdout; strings.Contains(out, "a.txt") {
			t.Errorf("the filter lets another object through:\n%s", out)
		}
		s.OK("eventarc", "triggers", "create", "clock", "--destination-run-service", "sink",
			"--event-filters", "type=google.cloud.scheduler.job.v1.executed,schedule=* * * * *")
		list := s.OK("eventarc", "triggers", "list").Stdout
		for _, want := range []string{"pngs", "clock", "service sink/new", "function cloud-files"} {
			if !strings.Contains(list, want) {
				t.Errorf("the list lacks %q:\n%s", want, list)
			}
		}
	})
	t.Run("the policy of a trigger", func(t *testing.T) { triggerPolicy(t, s.For(t), "projects/sunya/locations/local/triggers/pngs") })
	t.Run("Node and Go", func(t *testing.T) { eventsInLanguages(t, s.For(t), objects.Bucket("inbox"), "inbox") })
	t.Run("what fails", func(t *testing.T) { failingEvents(t, s.For(t), deploy) })
	t.Run("a killed server", func(t *testing.T) {
		s := s.For(t)
		// A kill takes the last tenth of a second of the log along: what a function
		// has answered in it is not in the backlog, and need not be in the log.
		killed := map[int]bool{10: true, 19: true}
		for i := range 20 {
			s.OK("pubsub", "topics", "publish", "letters", "--message", fmt.Sprintf("kill %d", i))
			if killed[i] {
				s.Kill()
				s.Up()
			}
		}
		for _, function := range []string{"cloud", "background"} {
			s.Eventually(60*time.Second, function+" has seen all", func() error {
				described := s.OK("eventarc", "triggers", "describe", triggerOf(s, function)).Stdout
				if !strings.Contains(described, "backlog: 0") {
					return fmt.Errorf("there is a backlog:\n%s", described)
				}
				seen := map[string]bool{}
				for _, e := range eventsOf(s, function) {
					seen[fmt.Sprint(e.message()["data"])] = true
				}
				for i := range 20 {
					if !killed[i] && !seen[base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "kill %d", i))] {
						return fmt.Errorf("message %d is missing", i)
					}
				}
				return nil
			})
		}
		awaitService(s, "sink", "google.cloud.scheduler.job.v1.executed")
	})
	t.Run("a deleted function", func(t *testing.T) {
		s := s.For(t)
		s.OK("functions", "delete", "cloud-files", "--yes")
		s.OK("functions", "deploy", "background-files", "--source", dir, "--trigger-topic", "letters")
		if list := s.OK("eventarc", "triggers", "list").Stdout; strings.Contains(list, "cloud-files") || strings.Count(list, "function background-files") != 1 {
			t.Errorf("left are:\n%s", list)
		}
		s.OK("pubsub", "topics", "publish", "letters", "--message", "again")
		awaitEvent(s, "background-files", "a message instead of an object", func(e *shownEvent) bool { return e.Data["data"] == "YWdhaW4=" })
	})
}

// awaitService waits until a service has logged a text.
func awaitService(s *platform.Server, service, text string) {
	s.Eventually(90*time.Second, service+" logs "+text, func() error {
		if out := s.OK("run", "services", "logs", "read", service, "--limit", "200").Stdout; !strings.Contains(out, text) {
			return fmt.Errorf("log:\n%s", out)
		}
		return nil
	})
}

// triggerOf is the id of a function's trigger.
func triggerOf(s *platform.Server, function string) string {
	for line := range strings.Lines(s.OK("eventarc", "triggers", "list").Stdout) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == function {
			return f[0]
		}
	}
	return ""
}

// failingEvents has a function fail for ever: one event is dropped, another is
// tried until it is in the dead letter topic, and nobody else waits for them.
func failingEvents(t *testing.T, s *platform.Server, deploy func(name string, flags ...string)) {
	deploy("drops", "--no-gen2", "--entry-point", "fails", "--trigger-topic", "poison")
	deploy("retries", "--no-gen2", "--entry-point", "fails", "--trigger-topic", "poison", "--retry")
	var list []struct {
		Name        string
		Destination struct{ CloudFunction string }
		Transport   struct{ Pubsub struct{ Subscription string } }
	}
	if err := json.Unmarshal([]byte(s.OK("eventarc", "triggers", "list", "--format", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	triggers := map[string]string{}
	for _, x := range list {
		function := x.Destination.CloudFunction[strings.LastIndexByte(x.Destination.CloudFunction, '/')+1:]
		triggers[function] = x.Name
		if function == "retries" {
			s.OK("pubsub", "topics", "create", "graves")
			s.OK("pubsub", "subscriptions", "create", "graves", "--topic", "graves")
			s.OK("pubsub", "subscriptions", "update", x.Transport.Pubsub.Subscription, "--min-retry-delay", "100ms", "--max-retry-delay", "1s",
				"--dead-letter-topic", "graves", "--max-delivery-attempts", "5")
		}
	}
	s.OK("pubsub", "topics", "publish", "poison", "--message", "bad")
	s.OK("pubsub", "topics", "publish", "letters", "--message", "meanwhile")
	awaitEvent(s, "cloud", "a message while another function fails", func(e *shownEvent) bool { return e.message()["data"] == "bWVhbndoaWxl" })
	s.Eventually(60*time.Second, "both events are given up", func() error {
		out := s.OK("events", "list", "--failed").Stdout
		if !strings.Contains(out, "dropped") || !strings.Contains(out, "dead-lettered") {
			return fmt.Errorf("failed are:\n%s", out)
		}
		return nil
	})
	if out := s.OK("pubsub", "subscriptions", "pull", "graves", "--auto-ack").Stdout; !strings.Contains(out, "bad") {
		t.Errorf("in the dead letter topic is %q", out)
	}
	described := s.OK("eventarc", "triggers", "describe", triggers["retries"]).Stdout
	for _, want := range []string{"backlog: 0", "failedEvents: 1", "retried: 4", "dead-lettered: 1"} {
		if !strings.Contains(described, want) {
			t.Errorf("describe lacks %q:\n%s", want, described)
		}
	}
	if r := s.CLI("events", "replay", "--trigger", triggers["drops"]); r.Code == 0 || !strings.Contains(r.Stderr, "1 of 1 events failed again") {
		t.Errorf("replay to what still fails: %+v", r)
	}
	deploy("drops", "--no-gen2", "--entry-point", "background")
	if out := s.OK("events", "replay", "--trigger", triggers["drops"]).Stdout; !strings.Contains(out, "delivered") {
		t.Errorf("replay: %s", out)
	}
	awaitEvent(s, "drops", "what it had dropped", func(e *shownEvent) bool { return e.Data["data"] == "YmFk" })
	if out := s.OK("events", "list", "--failed", "--trigger", triggers["drops"]).Stdout; strings.Contains(out, "dropped") {
		t.Errorf("it is still there: %s", out)
	}
	if out := s.OK("events", "tail", "--no-follow").Stdout; !strings.Contains(out, "delivered") || !strings.Contains(out, "attempt 5") {
		t.Errorf("tail: %s", out)
	}
}
