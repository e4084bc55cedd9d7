package functions

import (
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

func TestFirstGenerationChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Spec)
		want   string // empty: accepted
	}{
		{"defaults", func(*Spec) {}, ""},
		{"the largest", func(s *Spec) { s.MemoryBytes, s.Timeout, s.Max, s.Min = 8<<30, 9*time.Minute, 3000, 2 }, ""},
		{"odd memory", func(s *Spec) { s.MemoryBytes = 300 << 20 }, "function.available_memory_mb: 300 MiB is not a size of the first generation"},
		{"too long", func(s *Spec) { s.Timeout = 10 * time.Minute }, "function.timeout: 10m0s is not allowed"},
		{"two at once", func(s *Spec) { s.Concurrency = 2 }, "takes one request at a time"},
		{"minimum over maximum", func(s *Spec) { s.Min, s.Max = 3, 2 }, "function.min_instances: 3 is more than max_instances 2"},
		{"too many", func(s *Spec) { s.Max = 3001 }, "function.max_instances"},
		{"reserved variable", func(s *Spec) { s.Env = map[string]string{"K_SERVICE": "x"} }, "function.environment_variables: K_SERVICE is reserved"},
	} {
		s := Spec{Runtime: "python311", FirstGen: true}
		tt.change(&s)
		s.complete(hello)
		err := s.check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestFirstGenerationDeploys(t *testing.T) {
	w, a := newWorld(t)
	first := spec
	first.FirstGen, first.Ingress = true, sunya.IngressInternal
	first.Env = map[string]string{"GCP_PROJECT": "mine"}
	op, err := a.Create(t.Context(), hello, first, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if op.Name != "operations/op" || op.Method != "google.cloud.functions.v1.CloudFunctionsService.CreateFunction" {
		t.Errorf("operation = %+v", op)
	}
	d := w.pending[0]
	env := map[string]string{}
	for _, v := range d.Revision.Env {
		if _, twice := env[v.Name]; twice {
			t.Errorf("%s is there twice", v.Name)
		}
		env[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"GCP_PROJECT": "mine", "GCLOUD_PROJECT": "sunya", "FUNCTION_NAME": "hello", "FUNCTION_REGION": "local", "FUNCTION_MEMORY_MB": "256",
		"FUNCTION_TIMEOUT_SEC": "60", "FUNCTION_IDENTITY": "sunya@appspot.gserviceaccount.com", "FUNCTION_TRIGGER_TYPE": "HTTP_TRIGGER", "K_SERVICE": "hello", "ENTRY_POINT": "",
	} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if r := LogResource(&d.Revision); r.Type != "cloud_function" || r.Labels["function_name"] != "hello" || r.Labels["region"] != "local" {
		t.Errorf("resource = %+v", r)
	}
	if d.Revision.Scaling.Max != 3000 || d.Revision.Concurrency != 1 || d.Ingress != sunya.IngressInternal {
		t.Errorf("deployment = %+v", d)
	}
	w.end(t, a, nil)
	if svc, _ := w.catalog.Service(hello.ServiceName()); svc.Ingress != sunya.IngressInternal {
		t.Errorf("service = %+v", svc)
	}
	if _, err := a.Update(t.Context(), hello, spec, nil, ""); sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "of the first generation") {
		t.Errorf("an update to the second generation: %v", err)
	}
	if op, err := a.Delete(t.Context(), hello, ""); err != nil || op.Name != "operations/op" {
		t.Errorf("delete: %+v, %v", op, err)
	}
}

func TestSources(t *testing.T) {
	for link, want := range map[string]Source{
		"http://localhost:8080/sunya/sources/b/dir/o.zip?expires=1": {"b", "dir/o.zip"}, "http://x/other/b/o": {}, "": {}, ":": {}, "/sunya/sources/b": {},
	} {
		if got, ok := LinkedSource(link); ok != (want != Source{}) || ok && got != want {
			t.Errorf("%q: %+v, %v", link, got, ok)
		}
	}
	for uri, want := range map[string]Source{"gs://b/dir/o.zip": {"b", "dir/o.zip"}, "gs://b": {}, "gs://": {}, "b/o": {}, "s3://b/o": {}} {
		if got, ok := ArchiveSource(uri); ok != (want != Source{}) || ok && got != want {
			t.Errorf("%q: %+v, %v", uri, got, ok)
		}
	}
}

func TestNamesAreSharedWithServices(t *testing.T) {
	w, a := newWorld(t)
	w.put(t, sunya.Service{Name: hello.ServiceName(), Project: "sunya", Product: sunya.CloudRun})
	if _, err := a.Create(t.Context(), hello, spec, nil, ""); sunya.CodeOf(err) != sunya.AlreadyExists || !strings.Contains(err.Error(), "Cloud Run service") {
		t.Errorf("err = %v, want AlreadyExists", err)
	}
}
