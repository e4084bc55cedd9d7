//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/storage"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// deployEvents has functions of both kinds get the topic's messages and the
// bucket's objects. That of CloudEvents gets both, by a trigger of its own and one
// of Eventarc; one of the first generation has one trigger.
func (c *conformant) deployEvents(t *testing.T, s *platform.Server, topic, bucket string) {
	t.Helper()
	dir := platform.Files(t, c.files)
	for _, f := range [][]string{
		{c.name + "-cloud", "--entry-point", c.cloudevent, "--trigger-topic", topic},
		{c.name + "-background", "--entry-point", c.event, "--no-gen2", "--trigger-topic", topic},
		{c.name + "-background-files", "--entry-point", c.event, "--no-gen2", "--trigger-bucket", bucket},
	} {
		if r := s.CLI(append([]string{"functions", "deploy", "--runtime", c.runtime, "--source", dir}, f...)...); r.Code != 0 {
			t.Errorf("deploy %s: %+v", f[0], r)
			return
		}
	}
	s.OK("eventarc", "triggers", "create", c.name+"-files", "--destination-function", c.name+"-cloud",
		"--event-filters", "type=google.cloud.storage.object.v1.finalized,bucket="+bucket)
}

// eventsInLanguages publishes a message and uploads an object, and has functions
// in Node and Go say what they get.
func eventsInLanguages(t *testing.T, s *platform.Server, bucket *storage.BucketHandle, name string) {
	const topic = "cards"
	var languages []conformant
	var deploys sync.WaitGroup
	for _, c := range conformants {
		if c.name != "node" && c.name != "go" {
			continue
		}
		if _, err := exec.LookPath(c.needs); err != nil {
			t.Logf("SKIP: no %s on this machine", c.needs)
			continue
		}
		languages = append(languages, c)
		deploys.Go(func() { c.deployEvents(t, s, topic, name) })
	}
	deploys.Wait()
	if t.Failed() {
		return
	}
	id := strings.TrimSpace(s.OK("pubsub", "topics", "publish", topic, "--message", "hello", "--attribute", "colour=red").Stdout)
	w := bucket.Object("dir/ä b.txt").NewWriter(t.Context())
	if _, err := w.Write([]byte("twelve bytes")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	generation := fmt.Sprint(w.Attrs().Generation)

	message := func(e *shownEvent) bool { return e.ID == id }
	object := func(e *shownEvent) bool { return e.Data["generation"] == generation }
	for _, l := range languages {
		for _, want := range []struct {
			function, what, kind, about string
			is                          func(*shownEvent) bool
		}{
			{"-cloud", "the message", messageEvent, "//pubsub.googleapis.com/projects/sunya/topics/" + topic, message},
			{"-background", "the message", "google.pubsub.topic.publish", "projects/sunya/topics/" + topic, message},
			{"-cloud", "the object", "google.cloud.storage.object.v1.finalized", "//storage.googleapis.com/projects/_/buckets/" + name, object},
			{"-background-files", "the object", "google.storage.object.finalize", "projects/_/buckets/" + name + "/objects/dir/ä b.txt", object},
		} {
			got := awaitEvent(s, l.name+want.function, want.what, want.is)
			if about := orDefault(got.Resource, fmt.Sprint(got.Source)); got.Type != want.kind || about != want.about {
				t.Errorf("%s%s got %s of %s, want %s of %s", l.name, want.function, got.Type, about, want.kind, want.about)
			}
			if m := got.message(); want.what == "the message" && (m["data"] != "aGVsbG8=" || fmt.Sprint(m["attributes"]) != "map[colour:red]") {
				t.Errorf("%s%s got %+v", l.name, want.function, got)
			}
			if want.what == "the object" && (got.Data["name"] != "dir/ä b.txt" || got.Data["bucket"] != name || got.Data["size"] != "12") {
				t.Errorf("%s%s got %+v", l.name, want.function, got)
			}
		}
	}
}
