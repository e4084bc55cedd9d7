package jobs_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
)

func image(reference string) func(*jobs.Spec) {
	return func(s *jobs.Spec) { s.Template.Containers[0].From.Reference = reference }
}

func TestRefusedAtOnce(t *testing.T) {
	template := func(f func(*jobs.Template)) jobs.Spec { return spec(1, func(s *jobs.Spec) { f(&s.Template) }) }
	for _, c := range []struct {
		name  string
		key   jobs.Key
		spec  jobs.Spec
		code  sunya.Code
		field string
	}{
		{"name", key("Work"), spec(1), sunya.InvalidArgument, "job_id"},
		{"long name", key("a23456789012345678901234567890123456789012345678901"), spec(1), sunya.InvalidArgument, "job_id"},
		{"no image", key("a"), spec(1, image("")), sunya.InvalidArgument, "job.template.template.containers[0].image"},
		{"missing image", key("a"), spec(1, image("gcr.io/demo/missing")), sunya.InvalidArgument, "job.template.template.containers[0].image"},
		{"tasks", key("a"), spec(10_001), sunya.InvalidArgument, "job.template.task_count"},
		{"negative tasks", key("a"), spec(-1), sunya.InvalidArgument, "job.template.task_count"},
		{"parallelism", key("a"), template(func(t *jobs.Template) { t.Parallelism = -1 }), sunya.InvalidArgument, "job.template.parallelism"},
		{"retries", key("a"), template(func(t *jobs.Template) { t.Retries = 11 }), sunya.InvalidArgument, "job.template.template.max_retries"},
		{"timeout", key("a"), template(func(t *jobs.Template) { t.Timeout = 169 * time.Hour }), sunya.InvalidArgument, "job.template.template.timeout"},
		{"account", key("a"), template(func(t *jobs.Template) { t.Account = "me" }), sunya.InvalidArgument, "job.template.template.service_account"},
		{"port", key("a"), template(func(t *jobs.Template) { t.Containers[0].Port = 80 }), sunya.InvalidArgument, "job.template.template.containers[0].ports"},
		{"reserved", key("a"), template(func(t *jobs.Template) { t.Containers[0].Env = []sunya.EnvVar{{Name: "CLOUD_RUN_JOB"}} }), sunya.InvalidArgument, "job.template.template.containers[0].env"},
		{"no container", key("a"), template(func(t *jobs.Template) { t.Containers = nil }), sunya.InvalidArgument, "job.template.template.containers"},
		{"two containers", key("a"), template(func(t *jobs.Template) { t.Containers = append(t.Containers, t.Containers[0]) }), sunya.Unimplemented, "job.template.template.containers"},
		{"token", key("a"), spec(1, func(s *jobs.Spec) { s.Token = "A b" }), sunya.InvalidArgument, "job.start_execution_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plenty)
				_, _, err := w.Create(t.Context(), c.key, c.spec, jobs.Request{})
				e, ok := err.(*sunya.Error)
				if !ok || e.Code != c.code || e.Field != c.field {
					t.Errorf("error = %v, want code %v about %s", err, c.code, c.field)
				}
				if all, _ := w.Jobs(t.Context(), "demo", "-", "", 0); len(all) > 0 {
					t.Errorf("stored all the same: %v", all)
				}
			})
		})
	}
}

func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		s := spec(0)
		s.Template.Containers[0].MemoryBytes, s.Template.Containers[0].CPUMillis = 0, 0
		w.create(t, "work", s)
		got := w.job(t, "work").Template
		if got.Tasks != 1 || got.Timeout != 10*time.Minute || got.Account == "" || got.Containers[0].MemoryBytes != 512<<20 || got.Containers[0].CPUMillis != 1000 {
			t.Errorf("template = %+v", got)
		}
		if f := got.Containers[0].Fetched; f == nil || f.Image.Digest != jobstest.Digest {
			t.Errorf("the image is not pinned: %+v", f)
		}
	})
}

// A change whose image cannot be had leaves the job as it was.
func TestABrokenImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		_, op, err := w.Create(t.Context(), key("work"), spec(1, image("gcr.io/demo/broken")), jobs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, _ := w.store.Operation(op.Name); !got.Done || got.Error == nil || got.Error.Code != sunya.InvalidArgument {
			t.Errorf("operation = %+v", got)
		}
		if _, _, err := w.Execute(t.Context(), key("work"), jobs.Overrides{}, jobs.Request{}); sunya.CodeOf(err) != sunya.FailedPrecondition {
			t.Errorf("executed all the same: %v", err)
		}
		w.create(t, "work", spec(1)) // the name is still free
		update := func(*jobs.Job) (jobs.Spec, error) { return spec(5, image("gcr.io/demo/broken")), nil }
		if _, _, err := w.Update(t.Context(), key("work"), update, jobs.Request{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if j := w.job(t, "work"); j.Template.Tasks != 1 || j.Fault == nil || !j.Ready() || j.Next != nil {
			t.Errorf("job = %+v", j)
		}
		w.execute(t, "work", jobs.Overrides{})
	})
}

func TestCreateUpdateDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1))
		if _, _, err := w.Create(t.Context(), key("work"), spec(1), jobs.Request{}); sunya.CodeOf(err) != sunya.AlreadyExists {
			t.Errorf("created twice: %v", err)
		}
		update := func(*jobs.Job) (jobs.Spec, error) { return spec(2), nil }
		for _, c := range []struct {
			name string
			id   string
			r    jobs.Request
			code sunya.Code
		}{
			{"stale etag", "work", jobs.Request{ETag: `"0"`}, sunya.Aborted},
			{"not there", "none", jobs.Request{}, sunya.NotFound},
			{"validate only", "work", jobs.Request{ValidateOnly: true}, sunya.OK},
			{"allow missing", "other", jobs.Request{AllowMissing: true}, sunya.OK},
			{"etag", "work", jobs.Request{ETag: w.job(t, "work").ETag()}, sunya.OK},
		} {
			if _, _, err := w.Update(t.Context(), key(c.id), update, c.r); sunya.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %v", c.name, err, c.code)
			}
			if j := w.job(t, "work"); c.r.ValidateOnly && j.Generation != 1 {
				t.Errorf("%s: generation %d", c.name, j.Generation)
			}
		}
		synctest.Wait()
		w.end()
		for _, want := range []sunya.Code{sunya.OK, sunya.Aborted} { // the second while the first is under way
			if _, _, err := w.Update(t.Context(), key("work"), update, jobs.Request{}); sunya.CodeOf(err) != want {
				t.Errorf("update: %v, want %v", err, want)
			}
		}
		w.start(t)
		synctest.Wait()
		if j := w.job(t, "work"); j.Template.Tasks != 2 || j.Generation != 3 {
			t.Errorf("job = %+v", j)
		}
		if _, _, err := w.Delete(t.Context(), key("work"), jobs.Request{ETag: `"0"`}); sunya.CodeOf(err) != sunya.Aborted {
			t.Errorf("deleted with a stale etag: %v", err)
		}
		if _, op, err := w.Delete(t.Context(), key("work"), jobs.Request{}); err != nil || !op.Done {
			t.Errorf("delete: %+v, %v", op, err)
		}
		if _, err := w.Job(t.Context(), key("work")); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("after the deletion: %v", err)
		}
	})
}

func TestAPreparationIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.end() // nobody prepares
		if _, _, err := w.Create(t.Context(), key("work"), spec(1), jobs.Request{}); err != nil {
			t.Fatal(err)
		}
		if w.job(t, "work").Ready() {
			t.Fatal("ready before anybody prepared it")
		}
		w.start(t)
		synctest.Wait()
		if !w.job(t, "work").Ready() {
			t.Error("the next server did not prepare it")
		}
	})
}

