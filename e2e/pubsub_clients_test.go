//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestPubSubClients does with Google's clients what programs do with topics and
// subscriptions.
func TestPubSubClients(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	for _, c := range []struct {
		lib    library
		script string
	}{
		{pythonLibrary, "pubsub_everyday.py"},
		{nodeLibrary, "pubsub_everyday.js"},
		{javaLibrary, "PubSubEveryday.java"},
	} {
		t.Run(c.lib.name, func(t *testing.T) {
			t.Parallel()
			c.lib.run(t, s.For(t), c.script)
		})
	}
}

// TestGcloudPubSub does with an unmodified gcloud, pointed here by what sunya env
// prints, what its users do with Pub/Sub. A call takes a second or two: here is one
// of each kind, the verbs of sunya pubsub and the clients do the rest.
func TestGcloudPubSub(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("SKIP: no gcloud on this machine")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	avro := filepath.Join(t.TempDir(), "letter.avsc")
	if err := os.WriteFile(avro, []byte(`{"type":"record","name":"L","fields":[{"name":"text","type":"string"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	g.ok("pubsub topics create letters --message-retention-duration 1d", "Created topic [projects/sunya/topics/letters]")
	g.ok("pubsub subscriptions create mine --topic letters --ack-deadline 20 --enable-message-ordering", "Created subscription [projects/sunya/subscriptions/mine]")
	g.ok("pubsub snapshots create before --subscription mine", "Created snapshot")
	g.ok("pubsub topics publish letters --message hello --attribute lang=en", "messageIds")
	g.ok("pubsub subscriptions pull mine --auto-ack --format json", "aGVsbG8=", `"lang": "en"`)
	g.ok("pubsub subscriptions seek mine --snapshot before")
	g.ok("pubsub subscriptions update mine --ack-deadline 30 --expiration-period never")
	g.ok("pubsub subscriptions describe mine", "ackDeadlineSeconds: 30", "enableMessageOrdering: true")

	g.ok("pubsub schemas create letter --type avro --definition-file "+avro, "Created schema [letter]")
	g.fails(`pubsub schemas validate-message --message {"text":1} --message-encoding json --schema-name letter`, "Message failed schema validation")
	g.ok("pubsub topics create strict --schema letter --message-encoding json")
	g.fails("pubsub topics publish strict --message hello", "Message failed schema validation")

	g.ok("pubsub topics add-iam-policy-binding letters --member allUsers --role roles/pubsub.viewer", "roles/pubsub.viewer")

	g.fails("pubsub topics describe none", "Resource not found (resource=none)")
	g.ok("pubsub topics delete letters", "Deleted topic")
}
