//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// task is a program that does what the words of $DO say, one after the other.
const task = `import os, signal, subprocess, sys, time, urllib.request

index, attempt = os.environ["CLOUD_RUN_TASK_INDEX"], os.environ["CLOUD_RUN_TASK_ATTEMPT"]
print(f"task {index} attempt {attempt} begins", flush=True)

def asked(*_):
    print("asked to end", flush=True)
    sys.exit(9)

for word in os.environ.get("DO", "").split():
    if word == "env":
        print("\n".join(f"{k}={v}" for k, v in os.environ.items()), flush=True)
    elif word == "once" and attempt == "0":
        sys.exit("the first attempt fails")
    elif word == "fail":
        sys.exit(7)
    elif word == "eat":
        memory = [b"x" * (16 << 20) for _ in range(1000)]
    elif word == "sleep":
        signal.signal(signal.SIGTERM, asked)
        time.sleep(float(os.environ["SLEEP"]))
    elif word == "token":
        ask = urllib.request.Request("http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token", headers={"Metadata-Flavor": "Google"})
        print("has a token:", b"access_token" in urllib.request.urlopen(ask).read(), flush=True)
print(f"task {index} ends", flush=True)
`

// taskSource is the program as a source.
func taskSource(t *testing.T) string {
	t.Helper()
	return platform.Files(t, map[string]string{"main.py": task, "Procfile": "web: exec python3 main.py\n"})
}

// fields returns what a command printed, divided by single spaces.
func fields(r platform.Result) string { return strings.Join(strings.Fields(r.Stdout), " ") }

// logged waits until the log of an execution has these texts, and returns it.
func logged(s *platform.Server, execution string, want ...string) (out string) {
	s.Eventually(20*time.Second, "the log of "+execution, func() error {
		out = s.OK("run", "jobs", "executions", "logs", "read", execution, "--limit", "1000").Stdout
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%q is missing in:\n%s", w, out)
			}
		}
		return nil
	})
	return out
}

// TestJobs does with jobs what their users do.
func TestJobs(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.OK("run", "jobs", "deploy", "primes", "--source", "../examples/run-job", "--tasks", "4", "--execute-now", "--wait")
	s.Eventually(20*time.Second, "the example's log", func() error {
		if out := s.OK("run", "jobs", "logs", "read", "primes").Stdout; !strings.Contains(out, "task 0, attempt 0: 2762 primes from 0 to 24999") {
			return fmt.Errorf("the log is %s", out)
		}
		return nil
	})
	s.OK("run", "jobs", "deploy", "work", "--source", taskSource(t), "--tasks", "3", "--max-retries", "1", "--memory", "256Mi",
		"--set-env-vars", "DO=env token once,MODE=fast")
	id := strings.TrimSpace(s.OK("run", "jobs", "execute", "work", "--wait").Stdout)
	logged(s, id, "CLOUD_RUN_JOB=work", "CLOUD_RUN_EXECUTION="+id, "CLOUD_RUN_TASK_INDEX=2", "CLOUD_RUN_TASK_ATTEMPT=1",
		"CLOUD_RUN_TASK_COUNT=3", "MODE=fast", "has a token: True", "task 0 attempt 1 begins", "task 2 ends")
	if got := fields(s.OK("run", "jobs", "executions", "describe", id, "--format", "value(succeededCount,retriedCount)")); got != "3 3" {
		t.Errorf("counts = %q, want 3 succeeded after 3 retries", got)
	}

	t.Run("Failures", func(t *testing.T) {
		s := s.For(t)
		for _, c := range []struct{ do, timeout, says string }{
			{"fail", "600", "exit status 7"},
			{"eat", "600", "Memory limit of 256 MiB exceeded"},
			{"sleep", "1", "timeout of 1s was reached"},
		} {
			if c.do == "eat" && os.Geteuid() != 0 {
				continue // the limits of level user are doctor's to report
			}
			r := s.CLI("run", "jobs", "execute", "work", "--wait", "--tasks", "1", "--task-timeout", c.timeout, "--update-env-vars", "SLEEP=3600,DO="+c.do)
			if r.Code != 1 || !strings.Contains(r.Stderr, c.says) {
				t.Errorf("%s: exit %d, want 1 with %q: %s", c.do, r.Code, c.says, r.Stderr)
			}
		}
	})

	t.Run("Cancel", func(t *testing.T) {
		s := s.For(t)
		id := strings.TrimSpace(s.OK("run", "jobs", "execute", "work", "--tasks", "2", "--update-env-vars", "SLEEP=3600,DO=sleep").Stdout)
		logged(s, id, "task 0 attempt 0 begins", "task 1 attempt 0 begins")
		s.OK("run", "jobs", "executions", "cancel", id, "--quiet")
		logged(s, id, "asked to end")
		if got := fields(s.OK("run", "jobs", "executions", "describe", id, "--format", "value(cancelledCount)")); got != "2" {
			t.Errorf("%s tasks were cancelled, want 2", got)
		}
	})

	t.Run("BadInput", func(t *testing.T) {
		s := s.For(t)
		for line, want := range map[string]string{
			"run jobs deploy x --image localhost:" + s.Port + "/sunya/none": "does not exist",
			"run jobs deploy x --image gcr.io/sunya/UPPER":                  "UPPER",
			"run jobs update work --memory 12Q":                             "12Q",
			"run jobs update work --tasks 10001":                            "task_count",
			"run jobs update work --max-retries 11":                         "max_retries",
			"run jobs update work --set-env-vars CLOUD_RUN_JOB=x":           "reserved",
			"run jobs execute none":                                         "not found",
			"run jobs execute work --tasks 0":                               "tasks",
		} {
			if r := s.CLI(strings.Fields(line)...); r.Code == 0 || !strings.Contains(r.Stderr, want) {
				t.Errorf("%s: exit %d, want an error with %q: %s", line, r.Code, want, r.Stderr)
			}
		}
		s.OK("run", "jobs", "execute", "work", "--wait", "--tasks", "1") // it is what it was
	})

	s.OK("run", "jobs", "delete", "work", "--quiet")
	if out := s.OK("run", "jobs", "executions", "list").Stdout; strings.Contains(out, "work-") {
		t.Errorf("executions outlive their job:\n%s", out)
	}
}

