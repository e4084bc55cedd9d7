package runv2_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	runapi "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/uuid"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
	"github.com/sunya-cloud/sunya/internal/core/operations"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/runv2"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

const location = "projects/demo/locations/local"

// jobClients are the official ones.
type jobClients struct {
	jobs       *runapi.JobsClient
	executions *runapi.ExecutionsClient
	tasks      *runapi.TasksClient
}

// eachJobs runs a test with the official clients over gRPC and over REST.
func eachJobs(t *testing.T, run func(t *testing.T, c jobClients)) {
	t.Parallel() // they wait for operations as the clients do
	t.Run("gRPC", func(t *testing.T) {
		t.Parallel()
		opts := []option.ClientOption{
			option.WithEndpoint(strings.TrimPrefix(newJobsServer(t).URL, "http://")), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
		var c jobClients
		var errs [3]error
		c.jobs, errs[0] = runapi.NewJobsClient(t.Context(), opts...)
		c.executions, errs[1] = runapi.NewExecutionsClient(t.Context(), opts...)
		c.tasks, errs[2] = runapi.NewTasksClient(t.Context(), opts...)
		c.ready(t, run, errs[:])
	})
	t.Run("REST", func(t *testing.T) {
		t.Parallel()
		opts := []option.ClientOption{option.WithEndpoint(newJobsServer(t).URL), option.WithoutAuthentication()}
		var c jobClients
		var errs [3]error
		c.jobs, errs[0] = runapi.NewJobsRESTClient(t.Context(), opts...)
		c.executions, errs[1] = runapi.NewExecutionsRESTClient(t.Context(), opts...)
		c.tasks, errs[2] = runapi.NewTasksRESTClient(t.Context(), opts...)
		c.ready(t, run, errs[:])
	})
}

func (c jobClients) ready(t *testing.T, run func(*testing.T, jobClients), errs []error) {
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.jobs.Close(); c.executions.Close(); c.tasks.Close() })
	run(t, c)
}

// newJobsServer serves the API over a real store and a runner that works.
func newJobsServer(t *testing.T) *httptest.Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	ops := operations.New(db)
	runner := jobs.NewRunner(jobs.RunnerParts{
		Store: db, Images: jobstest.Images{}, Engine: &instancetest.Programs{}, Layers: jobstest.Layers{}, Changed: ops.Changed,
		MemoryBytes: 8 << 30, Now: time.Now, NewID: uuid.NewString, Log: log,
	})
	api := runv2.NewJobs(jobs.New(jobs.Parts{
		Store: db, Images: jobstest.Images{}, Executor: runner, Changed: ops.Changed, Now: time.Now, NewID: uuid.NewString,
	}))
	gs := grpc.NewServer(transcode.ServerOptions(log)...)
	api.Register(gs)
	lro.New(ops, api.Operations()...).Register(gs)
	mux := http.NewServeMux()
	for _, d := range []transcode.API{runv2.JobsDescriptor(), operationsOf()} {
		h, err := transcode.New(gs, d, log)
		if err != nil {
			t.Fatal(err)
		}
		pattern := "/"
		if len(d.Rules) > 0 {
			pattern = "/v2/projects/{project}/locations/{location}/operations/"
		}
		mux.Handle(pattern, h)
	}
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = runner.Run(ctx) }()
	t.Cleanup(func() { srv.Close(); gs.Stop(); cancel(); <-ended; db.Close() })
	return srv
}

// operationsOf is what the API of services has for the operations of all.
func operationsOf() transcode.API {
	d := runv2.Descriptor()
	d.Services = []string{"google.longrunning.Operations"}
	return d
}

func newJob(args ...string) *runpb.Job {
	return &runpb.Job{
		Labels: map[string]string{"team": "x"},
		Template: &runpb.ExecutionTemplate{TaskCount: 3, Template: &runpb.TaskTemplate{
			Retries: &runpb.TaskTemplate_MaxRetries{MaxRetries: 1},
			Containers: []*runpb.Container{{
				Image: "gcr.io/demo/work", Args: args,
				Env: []*runpb.EnvVar{{Name: "A", Values: &runpb.EnvVar_Value{Value: "b"}}},
			}},
		}},
	}
}

