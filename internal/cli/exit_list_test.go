package cli

import (
	"testing"

	"github.com/sunya-cloud/sunya"
)

// What is not found is looked for in the list of its own kind.
func TestRemedyListsTheKindThatWasNotFound(t *testing.T) {
	for command, want := range map[string]string{
		"sunya.app.services.delete":          "sunya app services list",
		"sunya.app.versions.describe":        "sunya app versions list",
		"sunya.functions.delete":             "sunya functions list",
		"sunya.run.services.describe":        "sunya run services list",
		"sunya.run.revisions.delete":         "sunya run revisions list",
		"sunya.run.jobs.execute":             "sunya run jobs list",
		"sunya.run.jobs.executions.describe": "sunya run jobs executions list",
		"sunya.images.describe":              "sunya images list",
		"sunya.pubsub.topics.delete":         "sunya pubsub topics list",
		"sunya.pubsub.subscriptions.pull":    "sunya pubsub subscriptions list",
		"sunya.pubsub.snapshots.delete":      "sunya pubsub snapshots list",
		"sunya.storage.cp":                   "sunya storage ls",
		"sunya.storage.buckets.delete":       "sunya storage buckets list",
		"sunya.builds.cancel":                "sunya builds list",
	} {
		err := sunya.Errorf(sunya.NotFound, "nope", "not found")
		if got := remedy(&Env{flags: globals{Project: "p"}}, command, err); got != want+" --project p" {
			t.Errorf("%s: remedy = %q, want %q", command, got, want)
		}
	}
}
