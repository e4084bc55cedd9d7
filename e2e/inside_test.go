//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// insideFunction is told of an upload, and says in another bucket what it has read
// and what else it has got.
const insideFunction = `import json
import urllib.error
import urllib.request

import functions_framework
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import pubsub_v1, storage

client = storage.Client()
publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
AT = "http://169.254.169.254:8085"


def status(path, method="GET", body=None):
    try:
        return urllib.request.urlopen(urllib.request.Request(AT + path, data=body, method=method, headers={"Content-Type": "application/json"}), timeout=20).status
    except urllib.error.HTTPError as e:
        return e.code


def outcome(do):
    try:
        return str(do())
    except GoogleAPICallError as e:
        return f"{type(e).__name__}: {e.message}"


def exchange():
    topic, name = "projects/sunya/topics/letters", "projects/sunya/subscriptions/own"
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=name, topic=topic)
    publisher.publish(topic, b"hello", of="projects/other1/topics/x").result(20)
    got = []
    stream = subscriber.subscribe(name, callback=lambda m: (got.append(m.data.decode()), m.ack(), stream.cancel()))
    stream.result(30)
    return got


@functions_framework.cloud_event
def look(event):
    read = client.bucket(event.data["bucket"]).blob(event.data["name"]).download_as_text()
    large = client.bucket("results").blob("large")
    large.chunk_size = 256 << 10
    large.upload_from_string(b"x" * (600 << 10))
    foreign = client.bucket("foreign")
    said = {
        "read": read,
        "large": len(large.download_as_bytes()),
        "buckets": sorted(b.name for b in client.list_buckets() if b.name in ("results", "uploads", "foreign")),
        "made": client.create_bucket("made-inside").name,
        "exchange": exchange(),
        "foreign read": outcome(lambda: foreign.blob("secret").download_as_text()),
        "foreign write": outcome(lambda: foreign.blob("new").upload_from_string("x")),
        "foreign copy": outcome(lambda: foreign.copy_blob(foreign.blob("secret"), client.bucket("results"))),
        "foreign list": outcome(lambda: list(client.list_buckets(project="other1"))),
        "foreign topic": outcome(lambda: publisher.create_topic(name="projects/other1/topics/letters")),
        "foreign xml": status("/foreign/secret"),
        "foreign rest": status("/v1/projects/other1/topics"),
        "push": outcome(lambda: subscriber.create_subscription(request={"name": "projects/sunya/subscriptions/push", "topic": "projects/sunya/topics/letters",
            "push_config": {"push_endpoint": "http://127.0.0.1/"}})),
        "rest": status("/v1/projects/sunya/topics"),
        "apps": status("/v1/apps/sunya/services"),
        "functions": status("/v2/projects/sunya/locations/local/functions"),
        "status": status("/sunya/v1/status"),
        "named": status("/run.googleapis.com/v2/projects/sunya/locations/local/services"),
        "tokens": status("/v1/projects/-/serviceAccounts/sunya@appspot.gserviceaccount.com:generateAccessToken", "POST", b'{"scope":["x"]}'),
    }
    client.bucket("results").blob("said").upload_from_string(json.dumps(said))
`

// TestInside: a function that is told of an upload reads it with Google's own
// client, unmodified, uses Pub/Sub, and reaches neither what is of another project
// nor anything else of the API.
func TestInside(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	objects := storageClient(t, s)
	for bucket, project := range map[string]string{"uploads": "sunya", "results": "sunya", "foreign": "other1"} {
		if err := objects.Bucket(bucket).Create(t.Context(), project, nil); err != nil {
			t.Fatal(err)
		}
	}
	write := func(bucket, name, text string) {
		t.Helper()
		w := objects.Bucket(bucket).Object(name).NewWriter(t.Context())
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("foreign", "secret", "theirs")
	dir := platform.Files(t, map[string]string{"main.py": insideFunction, "requirements.txt": "functions-framework\ngoogle-cloud-storage\ngoogle-cloud-pubsub\n"})
	s.OK("functions", "deploy", "look", "--gen2", "--source", dir, "--runtime", "python312", "--memory", "512Mi", "--trigger-bucket", "uploads")
	write("uploads", "letter.txt", "dear reader")

	var said map[string]any
	s.Eventually(90*time.Second, "the function has said what it saw", func() error {
		r, err := objects.Bucket("results").Object("said").NewReader(t.Context())
		if err != nil {
			return fmt.Errorf("%w; it has logged %s", err, s.OK("functions", "logs", "read", "look").Stdout)
		}
		defer r.Close()
		return json.NewDecoder(r).Decode(&said)
	})
	refused := func(resource, owner string) string {
		return resource + ": it is of project " + owner + ", and an instance of project sunya reaches what is its own project's: use that, or call from outside"
	}
	for what, want := range map[string]string{
		"read": "dear reader", "large": "614400", "buckets": "[results uploads]", "made": "made-inside", "exchange": "[hello]", "rest": "200",
		"foreign topic": "PermissionDenied: " + refused("projects/other1/topics/letters", "other1"),
		"foreign xml":   "403", "foreign rest": "403",
		"apps": "404", "functions": "404", "status": "404", "named": "404", "tokens": "404",
	} {
		if got := fmt.Sprint(said[what]); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	for _, what := range []string{"foreign read", "foreign write", "foreign copy", "foreign list"} {
		if got := fmt.Sprint(said[what]); len(got) < 9 || got[:9] != "Forbidden" {
			t.Errorf("%s: %s, want Forbidden", what, got)
		}
	}
	if got := fmt.Sprint(said["push"]); len(got) < 16 || got[:16] != "PermissionDenied" {
		t.Errorf("a subscription that pushes: %s, want PermissionDenied", got)
	}
}
