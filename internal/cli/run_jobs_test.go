package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
)

// withJob is a fake with the job work, of three tasks.
func withJob(t *testing.T, args ...string) *fake {
	t.Helper()
	f := newFake(t)
	line := append([]string{"run", "jobs", "create", "work", "--image", "gcr.io/sunya/work", "--tasks", "3", "--max-retries", "0", "--quiet"}, args...)
	execute(t, f, line...).expect(t, exitOK)
	return f
}

func (f *fake) job(t *testing.T) *jobs.Job {
	t.Helper()
	j, err := f.jobs.admin.Job(t.Context(), jobs.Key{Project: "sunya", Location: "local", ID: "work"})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestRunJobsFlags: what each flag makes of a new job.
func TestRunJobsFlags(t *testing.T) {
	for _, tt := range []struct {
		line string
		want func(*jobs.Template)
	}{
		{"", func(*jobs.Template) {}},
		{"--tasks 10 --parallelism 2 --max-retries 0 --task-timeout 1h", func(w *jobs.Template) {
			w.Tasks, w.Parallelism, w.Retries, w.Timeout = 10, 2, 0, time.Hour
		}},
		{"--task-timeout 90", func(w *jobs.Template) { w.Timeout = 90 * time.Second }},
		{"--memory 1Gi --cpu 2", func(w *jobs.Template) { w.Containers[0].MemoryBytes, w.Containers[0].CPUMillis = 1<<30, 2000 }},
		{"--set-env-vars A=1,B=2", func(w *jobs.Template) {
			w.Containers[0].Env = []sunya.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
		}},
		{"--command sh,-c --args true", func(w *jobs.Template) {
			w.Containers[0].From.Command, w.Containers[0].From.Args = []string{"sh", "-c"}, []string{"true"}
		}},
		{"--service-account a@sunya.iam.gserviceaccount.com", func(w *jobs.Template) { w.Account = "a@sunya.iam.gserviceaccount.com" }},
		{"--labels a=b", func(w *jobs.Template) { w.Labels = map[string]string{"a": "b"} }},
		{"--add-volume name=v,type=in-memory,size-limit=1Mi --add-volume-mount volume=v,mount-path=/v", func(w *jobs.Template) {
			w.Volumes = []sunya.Volume{{Name: "v", Memory: &sunya.MemoryVolume{Bytes: 1 << 20}}}
			w.Containers[0].Mounts = []sunya.VolumeMount{{Volume: "v", Path: "/v"}}
		}},
	} {
		t.Run(tt.line, func(t *testing.T) {
			f := newFake(t)
			execute(t, f, append([]string{"run", "jobs", "deploy", "work", "--image", "gcr.io/sunya/work", "--quiet"}, strings.Fields(tt.line)...)...).expect(t, exitOK)
			got := f.job(t).Template
			want := jobs.Template{Tasks: 1, Retries: 3, Timeout: 10 * time.Minute, Account: got.Account, Containers: make([]jobs.Container, 1)}
			want.Containers[0].From.Reference = "gcr.io/sunya/work"
			want.Containers[0].MemoryBytes, want.Containers[0].CPUMillis = 512<<20, 1000
			tt.want(&want)
			got.Containers[0].Fetched, got.Containers[0].AlwaysOn = nil, false
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("template (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunJobsChanges(t *testing.T) {
	f := withJob(t)
	execute(t, f, "run", "jobs", "create", "work", "--image", "x", "--quiet").expect(t, exitConflict)
	execute(t, f, "run", "jobs", "update", "none", "--tasks", "2", "--quiet").expect(t, exitNotFound)
	execute(t, f, "run", "jobs", "update", "work", "--tasks", "5", "--update-env-vars", "A=1", "--quiet").expect(t, exitOK)
	if j := f.job(t); j.Template.Tasks != 5 || j.Template.Retries != 0 || len(j.Template.Containers[0].Env) != 1 {
		t.Errorf("template = %+v", j.Template)
	}
	execute(t, f, "run", "jobs", "deploy", "work", "--image", "gcr.io/sunya/missing", "--quiet").expect(t, exitUsage)
	r := execute(t, f, "run", "jobs", "deploy", "work", "--image", "gcr.io/sunya/broken", "--quiet")
	if r.code == exitOK || !strings.Contains(r.stderr.String(), "second layer is broken") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if j := f.job(t); j.Template.Tasks != 5 || !j.Ready() {
		t.Errorf("the job was changed: %+v", j.Template)
	}
	for line, want := range map[string]int{
		"run jobs create other": exitUsage, "run jobs deploy work": exitUsage, "run jobs create x --image y --tasks 0": exitUsage,
		"run jobs create x --image y --async --wait": exitUsage, "run jobs create x --image y --set-secrets A=b:1": exitUsage,
		"run jobs execute none": exitNotFound, "run jobs describe none": exitNotFound,
	} {
		execute(t, f, strings.Fields(line+" --quiet")...).expect(t, want)
	}
	execute(t, f, "run", "jobs", "delete", "work", "--quiet").expect(t, exitOK)
	execute(t, f, "run", "jobs", "delete", "work", "--quiet").expect(t, exitNotFound)
}

func TestRunJobsExecute(t *testing.T) {
	f := withJob(t)
	r := execute(t, f, "run", "jobs", "execute", "work", "--wait").expect(t, exitOK)
	id := strings.TrimSpace(r.stdout.String())
	if !strings.HasPrefix(id, "work-") || !strings.Contains(r.stderr.String(), "Execution ["+id+"] has ended well.") {
		t.Errorf("stdout %q, stderr %s", r.stdout, r.stderr)
	}
	out := execute(t, f, "run", "jobs", "executions", "describe", id, "--format", "value(succeededCount,taskCount)").expect(t, exitOK).stdout.String()
	if strings.Join(strings.Fields(out), " ") != "3 3" {
		t.Errorf("described: %q", out)
	}
	for _, line := range []string{"run jobs executions list", "run jobs executions list --job work --limit 1"} {
		out = execute(t, f, strings.Fields(line)...).expect(t, exitOK).stdout.String()
		if !strings.Contains(out, id) || !strings.Contains(out, "succeeded") {
			t.Errorf("%s: %s", line, out)
		}
	}
	out = execute(t, f, "run", "jobs", "executions", "tasks", "list", "--execution", id).expect(t, exitOK).stdout.String()
	if strings.Count(out, id+"-task") != 3 {
		t.Errorf("tasks: %s", out)
	}
	execute(t, f, "run", "jobs", "executions", "tasks", "describe", id+"-task2").expect(t, exitOK)
	execute(t, f, "run", "jobs", "executions", "tasks", "describe", id+"-task9").expect(t, exitNotFound)
	out = execute(t, f, "run", "jobs", "list").expect(t, exitOK).stdout.String()
	if !strings.Contains(out, id+" (succeeded)") {
		t.Errorf("jobs: %s", out)
	}
	execute(t, f, "run", "jobs", "executions", "cancel", id, "--quiet").expect(t, exitConflict)
	execute(t, f, "run", "jobs", "executions", "delete", id, "--quiet").expect(t, exitOK)
	execute(t, f, "run", "jobs", "executions", "describe", id).expect(t, exitNotFound)
}

func TestRunJobsFailure(t *testing.T) {
	f := withJob(t, "--args", "fail")
	r := execute(t, f, "run", "jobs", "execute", "work", "--wait").expect(t, exitFailed)
	for _, want := range []string{"exit status 3", "3 failed", "sunya run jobs executions logs read work-"} {
		if !strings.Contains(r.stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
		}
	}
	// Told to do well, this once.
	execute(t, f, "run", "jobs", "execute", "work", "--wait", "--tasks", "1", "--args", "well", "--update-env-vars", "A=b", "--task-timeout", "5m").expect(t, exitOK)
	execute(t, f, "run", "jobs", "execute", "work", "--wait", "--args", "").expect(t, exitOK)
}

func TestRunJobsCancel(t *testing.T) {
	f := withJob(t, "--args", "hang")
	id := strings.TrimSpace(execute(t, f, "run", "jobs", "execute", "work").expect(t, exitOK).stdout.String())
	execute(t, f, "run", "jobs", "executions", "cancel", id, "--quiet").expect(t, exitOK)
	out := execute(t, f, "run", "jobs", "executions", "list").expect(t, exitOK).stdout.String()
	if !strings.Contains(out, "cancelled") {
		t.Errorf("executions: %s", out)
	}
	execute(t, f, "run", "jobs", "execute", "work", "--async").expect(t, exitOK)
}

func TestJobLogFilters(t *testing.T) {
	for _, c := range []struct {
		o    logOptions
		want string
	}{
		{logOptions{service: "work"}, `(resource.type="gae_app" OR resource.type="cloud_run_revision" OR resource.type="cloud_function" OR resource.type="cloud_run_job") AND ` +
			`(resource.labels.module_id="work" OR resource.labels.service_name="work" OR resource.labels.function_name="work" OR resource.labels.job_name="work")`},
		{logOptions{kind: jobLogs, service: "work"}, `resource.type="cloud_run_job" AND resource.labels.job_name="work"`},
		{logOptions{kind: jobLogs, service: "work-x", execution: true}, `resource.type="cloud_run_job" AND labels."run.googleapis.com/execution_name"="work-x"`},
	} {
		got, err := c.o.query(time.Now())
		if err != nil || got != c.want {
			t.Errorf("query = %s, %v, want %s", got, err, c.want)
		}
	}
}
