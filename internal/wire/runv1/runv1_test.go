package runv1

import (
	"encoding/json"
	"testing"

	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya/internal/core/run"
)

var testKey = run.Key{Project: "sunya", Location: "local", ID: "a"}

func TestSelector(t *testing.T) {
	labels := map[string]string{"a": "1", "x.y/b": "2"}
	for text, want := range map[string]bool{
		"":                 true,
		"a":                true,
		"!a":               false,
		"!c":               true,
		"a=1":              true,
		"a == 1":           true,
		"a!=1":             false,
		"c!=1":             true,
		"a=1,x.y/b=2":      true,
		"a=1, x.y/b = 3":   false,
		"a in (1, 2)":      true,
		"a notin (1,2),a":  false,
		"c notin (1)":      true,
		"x.y/b in (3),a=1": false,
	} {
		s, err := parseSelector(text)
		if err != nil || s.matches(labels) != want {
			t.Errorf("%q: %v, %v, want %v", text, s.matches(labels), err, want)
		}
	}
	for _, text := range []string{"=", "a=b=c", "a in", "a in (", "!a=1", "a b", ",", "a,,b", "-a"} {
		if s, err := parseSelector(text); err == nil {
			t.Errorf("%q is %v, want an error", text, s)
		}
	}
}

func TestFieldName(t *testing.T) {
	for v2, v1 := range map[string]string{
		"service.template.containers[0].resources.limits[memory]":       "spec.template.spec.containers[0].resources.limits[memory]",
		"service.template.containers[1].startup_probe.http_get.path":    "spec.template.spec.containers[1].startupProbe.httpGet.path",
		"service.template.max_instance_request_concurrency":             "spec.template.spec.containerConcurrency",
		"service.template.revision":                                     "spec.template.metadata.name",
		"service.traffic[2].revision":                                   "spec.traffic[2].revisionName",
		"service.traffic":                                               "spec.traffic",
		"service.labels":                                                "metadata.labels",
		"service_id":                                                    "metadata.name",
		"policy.bindings":                                               "policy.bindings",
		"service.templatex":                                             "service.templatex",
		"service.template.volumes[0].empty_dir.size_limit":              "spec.template.spec.volumes[0].emptyDir.sizeLimit",
		"service.template.scaling.max_instance_count":                   "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]",
		"service.template.containers[0].resources.limits[nvidia_x/gpu]": "spec.template.spec.containers[0].resources.limits[nvidia_x/gpu]",
	} {
		if got := fieldName(v2); got != v1 {
			t.Errorf("%s is %s, want %s", v2, got, v1)
		}
	}
}

func TestRegionOf(t *testing.T) {
	for host, want := range map[string]string{
		"us-central1-run.api.localhost:8080": "us-central1", "run.api.localhost": "", "localhost:8080": "", "127.0.0.1": "", "europe-west1-run.example.com": "europe-west1",
	} {
		if got := regionOf(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"", "a=1", "a in (b,c)", "!a", "a notin (", ")(", ",,"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if s, err := parseSelector(text); err == nil {
			s.matches(map[string]string{"a": "1"})
		}
	})
}

// FuzzService: whatever a document says, it is a service or an error; and a
// service that was shown can be read again.
func FuzzService(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"a"},"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}`))
	f.Add([]byte(`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"a","annotations":{"run.googleapis.com/scalingMode":"manual"}},"spec":{"template":{"metadata":{"annotations":{"run.googleapis.com/cpu-throttling":"false"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"ports":[{}],"startupProbe":{"grpc":{}},"env":[{}]}]}},"traffic":[{"percent":-1}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var k knative.Service
		if json.Unmarshal(raw, &k) != nil {
			return
		}
		m, err := decodeService("sunya", "", &k)
		if err != nil {
			return
		}
		again := encodeService(testKey, m)
		again.Metadata.Name, again.Metadata.Labels = k.Metadata.Name, nil
		if _, err := decodeService("sunya", "", again); err != nil {
			t.Errorf("what was shown cannot be read: %v\n%s", err, raw)
		}
	})
}
