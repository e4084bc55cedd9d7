//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // of the thumbnail
	"image/png"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestEventExamples does what their READMEs say.
func TestEventExamples(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	logged := func(function, want string) {
		t.Helper()
		s.Eventually(60*time.Second, function+" logs "+want, func() error {
			if out := s.OK("functions", "logs", "read", function).Stdout; !strings.Contains(out, want) {
				return fmt.Errorf("it has logged %q", out)
			}
			return nil
		})
	}
	s.OK("storage", "buckets", "create", "gs://incoming")
	s.OK("pubsub", "topics", "create", "changes")
	s.OK("storage", "buckets", "notifications", "create", "gs://incoming", "--topic", "changes", "--event-types", "OBJECT_FINALIZE")
	var deploys sync.WaitGroup
	for _, f := range []struct{ name, source, runtime, entry, topic string }{
		{"hello-python", "events-pubsub-hello/python", "python312", "hello", "names"},
		{"hello-node", "events-pubsub-hello/node", "nodejs22", "hello", "names"},
		{"hello-go", "events-pubsub-hello/go", "go123", "Hello", "names"},
		{"catalogue", "events-pipeline", "python312", "catalogue", "changes"},
		{"ledger", "events-pipeline", "python312", "ledger", "changes"},
	} {
		deploys.Go(func() {
			if r := s.CLI("functions", "deploy", f.name, "--gen2", "--source", "../examples/"+f.source, "--runtime", f.runtime, "--entry-point", f.entry, "--trigger-topic", f.topic, "--quiet"); r.Code != 0 {
				t.Errorf("deploy %s: %+v", f.name, r)
			}
		})
	}
	for _, bucket := range []string{"pictures", "thumbnails"} {
		s.OK("storage", "buckets", "create", "gs://"+bucket)
	}
	deploys.Go(func() {
		if r := s.CLI("functions", "deploy", "thumbnail", "--gen2", "--source", "../examples/events-thumbnailer", "--runtime", "python312", "--entry-point", "thumbnail",
			"--trigger-bucket", "pictures", "--set-env-vars", "THUMBNAILS=thumbnails", "--quiet"); r.Code != 0 {
			t.Errorf("deploy thumbnail: %+v", r)
		}
	})
	deploys.Wait()
	if t.Failed() {
		return
	}
	s.OK("pubsub", "topics", "publish", "names", "--message", "Ada")
	s.OK("storage", "cp", "../examples/events-pipeline/README.md", "gs://incoming/docs/")
	for _, name := range []string{"hello-python", "hello-node", "hello-go"} {
		logged(name, "Hello Ada!")
	}
	logged("catalogue", "catalogue: OBJECT_FINALIZE README.md in docs, text/")
	logged("ledger", "ledger: OBJECT_FINALIZE docs/README.md#")

	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 640, 320))); err != nil {
		t.Fatal(err)
	}
	dir := platform.Files(t, map[string]string{"sunset.png": picture.String()})
	s.OK("storage", "cp", dir+"/sunset.png", "gs://pictures/")
	logged("thumbnail", "sunset.png: 160x80")
	s.OK("storage", "cp", "gs://thumbnails/sunset.png.jpg", dir)
	small, err := os.Open(dir + "/sunset.png.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if c, kind, err := image.DecodeConfig(small); err != nil || kind != "jpeg" || c.Width != 160 || c.Height != 80 {
		t.Errorf("the thumbnail is a %s of %+v, %v", kind, c, err)
	}
}
