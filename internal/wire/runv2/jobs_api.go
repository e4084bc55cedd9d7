package runv2

import (
	"context"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Jobs is the part of the API that is about jobs: Jobs, Executions and Tasks.
type Jobs struct {
	Admin *jobs.Admin
}

// NewJobs returns the part of the API; it serves once it is registered.
func NewJobs(admin *jobs.Admin) *Jobs { return &Jobs{Admin: admin} }

// Register adds the services to a server. The operations are served by an
// lro.Server that was given a.Operations().
func (a *Jobs) Register(s grpc.ServiceRegistrar) {
	runpb.RegisterJobsServer(s, &jobsServer{Jobs: a})
	runpb.RegisterExecutionsServer(s, &executionsServer{Jobs: a})
	runpb.RegisterTasksServer(s, &tasksServer{Jobs: a})
}

// JobsDescriptor tells transcode how the part looks as REST.
func JobsDescriptor() transcode.API {
	return transcode.API{
		Name:     "run.googleapis.com",
		Services: []string{"google.cloud.run.v2.Jobs", "google.cloud.run.v2.Executions", "google.cloud.run.v2.Tasks"},
	}
}

// JobsPatterns are the canonical paths of the part.
func JobsPatterns() []string {
	const location = "/v2/projects/*/locations/*/"
	return []string{location + "jobs", location + "jobs/"}
}

// Operations says what the operations of jobs and executions hold: the resource
// itself.
func (a *Jobs) Operations() []lro.API {
	api := lro.API{Pattern: "projects/*/locations/*/operations/*", Resource: a.resource}
	job, execution := api, api
	job.Methods, execution.Methods = jobsMethods, executionsMethods
	return []lro.API{job, execution}
}

// resource is what an operation works on: as it is, as it was when it was
// deleted, or by its name alone when it is gone since.
func (a *Jobs) resource(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	if strings.Contains(op.Target, "/executions/") {
		return a.executionOf(ctx, op)
	}
	if j, err := deleted[jobs.Job](op); j != nil || err != nil {
		return show(j, err, func(j *jobs.Job) (*runpb.Job, error) { return runmodel.ShowJob(j, nil) })
	}
	k, err := parseJob("name", op.Target)
	if err != nil {
		return nil, err
	}
	j, err := a.Admin.Job(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &runpb.Job{Name: op.Target}, nil
	}
	return show(j, err, func(j *jobs.Job) (*runpb.Job, error) { return a.showJob(ctx, j) })
}

func (a *Jobs) executionOf(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	if e, err := deleted[jobs.Execution](op); e != nil || err != nil {
		return show(e, err, runmodel.ShowExecution)
	}
	k, err := parseExecution("name", op.Target)
	if err != nil {
		return nil, err
	}
	e, err := a.Admin.Execution(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &runpb.Execution{Name: op.Target}, nil
	}
	return show(e, err, runmodel.ShowExecution)
}

// parseJob reads projects/P/locations/L/jobs/J.
func parseJob(field, name string) (jobs.Key, error) {
	p := strings.Split(name, "/")
	if len(p) != 6 || p[0] != "projects" || p[2] != "locations" || p[4] != "jobs" {
		return jobs.Key{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/jobs/*", name)
	}
	return jobs.Key{Project: p[1], Location: p[3], ID: p[5]}, nil
}

// parseExecution reads projects/P/locations/L/jobs/J/executions/E.
func parseExecution(field, name string) (jobs.ExecutionKey, error) {
	job, id, ok := strings.Cut(name, "/executions/")
	k, err := parseJob(field, job)
	if !ok || err != nil || id == "" || strings.Contains(id, "/") {
		return jobs.ExecutionKey{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/jobs/*/executions/*", name)
	}
	return k.Execution(id), nil
}