func (c jobClients) create(t *testing.T, id string, j *runpb.Job) *runpb.Job {
	t.Helper()
	op, err := c.jobs.CreateJob(t.Context(), &runpb.CreateJobRequest{Parent: location, JobId: id, Job: j})
	if err != nil {
		t.Fatal(err)
	}
	got, err := op.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestJobsEndToEnd(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		j := c.create(t, "work", newJob())
		task := j.GetTemplate().GetTemplate()
		switch {
		case j.GetName() != location+"/jobs/work", j.GetUid() == "", j.GetEtag() == "", j.GetReconciling(), j.GetGeneration() != 1, j.GetObservedGeneration() != 1:
			t.Errorf("job = %v", j)
		case j.GetTerminalCondition().GetState() != runpb.Condition_CONDITION_SUCCEEDED:
			t.Errorf("condition = %v", j.GetTerminalCondition())
		case task.GetTimeout().AsDuration() != 10*time.Minute, task.GetMaxRetries() != 1, task.GetContainers()[0].GetResources().GetLimits()["memory"] != "512Mi", task.GetServiceAccount() == "":
			t.Errorf("the defaults are not filled in: %v", task)
		}

		op, err := c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: j.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := op.Metadata(); err != nil || !strings.HasPrefix(meta.GetName(), location+"/jobs/work/executions/work-") {
			t.Errorf("metadata = %v, %v", meta, err)
		}
		e, err := op.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.GetSucceededCount() != 3 || e.GetCompletionTime() == nil || e.GetReconciling() || e.GetJob() != "work" ||
			e.GetConditions()[0].GetType() != "Completed" || e.GetConditions()[0].GetState() != runpb.Condition_CONDITION_SUCCEEDED {
			t.Errorf("execution = %v", e)
		}
		if got, err := c.executions.GetExecution(t.Context(), &runpb.GetExecutionRequest{Name: e.GetName()}); err != nil || got.GetEtag() != e.GetEtag() {
			t.Errorf("get: %v, %v", got, err)
		}
		j, err = c.jobs.GetJob(t.Context(), &runpb.GetJobRequest{Name: j.GetName()})
		if err != nil || j.GetExecutionCount() != 1 || j.GetLatestCreatedExecution().GetCompletionStatus() != runpb.ExecutionReference_EXECUTION_SUCCEEDED {
			t.Errorf("job = %v, %v", j, err)
		}
		var names []string
		it := c.tasks.ListTasks(t.Context(), &runpb.ListTasksRequest{Parent: e.GetName(), PageSize: 2})
		for task, err := it.Next(); !errors.Is(err, iterator.Done); task, err = it.Next() {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, task.GetName()[strings.LastIndex(task.GetName(), "-"):])
		}
		if strings.Join(names, " ") != "-task0 -task1 -task2" {
			t.Errorf("tasks = %v", names)
		}
		one, err := c.tasks.GetTask(t.Context(), &runpb.GetTaskRequest{Name: e.GetName() + "/tasks/" + e.GetName()[strings.LastIndex(e.GetName(), "/")+1:] + "-task1"})
		if err != nil || one.GetIndex() != 1 || one.GetLastAttemptResult().GetStatus().GetCode() != 0 || one.GetContainers()[0].GetImage() != "gcr.io/demo/work" {
			t.Errorf("task = %v, %v", one, err)
		}
	})
}

func TestAJobThatFails(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		j := c.create(t, "work", newJob("fail"))
		op, err := c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: j.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		meta, err := op.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("wait: %v", err)
		}
		e, err := c.executions.GetExecution(t.Context(), &runpb.GetExecutionRequest{Name: meta.GetName()})
		if err != nil || e.GetFailedCount() != 3 || e.GetRetriedCount() != 3 ||
			e.GetConditions()[0].GetExecutionReason() != runpb.Condition_NON_ZERO_EXIT_CODE {
			t.Errorf("execution = %v, %v", e, err)
		}
		// The same job, told to do well this once.
		op, err = c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: j.GetName(), Overrides: &runpb.RunJobRequest_Overrides{
			TaskCount: 1, Timeout: durationpb.New(time.Minute),
			ContainerOverrides: []*runpb.RunJobRequest_Overrides_ContainerOverride{{
				Args: []string{"well"}, Env: []*runpb.EnvVar{{Name: "A", Values: &runpb.EnvVar_Value{Value: "c"}}},
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		e, err = op.Wait(t.Context())
		container := e.GetTemplate().GetContainers()[0]
		if err != nil || e.GetSucceededCount() != 1 || container.GetArgs()[0] != "well" || container.GetEnv()[0].GetValue() != "c" || e.GetTemplate().GetTimeout().AsDuration() != time.Minute {
			t.Errorf("execution = %v, %v", e, err)
		}
	})
}

