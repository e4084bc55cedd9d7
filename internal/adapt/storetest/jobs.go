package storetest

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// Jobs is the contract of jobs.Store. operation reads an operation of the same
// store.
func Jobs(t *testing.T, open func(testing.TB) jobs.Store, operation func(testing.TB, jobs.Store, string) *sunya.Operation) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, jobs.Store)
	}{
		{"PutGetDelete", jobRecords},
		{"ListsJobs", jobLists},
		{"RangesOfUsers", jobRanges},
		{"Executions", executionRecords},
		{"ListsExecutions", executionLists},
		{"Deletion", jobDeletion},
		{"Tasks", taskRecords},
		{"RefusedChangeWritesNothing", jobChangeRefused},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
	t.Run("OperationsTogether", func(t *testing.T) {
		s := open(t)
		putJob(t, s, jobOf("p", "l", "a"), jobs.Change{Operations: []sunya.Operation{{Name: "projects/p/locations/l/operations/1", Stage: "x", CreateTime: at(1)}}})
		if op := operation(t, s, "projects/p/locations/l/operations/1"); op.Stage != "x" {
			t.Errorf("operation = %+v", op)
		}
	})
}

func jobOf(project, location, id string) *jobs.Job {
	c := jobs.Container{
		Container: run.Container{From: sunya.ImageSpec{Reference: "gcr.io/p/x", Args: []string{"ü"}}},
		Fetched:   &images.Fetched{Image: sunya.Image{Digest: "sha256:1"}, Config: images.Config{Cmd: []string{"run"}}},
	}
	c.MemoryBytes = 1 << 29
	return &jobs.Job{
		Key: jobs.Key{Project: project, Location: location, ID: id}, UID: "u-" + id,
		Spec: jobs.Spec{
			Labels: map[string]string{"a": "b"}, Document: []byte(`{"x":1}`),
			Template: jobs.Template{Tasks: 2, Retries: 3, Timeout: time.Minute, Account: "a@b.c", Containers: []jobs.Container{c}},
		},
		Generation: 4, Invokers: []string{"allUsers"}, CreateTime: at(1), UpdateTime: at(2),
	}
}

// putJob writes a job, and what else c says.
func putJob(t *testing.T, s jobs.Store, j *jobs.Job, c jobs.Change) {
	t.Helper()
	c.Job = j
	must(t, s.UpdateJob(t.Context(), j.Key, func(*jobs.Job) (jobs.Change, error) { return c, nil }))
}

func jobRecords(t *testing.T, s jobs.Store) {
	j := jobOf("p", "l", "a")
	_, err := s.GetJob(t.Context(), j.Key)
	wantCode(t, err, sunya.NotFound)
	next := j.Spec
	j.Next = &next
	putJob(t, s, j, jobs.Change{})
	preparing, err := s.PreparingJobs(t.Context())
	must(t, err)
	if len(preparing) != 1 || preparing[0].Key != j.Key {
		t.Errorf("preparing = %v", preparing)
	}
	must(t, s.UpdateJob(t.Context(), j.Key, func(now *jobs.Job) (jobs.Change, error) {
		now.Next, now.Generation = nil, 5
		return jobs.Change{Job: now}, nil
	}))
	got, err := s.GetJob(t.Context(), j.Key)
	must(t, err)
	j.Next, j.Generation, j.UIDRange = nil, 5, got.UIDRange
	wantSame(t, got, j)
	if preparing, _ = s.PreparingJobs(t.Context()); len(preparing) > 0 {
		t.Errorf("preparing = %v, want none", preparing)
	}
	for range 2 { // what is gone may be deleted
		must(t, s.UpdateJob(t.Context(), j.Key, func(*jobs.Job) (jobs.Change, error) { return jobs.Change{DeleteJob: true}, nil }))
	}
	must(t, s.UpdateJob(t.Context(), j.Key, func(now *jobs.Job) (jobs.Change, error) {
		if now != nil {
			t.Errorf("a deleted job is still there: %v", now)
		}
		return jobs.Change{}, nil
	}))
}

