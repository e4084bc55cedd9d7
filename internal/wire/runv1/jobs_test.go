package runv1_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/api/option"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
	"github.com/sunya-cloud/sunya/internal/wire/runv1"
)

// jobServer is the API with jobs that run.
type jobServer struct {
	*knative.APIService
	t       *testing.T
	changed chan struct{} // gets a value whenever an operation is done
}

func newJobServer(t *testing.T) *jobServer {
	t.Helper()
	store, changed := jobstest.NewStore(), make(chan struct{}, 1000)
	note := func(string) { changed <- struct{}{} }
	runner := jobs.NewRunner(jobs.RunnerParts{
		Store: store, Images: jobstest.Images{}, Engine: &instancetest.Programs{}, Layers: jobstest.Layers{}, Changed: note,
		MemoryBytes: 8 << 30, Now: time.Now, NewID: uuid.NewString, Log: instancetest.Quiet(),
	})
	admin := jobs.New(jobs.Parts{Store: store, Images: jobstest.Images{}, Executor: runner, Changed: note, Now: time.Now, NewID: uuid.NewString})
	srv := httptest.NewServer(mux(runv1.New(runv1.Deps{
		Jobs: admin, URL: func(l string) string { return l }, Location: "local", Functions: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
	})))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = runner.Run(ctx) }()
	t.Cleanup(func() { srv.Close(); cancel(); <-ended })
	client, err := knative.NewService(t.Context(), option.WithEndpoint(srv.URL), option.WithHTTPClient(&http.Client{Transport: named{regional}}))
	if err != nil {
		t.Fatal(err)
	}
	return &jobServer{client, t, changed}
}

// work is a job as gcloud sends it.
func work(args ...string) *knative.Job {
	return &knative.Job{
		ApiVersion: "run.googleapis.com/v1", Kind: "Job",
		Metadata: &knative.ObjectMeta{Name: "work", Namespace: "sunya", Annotations: map[string]string{"run.googleapis.com/client-name": "gcloud", "run.googleapis.com/launch-stage": "GA"}},
		Spec: &knative.JobSpec{Template: &knative.ExecutionTemplateSpec{
			Metadata: &knative.ObjectMeta{Annotations: map[string]string{"run.googleapis.com/client-name": "gcloud"}},
			Spec: &knative.ExecutionSpec{TaskCount: 2, Template: &knative.TaskTemplateSpec{Spec: &knative.TaskSpec{
				MaxRetries: 0, ForceSendFields: []string{"MaxRetries"}, TimeoutSeconds: 60,
				Containers: []*knative.Container{{Image: "gcr.io/sunya/work", Args: args, Env: []*knative.EnvVar{{Name: "A", Value: "b"}}}},
			}}},
		}},
	}
}

// wait waits for a change until a condition holds.
func (s *jobServer) wait(what string, is func() bool) {
	s.t.Helper()
	timeout := time.After(30 * time.Second)
	for !is() {
		select {
		case <-s.changed:
		case <-timeout:
			s.t.Fatalf("%s: never", what)
		}
	}
}

func (s *jobServer) create(j *knative.Job) *knative.Job {
	s.t.Helper()
	if _, err := s.Namespaces.Jobs.Create(namespace, j).Do(); err != nil {
		s.t.Fatal(err)
	}
	return s.ready(j.Metadata.Name)
}

// ready returns a job once the server is done with it.
func (s *jobServer) ready(id string) (out *knative.Job) {
	s.t.Helper()
	s.wait("job is ready", func() bool {
		var err error
		if out, err = s.Namespaces.Jobs.Get(namespace + "/jobs/" + id).Do(); err != nil {
			s.t.Fatal(err)
		}
		return out.Status.ObservedGeneration == out.Metadata.Generation && out.Status.Conditions[0].Status != "Unknown"
	})
	return out
}