// TestJobsSurviveAKilledServer kills the server while tasks run, wait and end.
// What the launcher has kept goes on, and nothing runs twice.
func TestJobsSurviveAKilledServer(t *testing.T) {
	t.Parallel()
	const tasks = 12
	s := platform.Start(t)
	s.OK("run", "jobs", "deploy", "work", "--source", taskSource(t), "--tasks", fmt.Sprint(tasks), "--parallelism", "4", "--max-retries", "4",
		"--memory", "128Mi", "--set-env-vars", "DO=sleep,SLEEP=1")
	id := strings.TrimSpace(s.OK("run", "jobs", "execute", "work").Stdout)
	for range 4 {
		s.Kill()
		s.Up()
	}
	s.Eventually(time.Minute, "the execution ends", func() error {
		if got := fields(s.OK("run", "jobs", "executions", "describe", id, "--format", "value(completionTime)")); got == "" {
			return fmt.Errorf("it goes on")
		}
		return nil
	})
	// A kill between the record of a start and the start itself costs the attempt;
	// nothing of it ran.
	if got := fields(s.OK("run", "jobs", "executions", "describe", id, "--format", "value(succeededCount)")); got != fmt.Sprint(tasks) {
		t.Errorf("%s of %d tasks succeeded:\n%s", got, tasks, s.OK("run", "jobs", "executions", "tasks", "list", "--execution", id).Stdout)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(logged(s, id)) {
		_, did, ok := strings.Cut(strings.TrimSpace(line), "task ")
		if !ok || !strings.HasSuffix(did, " begins") && !strings.HasSuffix(did, " ends") {
			continue
		}
		if seen[did] { // "3 attempt 0 begins", "3 ends"
			t.Errorf("twice: task %s", did)
		}
		seen[did] = true
	}
	s.NoOrphans()
}

// TestGcloudJobs does with an unmodified gcloud what its users do with jobs.
func TestGcloudJobs(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	const region = " --region us-central1"
	out := g.ok("run jobs deploy work --source "+taskSource(t)+" --tasks 2 --max-retries 0 --set-env-vars DO=env,MODE=gcloud --execute-now --wait"+region,
		"Building using Buildpacks", "has successfully been deployed and completed execution")
	id := between(out, "executions describe ", "\n")
	image := "us-central1-docker.pkg.dev/sunya/cloud-run-source-deploy/work"
	g.ok("run jobs describe work"+region, "Job work in region us-central1", image, "Executed 1 time")
	g.ok("run jobs executions list --job work"+region, id, "2 / 2")
	g.ok("run jobs executions tasks list --execution "+id+region, id+"-task1", "Succeeded")
	g.ok("run jobs logs read work"+region, "MODE=gcloud")
	g.ok("run jobs update work --tasks 1 --update-env-vars DO=fail"+region, "has successfully been updated")
	out, _ = g.run(strings.Fields("run jobs execute work --wait" + region)...)
	g.says("run jobs execute", out, "The execution failed")
	g.ok("run jobs executions describe "+between(out, "executions describe ", "\n")+region, "exit status 7")
	out = g.ok("run jobs execute work --async --update-env-vars DO=sleep,SLEEP=3600"+region, "is being started asynchronously")
	g.ok("run jobs executions cancel "+between(out, "executions describe ", "\n")+region, "Cancelled execution")
	g.ok("run jobs executions delete "+id+region, "Deleted execution")
	g.fails("run jobs create other --image gcr.io/sunya/none"+region, "does not exist")
	g.ok("run jobs create other --image "+image+region, "has successfully been created")
	g.ok("run jobs delete work"+region, "Deleted job")
}
