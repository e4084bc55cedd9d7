package jobs_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const plenty = 64 << 30

func TestTasksSeeTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(2))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		boxes := w.running()
		if len(boxes) != 2 {
			t.Fatalf("%d tasks run, want 2", len(boxes))
		}
		s := boxes["1"].Spec()
		want := []string{
			"MODE=fast", "FROM=image", "LANG=C", "CLOUD_RUN_JOB=work", "CLOUD_RUN_EXECUTION=" + k.Execution,
			"CLOUD_RUN_TASK_INDEX=1", "CLOUD_RUN_TASK_ATTEMPT=0", "CLOUD_RUN_TASK_COUNT=2",
			"STORAGE_EMULATOR_HOST=http://169.254.169.254:8085", "PUBSUB_EMULATOR_HOST=169.254.169.254:8085", "PUBSUB_PROJECT_ID=demo",
		}
		if diff := cmp.Diff(want, slices.DeleteFunc(s.Env, func(v string) bool { return v[:4] == "PATH" })); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"/bin/work", "all"}, s.Args); diff != "" {
			t.Error(diff)
		}
		if s.Kind != jobs.Kind || s.Port != 0 || s.UIDRange <= sunya.LayersRange || s.MemoryBytes != 512<<20 || s.Dir != "/work" || !s.Network {
			t.Errorf("spec = %+v", s)
		}
		if s.Labels["project"] != "demo" || s.Labels["account"] == "" {
			t.Errorf("labels = %v", s.Labels)
		}
		w.exit(0)
		if e := w.execution(t, k); !e.Done() || e.Ended() != jobs.Succeeded || counts(e) != "0 0 2 0 0" {
			t.Errorf("execution ended %s: %s", e.Ended(), counts(e))
		}
	})
}

func TestAFailedTaskIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(2, func(s *jobs.Spec) { s.Template.Retries = 1 }))
		k, op := w.execute(t, "work", jobs.Overrides{})
		w.running()["1"].End(sandbox.Exit{})
		w.running()["0"].End(sandbox.Exit{Code: 3})
		synctest.Wait()
		b := w.running()["0"]
		if b == nil || env(b, "CLOUD_RUN_TASK_ATTEMPT") != "1" {
			t.Fatalf("no second attempt runs: %v", w.running())
		}
		if e := w.execution(t, k); counts(e) != "0 1 1 0 0" || e.Retried != 1 {
			t.Errorf("counts = %s, retried %d", counts(e), e.Retried)
		}
		b.End(sandbox.Exit{Code: 4})
		synctest.Wait()
		e := w.execution(t, k)
		if !e.Done() || e.Ended() != jobs.Failed || counts(e) != "0 0 1 1 0" || len(w.running()) > 0 {
			t.Errorf("execution ended %s: %s", e.Ended(), counts(e))
		}
		task := w.task(t, k, 0)
		if task.State != jobs.Failed || task.Attempt != 1 || task.Last.ExitCode != 4 || task.Last.Reason != jobs.ReasonExitCode {
			t.Errorf("task = %+v, %+v", task, task.Last)
		}
		want := "Task " + k.Execution + "-task0 failed with message: The container exited with an error: exit status 4."
		if e.Fault == nil || e.Fault.Message != want {
			t.Errorf("fault = %+v, want %q", e.Fault, want)
		}
		if done, _ := w.store.Operation(op); !done.Done || done.Error == nil || done.Error.Reason != jobs.ReasonExitCode {
			t.Errorf("operation = %+v", done)
		}
	})
}

func TestHowAttemptsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		exit   sandbox.Exit
		reason string
	}{
		{"well", sandbox.Exit{}, ""},
		{"status", sandbox.Exit{Code: 1}, jobs.ReasonExitCode},
		{"signal", sandbox.Exit{Code: 139, Signal: 11}, jobs.ReasonExitCode},
		{"memory", sandbox.Exit{Code: 137, Signal: 9, OOMKilled: true}, jobs.ReasonMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plenty)
				w.create(t, "work", spec(1))
				k, _ := w.execute(t, "work", jobs.Overrides{})
				w.running()["0"].End(c.exit)
				synctest.Wait()
				last := w.task(t, k, 0).Last
				if last.Reason != c.reason || last.Signal != c.exit.Signal || (last.Message == "") != (c.reason == "") {
					t.Errorf("result = %+v, want %q", last, c.reason)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Timeout = time.Hour }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if len(w.running()) != 1 {
			t.Fatal("the task was stopped before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		e, task := w.execution(t, k), w.task(t, k, 0)
		if !e.Done() || e.Ended() != jobs.Failed || task.Last.Reason != jobs.ReasonTimeout || len(w.running()) > 0 {
			t.Errorf("execution %s, result %+v", counts(e), task.Last)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(4, func(s *jobs.Spec) { s.Template.Parallelism, s.Template.Retries = 2, 3 }))
		k, run := w.execute(t, "work", jobs.Overrides{})
		w.running()["0"].End(sandbox.Exit{})
		synctest.Wait()
		_, op, err := w.Cancel(t.Context(), k, jobs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e := w.execution(t, k)
		if !e.Done() || e.Ended() != jobs.Cancelled || counts(e) != "0 0 1 0 3" || len(w.running()) > 0 {
			t.Errorf("execution ended %s: %s", e.Ended(), counts(e))
		}
		for _, name := range []string{run, op.Name} {
			if got, _ := w.store.Operation(name); !got.Done || got.Error != nil {
				t.Errorf("operation = %+v", got)
			}
		}
		if _, _, err := w.Cancel(t.Context(), k, jobs.Request{}); sunya.CodeOf(err) != sunya.FailedPrecondition {
			t.Errorf("cancelled twice: %v", err)
		}
	})
}

func TestParallelism(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(5, func(s *jobs.Spec) { s.Template.Parallelism = 2 }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		for _, want := range []string{"3 2 0 0 0", "1 2 2 0 0", "0 1 4 0 0", "0 0 5 0 0"} {
			if e := w.execution(t, k); counts(e) != want {
				t.Errorf("counts = %s, want %s", counts(e), want)
			}
			w.exit(0)
		}
	})
}

func TestMemoryBoundsWhatRunsFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4*512<<20)
		w.create(t, "big", spec(10))
		w.create(t, "small", spec(2))
		first, _ := w.execute(t, "big", jobs.Overrides{})
		if e := w.execution(t, first); e.Running != 4 {
			t.Fatalf("%d tasks run, want 4", e.Running)
		}
		second, _ := w.execute(t, "small", jobs.Overrides{})
		w.running()["0"].End(sandbox.Exit{})
		synctest.Wait()
		if e := w.execution(t, second); e.Running != 1 {
			t.Errorf("a newcomer has %d tasks, want the room that became free", e.Running)
		}
		if n := len(w.engine.Running()); n != 4 {
			t.Errorf("%d tasks run, want 4", n)
		}
		// What is larger than everything there is runs alone.
		w.create(t, "huge", spec(1, func(s *jobs.Spec) {
			s.Template.Containers[0].MemoryBytes = 4 << 30
			s.Template.Containers[0].CPUMillis = 2000
		}))
		third, _ := w.execute(t, "huge", jobs.Overrides{})
		for range 20 {
			for _, b := range w.engine.Running() {
				if env(b, "CLOUD_RUN_JOB") == "huge" && len(w.engine.Running()) > 1 {
					t.Fatal("it does not run alone")
				}
			}
			w.exit(0)
		}
		for _, k := range []jobs.ExecutionKey{first, second, third} {
			if e := w.execution(t, k); e.Ended() != jobs.Succeeded || !e.Done() {
				t.Errorf("%s: %s", k.Execution, counts(e))
			}
		}
	})
}

// kill ends the server without a chance to do anything; its goroutines can
// write no more.
func (w *world) kill() {
	w.store.Fail(errors.New("killed"))
	left := w.engine.Running()
	for _, b := range left {
		b.Detach()
	}
	w.stop()
	w.wg.Wait()
	for _, b := range left {
		b.End(sandbox.Exit{})
	}
	w.store.Fail(nil)
}

func TestAKilledServerGoesOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		kept    bool          // the launcher has the sandbox
		exit    *sandbox.Exit // it ended while no server was there
		want    string        // counts
		attempt string        // that runs then; empty: none
		retries int
	}{
		{"it runs on", true, nil, "0 1 0 0 0", "0", 0},
		{"it ended well", true, &sandbox.Exit{}, "0 0 1 0 0", "", 3},
		{"it ended badly", true, &sandbox.Exit{Code: 1}, "0 1 0 0 0", "1", 1},
		{"it ended badly for good", true, &sandbox.Exit{Code: 1}, "0 0 0 1 0", "", 0},
		{"it was lost", false, nil, "0 1 0 0 0", "1", 1},
		{"it was lost for good", false, nil, "0 0 0 1 0", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plenty)
				w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Retries = c.retries }))
				k, _ := w.execute(t, "work", jobs.Overrides{})
				before := w.engine.Running()
				w.kill()
				var left []sandbox.Sandbox
				kept := w.engine.New(before[0].Spec())
				if c.exit != nil {
					kept.End(*c.exit)
				}
				if c.kept {
					left = []sandbox.Sandbox{kept}
				} else {
					kept.End(sandbox.Exit{Code: 137, Signal: 9})
				}
				w.start(t, left...)
				synctest.Wait()
				if e := w.execution(t, k); counts(e) != c.want {
					t.Errorf("counts = %s, want %s", counts(e), c.want)
				}
				attempt := ""
				if b := w.running()["0"]; b != nil {
					attempt = env(b, "CLOUD_RUN_TASK_ATTEMPT")
				}
				if attempt != c.attempt {
					t.Errorf("attempt %q runs, want %q", attempt, c.attempt)
				}
				w.exit(0)
				if e := w.execution(t, k); !e.Done() {
					t.Errorf("it never ends: %s", counts(e))
				}
			})
		})
	}
}

func TestWhatNoTaskKnowsIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.end()
		box := w.engine.New(sandbox.Spec{ID: "job-gone-0-0", Kind: jobs.Kind})
		other := w.engine.New(sandbox.Spec{ID: "x", Kind: "build"})
		w.start(t, box, other)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 1 {
			t.Errorf("%d sandboxes run, want the one that is none of ours", n)
		}
		other.End(sandbox.Exit{})
	})
}

func TestTheTimeoutGoesOnAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Timeout = time.Hour; s.Template.Retries = 0 }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		time.Sleep(50 * time.Minute)
		before := w.engine.Running()
		w.kill()
		w.start(t, w.engine.New(before[0].Spec()))
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if task := w.task(t, k, 0); task.State != jobs.Failed || task.Last.Reason != jobs.ReasonTimeout {
			t.Errorf("task = %+v", task)
		}
	})
}

func TestAnOrderlyEndStopsTasksAndTheNextStartTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Retries = 1 }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		w.end()
		if n := len(w.engine.Running()); n != 0 {
			t.Fatalf("%d tasks outlive the server", n)
		}
		w.start(t)
		synctest.Wait()
		if e := w.execution(t, k); counts(e) != "0 1 0 0 0" || e.Retried != 1 {
			t.Errorf("counts = %s", counts(e))
		}
	})
}

// A server that ends while it starts a task does not take it for a start that
// failed: the program runs, is asked to end, and its attempt was interrupted.
func TestAnEndWhileATaskStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Retries = 1 }))
		w.engine.Refuse = func(sandbox.Spec) error {
			w.stop()
			return nil
		}
		k, _ := w.execute(t, "work", jobs.Overrides{})
		w.end()
		if n := len(w.engine.Running()); n != 0 {
			t.Fatalf("%d tasks outlive the server", n)
		}
		w.engine.Refuse = nil
		w.start(t)
		synctest.Wait()
		if task := w.task(t, k, 0); task.State != jobs.Running || task.Attempt != 1 || task.Last.Reason != jobs.ReasonLost {
			t.Errorf("task = %+v, %+v", task, task.Last)
		}
	})
}

// A result that cannot be stored is stored later; the program is not run again.
func TestAResultIsKeptUntilItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		w.store.Fail(sunya.Errorf(sunya.Unavailable, "", "the disk is full"))
		w.exit(0)
		time.Sleep(time.Minute)
		w.store.Fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if e := w.execution(t, k); !e.Done() || e.Ended() != jobs.Succeeded || len(w.engine.Boxes()) != 1 {
			t.Errorf("execution %s after %d starts", counts(e), len(w.engine.Boxes()))
		}
	})
}

func TestAStartThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		refusals := 0
		w.engine.Refuse = func(sandbox.Spec) error {
			refusals++
			if refusals < 3 {
				return sunya.Errorf(sunya.Unavailable, "", "try again")
			}
			return sunya.Errorf(sunya.FailedPrecondition, "", "there is no such program")
		}
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Retries = 0 }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		time.Sleep(time.Second)
		synctest.Wait()
		task := w.task(t, k, 0)
		if task.State != jobs.Failed || task.Last.Reason != jobs.ReasonStart || refusals != 3 {
			t.Errorf("task = %+v, %+v after %d tries", task, task.Last, refusals)
		}
	})
}

func TestDeletedWhileItRuns(t *testing.T) {
	for _, what := range []string{"job", "execution"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plenty)
				w.create(t, "work", spec(3, func(s *jobs.Spec) { s.Template.Parallelism = 2 }))
				k, op := w.execute(t, "work", jobs.Overrides{})
				var err error
				if what == "job" {
					_, _, err = w.Delete(t.Context(), k.Key, jobs.Request{})
				} else {
					_, _, err = w.DeleteExecution(t.Context(), k, jobs.Request{})
				}
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := len(w.engine.Running()); n > 0 {
					t.Errorf("%d tasks run on", n)
				}
				if got, _ := w.store.Operation(op); !got.Done || got.Error == nil {
					t.Errorf("who waits is told nothing: %+v", got)
				}
				if _, err := w.Execution(t.Context(), k); sunya.CodeOf(err) != sunya.NotFound {
					t.Errorf("execution: %v", err)
				}
			})
		})
	}
}

func TestEndsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plenty)
		w.create(t, "work", spec(1, func(s *jobs.Spec) { s.Template.Retries = 1 }))
		k, _ := w.execute(t, "work", jobs.Overrides{})
		w.exit(2)
		w.exit(0)
		entries := w.sink.Entries()
		if len(entries) != 2 {
			t.Fatalf("%d entries, want 2", len(entries))
		}
		e := entries[1]
		labels := map[string]string{jobs.LogLabelExecution: k.Execution, jobs.LogLabelIndex: "0", jobs.LogLabelAttempt: "1"}
		for name, want := range labels {
			if e.Labels[name] != want {
				t.Errorf("label %s = %q, want %q", name, e.Labels[name], want)
			}
		}
		if e.Resource.Type != "cloud_run_job" || e.Resource.Labels["job_name"] != "work" || e.Severity <= entries[0].Severity == false && entries[0].Severity == e.Severity {
			t.Errorf("entry = %+v", e)
		}
	})
}