// ended returns an execution once it has come to its end.
func (s *jobServer) ended(id string) (out *knative.Execution) {
	s.t.Helper()
	s.wait("execution ends", func() bool {
		var err error
		if out, err = s.Namespaces.Executions.Get(namespace + "/executions/" + id).Do(); err != nil {
			s.t.Fatal(err)
		}
		return out.Status.CompletionTime != ""
	})
	return out
}

// statusOf is the status of a condition, and its reason.
func statusOf(cs []*knative.GoogleCloudRunV1Condition, kind string) string {
	for _, c := range cs {
		if c.Type == kind {
			return strings.TrimSpace(c.Status + " " + c.Reason)
		}
	}
	return "none"
}

func TestJobsInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	j := s.create(work())
	task := j.Spec.Template.Spec.Template.Spec
	if j.Metadata.Labels["cloud.googleapis.com/location"] != "us-central1" || statusOf(j.Status.Conditions, "Ready") != "True" ||
		task.TimeoutSeconds != 60 || task.MaxRetries != 0 || task.Containers[0].Resources.Limits["memory"] != "512Mi" || task.ServiceAccountName == "" {
		t.Errorf("job = %+v, task %+v", j, task)
	}
	e, err := s.Namespaces.Jobs.Run(namespace+"/jobs/work", &knative.RunJobRequest{}).Do()
	if err != nil {
		t.Fatal(err)
	}
	e = s.ended(e.Metadata.Name)
	got := []string{statusOf(e.Status.Conditions, "Completed"), statusOf(e.Status.Conditions, "Started"), statusOf(e.Status.Conditions, "ResourcesAvailable")}
	if diff := cmp.Diff([]string{"True", "True", "True"}, got); diff != "" || e.Status.SucceededCount != 2 || e.Spec.TaskCount != 2 {
		t.Errorf("execution = %+v %s", e.Status, diff)
	}
	if e.Metadata.Labels["run.googleapis.com/job"] != "work" {
		t.Errorf("labels = %v", e.Metadata.Labels)
	}
	list, err := s.Namespaces.Executions.List(namespace).LabelSelector("run.googleapis.com/job = work").Do()
	if err != nil || len(list.Items) != 1 {
		t.Errorf("executions = %v, %v", list, err)
	}
	if other, err := s.Namespaces.Executions.List(namespace).LabelSelector("run.googleapis.com/job = other").Do(); err != nil || len(other.Items) != 0 {
		t.Errorf("executions of another job = %v, %v", other, err)
	}
	tasks, err := s.Namespaces.Tasks.List(namespace).LabelSelector("run.googleapis.com/execution = " + e.Metadata.Name + ",run.googleapis.com/runningState in (Succeeded)").Do()
	if err != nil || len(tasks.Items) != 2 || tasks.Items[1].Status.Index != 1 || statusOf(tasks.Items[1].Status.Conditions, "Completed") != "True" {
		t.Errorf("tasks = %v, %v", tasks, err)
	}
	one, err := s.Namespaces.Tasks.Get(namespace + "/tasks/" + e.Metadata.Name + "-task1").Do()
	if err != nil || one.Metadata.Labels["run.googleapis.com/execution"] != e.Metadata.Name {
		t.Errorf("task = %v, %v", one, err)
	}
	if j = s.ready("work"); j.Status.LatestCreatedExecution.CompletionStatus != "EXECUTION_SUCCEEDED" || j.Status.ExecutionCount != 1 {
		t.Errorf("status = %+v", j.Status)
	}

	// What was read can be sent again, changed.
	j.Spec.Template.Spec.TaskCount = 3
	if _, err := s.Namespaces.Jobs.ReplaceJob(namespace+"/jobs/work", j).Do(); err != nil {
		t.Fatal(err)
	}
	if now := s.ready("work"); now.Spec.Template.Spec.TaskCount != 3 || now.Metadata.Generation != 2 {
		t.Errorf("replaced = %+v", now)
	}
	_, err = s.Namespaces.Jobs.ReplaceJob(namespace+"/jobs/work", j).Do()
	refused(t, err, http.StatusConflict, "changed since")
	if _, err := s.Namespaces.Executions.Delete(namespace + "/executions/" + e.Metadata.Name).Do(); err != nil {
		t.Error(err)
	}
	if _, err := s.Namespaces.Jobs.Delete(namespace + "/jobs/work").Do(); err != nil {
		t.Error(err)
	}
	_, err = s.Namespaces.Jobs.Get(namespace + "/jobs/work").Do()
	refused(t, err, http.StatusNotFound, "")
}

func TestFailureAndOverridesInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	s.create(work("fail"))
	e, err := s.Namespaces.Jobs.Run(namespace+"/jobs/work", &knative.RunJobRequest{}).Do()
	if err != nil {
		t.Fatal(err)
	}
	e = s.ended(e.Metadata.Name)
	if statusOf(e.Status.Conditions, "Completed") != "False NonZeroExitCode" || e.Status.FailedCount != 2 {
		t.Errorf("execution = %+v", e.Status)
	}
	tasks, err := s.Namespaces.Tasks.List(namespace).LabelSelector("run.googleapis.com/execution=" + e.Metadata.Name).Do()
	if err != nil || tasks.Items[0].Status.LastAttemptResult.ExitCode != 3 || tasks.Items[0].Metadata.Labels["run.googleapis.com/runningState"] != "Failed" {
		t.Errorf("tasks = %v, %v", tasks, err)
	}
	e, err = s.Namespaces.Jobs.Run(namespace+"/jobs/work", &knative.RunJobRequest{Overrides: &knative.Overrides{
		TaskCount: 1, TimeoutSeconds: 30,
		ContainerOverrides: []*knative.ContainerOverride{{Args: []string{"well"}, Env: []*knative.EnvVar{{Name: "A", Value: "c"}}}},
	}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	e = s.ended(e.Metadata.Name)
	c := e.Spec.Template.Spec.Containers[0]
	if statusOf(e.Status.Conditions, "Completed") != "True" || e.Spec.TaskCount != 1 || c.Args[0] != "well" || c.Env[0].Value != "c" || e.Spec.Template.Spec.TimeoutSeconds != 30 {
		t.Errorf("execution = %+v, container %+v", e.Status, c)
	}
}

func TestCancelInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	s.create(work("hang"))
	e, err := s.Namespaces.Jobs.Run(namespace+"/jobs/work", &knative.RunJobRequest{}).Do()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Namespaces.Executions.Cancel(namespace+"/executions/"+e.Metadata.Name, &knative.CancelExecutionRequest{}).Do(); err != nil {
		t.Fatal(err)
	}
	if e = s.ended(e.Metadata.Name); statusOf(e.Status.Conditions, "Completed") != "False Cancelled" { // the word that gcloud waits for
		t.Errorf("execution = %+v", e.Status)
	}
}

func TestJobsRefusedInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	with := func(f func(*knative.Job)) *knative.Job {
		j := work()
		f(j)
		return j
	}
	for _, c := range []struct {
		name string
		job  *knative.Job
		code int
		what string
	}{
		{"kind", with(func(j *knative.Job) { j.Kind = "Service" }), 400, "kind"},
		{"no template", with(func(j *knative.Job) { j.Spec.Template.Spec.Template = nil }), 400, "spec.template.spec.template.spec"},
		{"annotation", with(func(j *knative.Job) { j.Metadata.Annotations["run.googleapis.com/unheard-of"] = "x" }), 400, "unheard-of"},
		{"task annotation", with(func(j *knative.Job) {
			j.Spec.Template.Metadata.Annotations["run.googleapis.com/cloudsql-instances"] = "a:b:c"
		}), 501, "Cloud SQL"},
		{"image", with(func(j *knative.Job) { j.Spec.Template.Spec.Template.Spec.Containers[0].Image = "gcr.io/sunya/missing" }), 400, "no such image"},
		{"tasks", with(func(j *knative.Job) { j.Spec.Template.Spec.TaskCount = 20_000 }), 400, "spec.template.spec.taskCount"},
		{"retries", with(func(j *knative.Job) { j.Spec.Template.Spec.Template.Spec.MaxRetries = 11 }), 400, "spec.template.spec.template.spec.maxRetries"},
		{"tokens", with(func(j *knative.Job) { j.Spec.StartExecutionToken, j.Spec.RunExecutionToken = "a", "b" }), 400, "runExecutionToken"},
		{"region", with(func(j *knative.Job) {
			j.Metadata.Labels = map[string]string{"cloud.googleapis.com/location": "elsewhere"}
		}), 400, "region"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Namespaces.Jobs.Create(namespace, c.job).Do()
			refused(t, err, c.code, c.what)
		})
	}
	_, err := s.Namespaces.Tasks.List(namespace).Do()
	refused(t, err, 400, "names no execution")
	_, err = s.Namespaces.Executions.Get(namespace + "/executions/none-abcde").Do()
	refused(t, err, 404, "")
	_, err = s.Namespaces.Tasks.Get(namespace + "/tasks/none").Do()
	refused(t, err, 404, "")
}

func TestRetriesByDefaultInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	j := work()
	j.Spec.Template.Spec.Template.Spec.ForceSendFields = nil
	if got := s.create(j).Spec.Template.Spec.Template.Spec.MaxRetries; got != 3 {
		t.Errorf("maxRetries = %d, want 3", got)
	}
}

func TestJobPolicyInKnativeForm(t *testing.T) {
	s := newJobServer(t)
	s.create(work())
	const name = "projects/sunya/locations/us-central1/jobs/work"
	p, err := s.Projects.Locations.Jobs.GetIamPolicy(name).Do()
	if err != nil {
		t.Fatal(err)
	}
	p.Bindings = []*knative.Binding{{Role: "roles/run.invoker", Members: []string{"user:a@b.example"}}}
	if p, err = s.Projects.Locations.Jobs.SetIamPolicy(name, &knative.SetIamPolicyRequest{Policy: p}).Do(); err != nil || len(p.Bindings) != 1 {
		t.Errorf("policy = %v, %v", p, err)
	}
	p.Bindings[0].Role = "roles/owner"
	_, err = s.Projects.Locations.Jobs.SetIamPolicy(name, &knative.SetIamPolicyRequest{Policy: p}).Do()
	refused(t, err, http.StatusNotImplemented, "roles/owner")
}

// FuzzJob: whatever is sent as a job, and to whatever name, is an answer or the
// client's fault.
func FuzzJob(f *testing.F) {
	store := jobstest.NewStore()
	admin := jobs.New(jobs.Parts{Store: store, Images: jobstest.Images{}, Changed: func(string) {}, Now: time.Now, NewID: uuid.NewString})
	handler := mux(runv1.New(runv1.Deps{
		Jobs: admin, URL: func(l string) string { return l }, Location: "local", Functions: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
	}))
	for _, j := range []*knative.Job{work(), work("a", "b"), {}, {Spec: &knative.JobSpec{}}} {
		raw, err := j.MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add("work", string(raw))
	}
	f.Add("x:run", `{"overrides":{"containerOverrides":[null],"taskCount":-1}}`)
	f.Add("x:setIamPolicy", `{"policy":{"bindings":[null]}}`)
	f.Fuzz(func(t *testing.T, name, body string) {
		for _, target := range []string{"/apis/run.googleapis.com/v1/namespaces/sunya/jobs?dryRun=all", "/apis/run.googleapis.com/v1/namespaces/sunya/jobs/" + url.PathEscape(name)} {
			req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			if rec.Code >= 500 && rec.Code != http.StatusNotImplemented {
				t.Errorf("POST %s %q = %d: %s", target, body, rec.Code, rec.Body)
			}
		}
	})
}