func TestCancelAndDeleteExecutions(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		j := c.create(t, "work", newJob("hang"))
		op, err := c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: j.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		meta, err := op.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		cancel, err := c.executions.CancelExecution(t.Context(), &runpb.CancelExecutionRequest{Name: meta.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		e, err := cancel.Wait(t.Context())
		if err != nil || e.GetCancelledCount() != 3 || e.GetConditions()[0].GetExecutionReason() != runpb.Condition_CANCELLED {
			t.Errorf("execution = %v, %v", e, err)
		}
		if e, err := op.Wait(t.Context()); err != nil || e.GetCancelledCount() != 3 {
			t.Errorf("the run's own operation: %v, %v", e, err)
		}
		del, err := c.executions.DeleteExecution(t.Context(), &runpb.DeleteExecutionRequest{Name: meta.GetName(), Etag: e.GetEtag()})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := del.Wait(t.Context()); err != nil || e.GetCancelledCount() != 3 {
			t.Errorf("delete: %v, %v", e, err)
		}
		if _, err := c.executions.GetExecution(t.Context(), &runpb.GetExecutionRequest{Name: meta.GetName()}); code(err) != codes.NotFound {
			t.Errorf("after the deletion: %v", err)
		}
	})
}

func TestListUpdateDeleteJobs(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		for _, id := range []string{"b", "c"} {
			if _, err := c.jobs.CreateJob(t.Context(), &runpb.CreateJobRequest{Parent: location, JobId: id, Job: newJob()}); err != nil {
				t.Fatal(err)
			}
		}
		c.create(t, "a", newJob())
		var ids []string
		it := c.jobs.ListJobs(t.Context(), &runpb.ListJobsRequest{Parent: location, PageSize: 2})
		for j, err := it.Next(); !errors.Is(err, iterator.Done); j, err = it.Next() {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, j.GetName()[strings.LastIndex(j.GetName(), "/")+1:])
		}
		if strings.Join(ids, "") != "abc" {
			t.Errorf("jobs = %v", ids)
		}
		j, err := c.jobs.GetJob(t.Context(), &runpb.GetJobRequest{Name: location + "/jobs/a"})
		if err != nil {
			t.Fatal(err)
		}
		j.GetTemplate().TaskCount = 7
		up, err := c.jobs.UpdateJob(t.Context(), &runpb.UpdateJobRequest{Job: j})
		if err != nil {
			t.Fatal(err)
		}
		now, err := up.Wait(t.Context())
		if err != nil || now.GetTemplate().GetTaskCount() != 7 || now.GetGeneration() != 2 {
			t.Errorf("updated = %v, %v", now, err)
		}
		if _, err := c.jobs.UpdateJob(t.Context(), &runpb.UpdateJobRequest{Job: j}); code(err) != codes.Aborted {
			t.Errorf("updated with the etag of before: %v", err)
		}
		for range 3 {
			if _, err := c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: now.GetName()}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		executions := c.executions.ListExecutions(t.Context(), &runpb.ListExecutionsRequest{Parent: now.GetName(), PageSize: 2})
		for _, err := executions.Next(); !errors.Is(err, iterator.Done); _, err = executions.Next() {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 3 {
			t.Errorf("%d executions, want 3", n)
		}
		del, err := c.jobs.DeleteJob(t.Context(), &runpb.DeleteJobRequest{Name: now.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if gone, err := del.Wait(t.Context()); err != nil || gone.GetUid() != now.GetUid() {
			t.Errorf("delete: %v, %v", gone, err)
		}
		if _, err := c.jobs.GetJob(t.Context(), &runpb.GetJobRequest{Name: now.GetName()}); code(err) != codes.NotFound {
			t.Errorf("after the deletion: %v", err)
		}
	})
}