// A job that is being prepared can be deleted, and made again: what the first one
// was to become is nothing to the second.
func TestDeletedWhileItIsPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		pull := make(chan struct{})
		w.pull = func() { <-pull }
		_, op, err := w.Create(t.Context(), key("work"), spec(1), jobs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, _, err := w.Delete(t.Context(), key("work"), jobs.Request{}); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.store.Operation(op.Name); !got.Done || got.Error == nil || got.Error.Code != sunya.Canceled {
			t.Errorf("operation = %+v", got)
		}
		if _, _, err := w.Create(t.Context(), key("work"), spec(7), jobs.Request{}); err != nil {
			t.Fatal(err)
		}
		close(pull)
		synctest.Wait()
		if j := w.job(t, "work"); !j.Ready() || j.Template.Tasks != 7 {
			t.Errorf("job = %+v", j)
		}
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		_, op, err := w.Create(t.Context(), key("work"), spec(1, func(s *jobs.Spec) { s.Token, s.AwaitRun = "now", true }), jobs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(w.running()) != 1 {
			t.Fatal("nothing runs")
		}
		if got, _ := w.store.Operation(op.Name); got.Done {
			t.Error("the operation does not wait for the execution")
		}
		w.exit(0)
		if got, _ := w.store.Operation(op.Name); !got.Done || got.Error != nil {
			t.Errorf("operation = %+v", got)
		}
		for _, c := range []struct {
			token string
			want  int
		}{{"now", 1}, {"again", 2}, {"now", 2}} {
			update := func(*jobs.Job) (jobs.Spec, error) {
				return spec(1, func(s *jobs.Spec) { s.Token = c.token }), nil
			}
			if _, _, err := w.Update(t.Context(), key("work"), update, jobs.Request{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.exit(0)
			if j := w.job(t, "work"); j.Executions != c.want || j.Next != nil {
				t.Errorf("token %s: %d executions, want %d", c.token, j.Executions, c.want)
			}
		}
	})
}

func TestOverrides(t *testing.T) {
	for _, c := range []struct {
		name string
		o    jobs.Overrides
		args []string
		mode string
		code sunya.Code
	}{
		{"none", jobs.Overrides{}, []string{"/bin/work", "all"}, "fast", sunya.OK},
		{"args", jobs.Overrides{Containers: []jobs.ContainerOverride{{Args: []string{"one"}}}}, []string{"/bin/work", "one"}, "fast", sunya.OK},
		{"clear", jobs.Overrides{Containers: []jobs.ContainerOverride{{ClearArgs: true}}}, []string{"/bin/work"}, "fast", sunya.OK},
		{"env", jobs.Overrides{Containers: []jobs.ContainerOverride{{Env: []sunya.EnvVar{{Name: "MODE", Value: "slow"}}}}}, []string{"/bin/work", "all"}, "slow", sunya.OK},
		{"both", jobs.Overrides{Containers: []jobs.ContainerOverride{{ClearArgs: true, Args: []string{"x"}}}}, nil, "", sunya.InvalidArgument},
		{"no such container", jobs.Overrides{Containers: []jobs.ContainerOverride{{Name: "other"}}}, nil, "", sunya.InvalidArgument},
		{"reserved", jobs.Overrides{Containers: []jobs.ContainerOverride{{Env: []sunya.EnvVar{{Name: "CLOUD_RUN_TASK_INDEX"}}}}}, nil, "", sunya.InvalidArgument},
		{"tasks", jobs.Overrides{Tasks: -1}, nil, "", sunya.InvalidArgument},
		{"timeout", jobs.Overrides{Timeout: time.Millisecond}, nil, "", sunya.InvalidArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plenty)
				w.create(t, "work", spec(1))
				_, _, err := w.Execute(t.Context(), key("work"), c.o, jobs.Request{})
				if sunya.CodeOf(err) != c.code {
					t.Fatalf("error = %v, want %v", err, c.code)
				}
				synctest.Wait()
				if c.code != sunya.OK {
					if n := len(w.engine.Boxes()); n > 0 {
						t.Errorf("%d tasks run", n)
					}
					return
				}
				b := w.running()["0"]
				if diff := cmp.Diff(c.args, b.Spec().Args); diff != "" {
					t.Error(diff)
				}
				if got := env(b, "MODE"); got != c.mode {
					t.Errorf("MODE = %q, want %q", got, c.mode)
				}
			})
		})
	}
}

func TestOverriddenTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1))
		k, _ := w.execute(t, "work", jobs.Overrides{Tasks: 3, Timeout: time.Minute})
		if e := w.execution(t, k); e.Running != 3 || e.Template.Timeout != time.Minute || !e.Overridden {
			t.Errorf("execution = %+v", e)
		}
		if j := w.job(t, "work"); j.Template.Tasks != 1 || j.Latest != k.Execution || j.Executions != 1 {
			t.Errorf("job = %+v", j)
		}
	})
}

func TestTaskNames(t *testing.T) {
	k := key("work").Execution("work-abcde")
	for id, want := range map[string]int{"work-abcde-task0": 0, "work-abcde-task12": 12, "work-abcde-task": -1, "work-abcde-task01": -1, "work-abcde-task-1": -1, "other-task0": -1, "": -1} {
		got, err := k.TaskIndex(id)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("TaskIndex(%q) = %d, %v, want %d", id, got, err, want)
		}
	}
	if got := k.TaskName(3); got != "projects/demo/locations/local/jobs/work/executions/work-abcde/tasks/work-abcde-task3" {
		t.Error(got)
	}
}

func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1))
		tag := w.job(t, "work").PolicyETag()
		if _, err := w.SetInvokers(t.Context(), key("work"), []string{"allUsers"}, tag); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SetInvokers(t.Context(), key("work"), nil, tag); sunya.CodeOf(err) != sunya.Aborted {
			t.Errorf("a stale policy was set: %v", err)
		}
		if j := w.job(t, "work"); len(j.Invokers) != 1 || !j.Ready() {
			t.Errorf("job = %+v", j)
		}
	})
}

func TestImagesInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, image("gcr.io/demo/one")))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		update := func(*jobs.Job) (jobs.Spec, error) { return spec(1, image("gcr.io/demo/two")), nil }
		if _, _, err := w.Update(t.Context(), key("work"), update, jobs.Request{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		in := func(reference string) bool {
			all, err := w.ImagesInUse(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(all, func(i sunya.Image) bool { return i.Reference == reference })
		}
		if !in("gcr.io/demo/one") || !in("gcr.io/demo/two") {
			t.Error("an image is missing that runs, or will")
		}
		w.exit(0)
		if e := w.execution(t, k); !e.Done() || in("gcr.io/demo/one") {
			t.Error("the image of an execution that is done is kept")
		}
	})
}