func jobLists(t *testing.T, s jobs.Store) {
	for _, name := range [][2]string{{"b", "x"}, {"a", "y"}, {"a", "x"}} {
		putJob(t, s, jobOf("p", name[0], name[1]), jobs.Change{})
	}
	putJob(t, s, jobOf("q", "c", "z"), jobs.Change{})
	for _, c := range []struct {
		project, location, after string
		limit                    int
		want                     string
	}{
		{"p", "", "", 0, "a/x a/y b/x "}, {"p", "", "a/x", 0, "a/y b/x "}, {"p", "", "a/y", 1, "b/x "}, {"p", "a", "", 1, "a/x "},
		{"p", "a", "a/x", 5, "a/y "}, {"p", "c", "", 0, ""}, {"q", "", "", 0, "c/z "}, {"", "", "", 0, "a/x a/y b/x c/z "},
	} {
		js, err := s.ListJobs(t.Context(), c.project, c.location, c.after, c.limit)
		must(t, err)
		got := ""
		for _, j := range js {
			got += j.Location + "/" + j.ID + " "
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}

func jobRanges(t *testing.T, s jobs.Store) {
	seen := map[int]bool{}
	first := 0
	for i, j := range []*jobs.Job{jobOf("p", "l", "a"), jobOf("q", "l", "a"), jobOf("p", "l", "b")} {
		putJob(t, s, j, jobs.Change{})
		got, err := s.GetJob(t.Context(), j.Key)
		must(t, err)
		if got.UIDRange <= sunya.LayersRange || seen[got.UIDRange] {
			t.Errorf("range %d of %s is not its own", got.UIDRange, j.Name())
		}
		seen[got.UIDRange] = true
		if i == 0 {
			first = got.UIDRange
		}
	}
	j := jobOf("p", "l", "a")
	must(t, s.UpdateJob(t.Context(), j.Key, func(*jobs.Job) (jobs.Change, error) { return jobs.Change{DeleteJob: true}, nil }))
	putJob(t, s, j, jobs.Change{})
	if got, err := s.GetJob(t.Context(), j.Key); err != nil || got.UIDRange != first {
		t.Errorf("a job of the same name got range %v, %v, want %d again", got, err, first)
	}
}

func executionOf(j *jobs.Job, id string, second int) *jobs.Execution {
	return &jobs.Execution{ExecutionKey: j.Execution(id), UID: "u-" + id, Template: j.Template, UIDRange: 17, CreateTime: at(second), UpdateTime: at(second)}
}

// beginExecution writes an execution with two tasks.
func beginExecution(t *testing.T, s jobs.Store, j *jobs.Job, id string, second int) *jobs.Execution {
	e := executionOf(j, id, second)
	putJob(t, s, j, jobs.Change{NewExecution: e, Tasks: []jobs.Task{{Index: 0, UID: "0", State: jobs.Pending}, {Index: 1, UID: "1", State: jobs.Pending}}})
	return e
}

func executionRecords(t *testing.T, s jobs.Store) {
	j := jobOf("p", "l", "a")
	putJob(t, s, j, jobs.Change{})
	_, err := s.GetExecution(t.Context(), j.Execution("a-1"))
	wantCode(t, err, sunya.NotFound)
	e := beginExecution(t, s, j, "a-1", 1)
	got, err := s.GetExecution(t.Context(), e.ExecutionKey)
	must(t, err)
	wantSame(t, got, e)
	again := s.UpdateJob(t.Context(), j.Key, func(now *jobs.Job) (jobs.Change, error) {
		now.Latest = "a-1"
		return jobs.Change{Job: now, NewExecution: executionOf(j, "a-1", 9)}, nil
	})
	wantCode(t, again, sunya.AlreadyExists)
	if got, _ := s.GetJob(t.Context(), j.Key); got.Latest != "" {
		t.Error("a refused change was written in part")
	}
	openNow := func() int {
		ks, err := s.OpenExecutions(t.Context())
		must(t, err)
		return len(ks)
	}
	if n := openNow(); n != 1 {
		t.Errorf("%d executions are open, want 1", n)
	}
	must(t, s.UpdateExecution(t.Context(), e.ExecutionKey, func(e *jobs.Execution, open []jobs.Task) (jobs.Change, error) {
		if len(open) != 2 {
			t.Errorf("open = %v, want both tasks", open)
		}
		e.EndTime = at(3)
		return jobs.Change{Execution: e}, nil
	}))
	if n := openNow(); n != 0 {
		t.Errorf("%d executions are open, want none", n)
	}
	wantCode(t, s.UpdateExecution(t.Context(), j.Execution("none"), nil), sunya.NotFound)
	must(t, s.UpdateJob(t.Context(), j.Key, func(*jobs.Job) (jobs.Change, error) { return jobs.Change{DeleteJob: true}, nil }))
	_, err = s.GetTask(t.Context(), e.ExecutionKey, 0)
	wantCode(t, err, sunya.NotFound)
}

// jobDeletion: whoever deletes a job sees what of it goes on.
func jobDeletion(t *testing.T, s jobs.Store) {
	j := jobOf("p", "l", "a")
	for i, id := range []string{"a-1", "a-2", "a-3"} {
		beginExecution(t, s, j, id, i)
	}
	beginExecution(t, s, jobOf("p", "l", "b"), "b-1", 1)
	must(t, s.UpdateExecution(t.Context(), j.Execution("a-2"), func(e *jobs.Execution, _ []jobs.Task) (jobs.Change, error) {
		e.EndTime = at(9)
		return jobs.Change{Execution: e}, nil
	}))
	must(t, s.DeleteJob(t.Context(), j.Key, func(now *jobs.Job, open []jobs.Execution) (jobs.Change, error) {
		if now == nil || len(open) != 2 || open[0].Execution != "a-1" || open[1].Execution != "a-3" {
			t.Errorf("open = %v of %v, want a-1 and a-3", open, now)
		}
		return jobs.Change{DeleteJob: true}, nil
	}))
	if left, err := s.OpenExecutions(t.Context()); err != nil || len(left) != 1 || left[0].Execution != "b-1" {
		t.Errorf("open = %v, %v, want b-1", left, err)
	}
	must(t, s.DeleteJob(t.Context(), j.Key, func(now *jobs.Job, open []jobs.Execution) (jobs.Change, error) {
		if now != nil || len(open) > 0 {
			t.Errorf("after the deletion: %v, %v", now, open)
		}
		return jobs.Change{}, nil
	}))
}

func executionLists(t *testing.T, s jobs.Store) {
	a, b := jobOf("p", "l", "a"), jobOf("p", "m", "b")
	for i, id := range []string{"a-1", "a-2", "a-3"} {
		beginExecution(t, s, a, id, i)
	}
	beginExecution(t, s, b, "b-1", 7)
	for _, c := range []struct {
		location, job, after string
		limit                int
		want                 string
	}{
		{"", "", "", 0, "b-1 a-3 a-2 a-1 "}, {"l", "a", "", 2, "a-3 a-2 "}, {"l", "a", "l/a/a-2", 2, "a-1 "}, {"m", "", "", 0, "b-1 "},
		{"", "", "m/b/b-1", 1, "a-3 "}, {"l", "b", "", 0, ""},
	} {
		es, err := s.ListExecutions(t.Context(), jobs.Key{Project: "p", Location: c.location, ID: c.job}, c.after, c.limit)
		must(t, err)
		got := ""
		for _, e := range es {
			got += e.Execution + " "
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	_, err := s.ListExecutions(t.Context(), a.Key, "l/a/gone", 1)
	wantCode(t, err, sunya.InvalidArgument)

	end := func(id string) {
		must(t, s.UpdateExecution(t.Context(), a.Execution(id), func(e *jobs.Execution, _ []jobs.Task) (jobs.Change, error) {
			e.EndTime = at(9)
			return jobs.Change{Execution: e}, nil
		}))
	}
	end("a-2")
	end("a-3")
	old, err := s.OldExecutions(t.Context(), a.Key, 1)
	must(t, err)
	wantSame(t, old, []string{"a-2"}) // a-1 goes on
	putJob(t, s, a, jobs.Change{DeleteExecutions: old})
	_, err = s.GetExecution(t.Context(), a.Execution("a-2"))
	wantCode(t, err, sunya.NotFound)
}

func taskRecords(t *testing.T, s jobs.Store) {
	j := jobOf("p", "l", "a")
	e := beginExecution(t, s, j, "a-1", 1)
	must(t, s.UpdateTask(t.Context(), e.ExecutionKey, 1, func(e *jobs.Execution, task *jobs.Task) (jobs.Change, error) {
		task.State, task.Attempt, task.Last, task.EndTime = jobs.Failed, 2, &jobs.Result{Reason: "R", ExitCode: 3}, at(5)
		e.Failed = 1
		return jobs.Change{Execution: e, Tasks: []jobs.Task{*task}}, nil
	}))
	got, err := s.GetTask(t.Context(), e.ExecutionKey, 1)
	must(t, err)
	wantSame(t, got, &jobs.Task{Index: 1, UID: "1", State: jobs.Failed, Attempt: 2, Last: &jobs.Result{Reason: "R", ExitCode: 3}, EndTime: at(5)})
	if e, _ := s.GetExecution(t.Context(), e.ExecutionKey); e.Failed != 1 {
		t.Errorf("failed = %d, want 1", e.Failed)
	}
	open, err := s.OpenTasks(t.Context(), e.ExecutionKey)
	must(t, err)
	if len(open) != 1 || open[0].Index != 0 {
		t.Errorf("open = %v, want the first", open)
	}
	for _, c := range []struct{ from, limit, want int }{{0, 0, 2}, {0, 1, 1}, {1, 5, 1}, {2, 5, 0}} {
		if ts, err := s.ListTasks(t.Context(), e.ExecutionKey, c.from, c.limit); err != nil || len(ts) != c.want {
			t.Errorf("%+v: %d tasks, %v", c, len(ts), err)
		}
	}
	_, err = s.GetTask(t.Context(), e.ExecutionKey, 2)
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.UpdateTask(t.Context(), e.ExecutionKey, 2, nil), sunya.NotFound)
	wantCode(t, s.UpdateTask(t.Context(), j.Execution("none"), 0, nil), sunya.NotFound)
}

func jobChangeRefused(t *testing.T, s jobs.Store) {
	j := jobOf("p", "l", "a")
	putJob(t, s, j, jobs.Change{})
	no := sunya.Errorf(sunya.Aborted, "", "no")
	wantCode(t, s.UpdateJob(t.Context(), j.Key, func(now *jobs.Job) (jobs.Change, error) {
		now.Generation = 99
		return jobs.Change{Job: now}, no
	}), sunya.Aborted)
	if got, _ := s.GetJob(t.Context(), j.Key); got.Generation != 4 {
		t.Errorf("generation = %d, want 4", got.Generation)
	}
}
