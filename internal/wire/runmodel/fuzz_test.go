package runmodel

import (
	"testing"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sunya-cloud/sunya/internal/core/run"
)

var hello = run.Key{Project: "p", Location: "l", ID: "hello"}

// FuzzService decodes what clients send. What is taken is shown, and means the
// same when it is sent again.
func FuzzService(f *testing.F) {
	for _, s := range []string{
		`{"template":{"containers":[{"image":"a"}]}}`,
		`{"ingress":4,"traffic":[{"percent":100,"tag":"t"}],"scaling":{"manualInstanceCount":1},"template":{"revision":"hello-a","containers":[{"image":"a","name":"m","ports":[{"name":"h2c"}],"resources":{"limits":{"cpu":"0.5","memory":"1G"}},"startupProbe":{"grpc":{}},"livenessProbe":{"httpGet":{"httpHeaders":[{"name":"a"}]}}},{"image":"b"}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1Mi"}}]}}`,
		`{"template":{"containers":[{"image":"a@sha256:1","startupProbe":{"tcpSocket":{"port":8080},"timeoutSeconds":240,"periodSeconds":240,"failureThreshold":1}}],"timeout":"1.5s"}}`,
		`{"template":{"containers":[{},null,{"env":[{"name":"A","value":"b"}]}]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		m := &runpb.Service{}
		if protojson.Unmarshal([]byte(body), m) != nil {
			return
		}
		s, _, err := Service(hello, m)
		if err != nil || s.Check(hello) != nil {
			return
		}
		svc := &run.Service{Key: hello, Spec: s}
		shown, err := Encoder{URL: func(label string) string { return label }}.Service(svc)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Service(hello, shown)
		if err != nil {
			t.Fatalf("what is shown is not taken: %v", err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("what is shown means something else: %s", diff)
		}
		rev := &run.Revision{Service: hello, ID: "hello-1", Template: s.Template, Digests: map[string]string{"": "sha256:0"}}
		if _, err := (Encoder{}).Revision(rev); err != nil {
			t.Error(err)
		}
	})
}

func TestDigestsReplaceTags(t *testing.T) {
	for image, want := range map[string]string{
		"a": "a@d", "a:v1": "a@d", "localhost:5000/a": "localhost:5000/a@d", "localhost:5000/a:v1": "localhost:5000/a@d", "a@sha256:1": "a@d", "a:v1@sha256:1": "a@d",
	} {
		if got := withDigest(image, "d"); got != want {
			t.Errorf("%s = %s, want %s", image, got, want)
		}
	}
}

func TestQuantitiesAreWrittenShort(t *testing.T) {
	for bytes, want := range map[int64]string{512 << 20: "512Mi", 2 << 30: "2Gi", 1000: "1000"} {
		if got := memory(bytes); got != want {
			t.Errorf("%d = %s, want %s", bytes, got, want)
		}
	}
}