func TestJobsRefused(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		c.create(t, "work", newJob())
		with := func(f func(*runpb.Job)) *runpb.Job {
			j := newJob()
			f(j)
			return j
		}
		for _, tt := range []struct {
			name string
			id   string
			job  *runpb.Job
			code codes.Code
			says string
		}{
			{"exists", "work", newJob(), codes.Aborted, "exists already"},
			{"no name", "", newJob(), codes.InvalidArgument, "job_id"},
			{"no template", "x", &runpb.Job{}, codes.InvalidArgument, "job.template.template"},
			{"no such image", "x", with(func(j *runpb.Job) { j.GetTemplate().GetTemplate().GetContainers()[0].Image = "gcr.io/demo/missing" }), codes.InvalidArgument, "no such image"},
			{"port", "x", with(func(j *runpb.Job) {
				j.GetTemplate().GetTemplate().GetContainers()[0].Ports = []*runpb.ContainerPort{{ContainerPort: 80}}
			}), codes.InvalidArgument, "a job has no ports"},
			{"secret", "x", with(func(j *runpb.Job) {
				j.GetTemplate().GetTemplate().GetContainers()[0].Env = []*runpb.EnvVar{{Name: "A", Values: &runpb.EnvVar_ValueSource{ValueSource: &runpb.EnvVarSource{SecretKeyRef: &runpb.SecretKeySelector{Secret: "s"}}}}}
			}), codes.Unimplemented, "Secret Manager"},
			{"vpc", "x", with(func(j *runpb.Job) { j.GetTemplate().GetTemplate().VpcAccess = &runpb.VpcAccess{} }), codes.Unimplemented, "vpc_access"},
			{"probe", "x", with(func(j *runpb.Job) {
				j.GetTemplate().GetTemplate().GetContainers()[0].StartupProbe = &runpb.Probe{ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: 1}}}
			}), codes.Unimplemented, "startup_probe"},
			{"reserved annotation", "x", with(func(j *runpb.Job) { j.Annotations = map[string]string{"run.googleapis.com/x": "y"} }), codes.InvalidArgument, "job.annotations"},
		} {
			_, err := c.jobs.CreateJob(t.Context(), &runpb.CreateJobRequest{Parent: location, JobId: tt.id, Job: tt.job})
			if code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %v with %q", tt.name, err, tt.code, tt.says)
			}
		}
		for _, name := range []string{"x", location + "/jobs/none"} {
			if _, err := c.jobs.RunJob(t.Context(), &runpb.RunJobRequest{Name: location + "/jobs/" + name}); code(err) != codes.NotFound && code(err) != codes.InvalidArgument {
				t.Errorf("run of %s: %v", name, err)
			}
		}
		if _, err := c.tasks.GetTask(t.Context(), &runpb.GetTaskRequest{Name: location + "/jobs/work/executions/work-abcde/tasks/other"}); code(err) != codes.NotFound {
			t.Errorf("task: %v", err)
		}
	})
}

func TestJobPolicy(t *testing.T) {
	eachJobs(t, func(t *testing.T, c jobClients) {
		name := c.create(t, "work", newJob()).GetName()
		p, err := c.jobs.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: name})
		if err != nil {
			t.Fatal(err)
		}
		p.Bindings = []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"user:a@b.example"}}}
		if p, err = c.jobs.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: p}); err != nil || len(p.GetBindings()) != 1 {
			t.Fatalf("set: %v, %v", p, err)
		}
		p.Bindings[0].Members = []string{"nobody"}
		if _, err := c.jobs.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: p}); code(err) != codes.InvalidArgument {
			t.Errorf("set nonsense: %v", err)
		}
		can, err := c.jobs.TestIamPermissions(t.Context(), &iampb.TestIamPermissionsRequest{Resource: name, Permissions: []string{"run.jobs.run"}})
		if err != nil || len(can.GetPermissions()) != 1 {
			t.Errorf("test: %v, %v", can, err)
		}
	})
}

// code is the code of an error. Over REST the client makes Aborted of every 409.
func code(err error) codes.Code {
	if c := status.Code(err); c != codes.AlreadyExists {
		return c
	}
	return codes.Aborted
}
