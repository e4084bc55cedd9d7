//go:build e2e

package e2e

import (
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

// TestEvents publishes and uploads, and looks at what functions of both
// generations get.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := writeEventFunctions(t)
	s.OK("functions", "deploy", "cloud", "--runtime", "python311", "--source", dir, "--trigger-topic", "letters")
	s.OK("functions", "deploy", "background", "--no-gen2", "--runtime", "python311", "--source", dir, "--trigger-topic", "letters")

	t.Run("a published message", func(t *testing.T) {
		s.OK("pubsub", "topics", "publish", "letters", "--message", "hello", "--attribute", "colour=red")
		hello := func(e *shownEvent) bool { return e.message()["data"] == "aGVsbG8=" }
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
}
