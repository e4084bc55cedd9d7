package runv2

import (
	"context"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// executionsServer implements google.cloud.run.v2.Executions.
type executionsServer struct {
	runpb.UnimplementedExecutionsServer
	*Jobs
}

const executionsMethods = "google.cloud.run.v2.Executions."

// GetExecution implements the service.
func (a *executionsServer) GetExecution(ctx context.Context, req *runpb.GetExecutionRequest) (*runpb.Execution, error) {
	k, err := parseExecution("name", req.GetName())
	if err != nil {
		return nil, err
	}
	e, err := a.Admin.Execution(ctx, k)
	if err != nil {
		return nil, err
	}
	return runmodel.ShowExecution(e)
}

// ListExecutions implements the service.
func (a *executionsServer) ListExecutions(ctx context.Context, req *runpb.ListExecutionsRequest) (*runpb.ListExecutionsResponse, error) {
	k, err := parseJob("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), "executions", req.GetParent())
	if err != nil {
		return nil, err
	}
	all, err := a.Admin.ExecutionsOf(ctx, k, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &runpb.ListExecutionsResponse{}
	if len(all) > size {
		all = all[:size]
		last := all[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID+"/"+last.Execution, "executions", req.GetParent())
	}
	for i := range all {
		e, err := runmodel.ShowExecution(&all[i])
		if err != nil {
			return nil, err
		}
		out.Executions = append(out.Executions, e)
	}
	return out, nil
}

// CancelExecution implements the service.
func (a *executionsServer) CancelExecution(ctx context.Context, req *runpb.CancelExecutionRequest) (*longrunningpb.Operation, error) {
	k, err := parseExecution("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return executionOperation(a.Admin.Cancel(ctx, k, jobs.Request{
		Method: executionsMethods + "CancelExecution", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	}))
}

// DeleteExecution implements the service.
func (a *executionsServer) DeleteExecution(ctx context.Context, req *runpb.DeleteExecutionRequest) (*longrunningpb.Operation, error) {
	k, err := parseExecution("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return executionOperation(a.Admin.DeleteExecution(ctx, k, jobs.Request{
		Method: executionsMethods + "DeleteExecution", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	}))
}

// executionOperation takes what a method of Admin returns.
func executionOperation(e *jobs.Execution, op *sunya.Operation, err error) (*longrunningpb.Operation, error) {
	if err != nil {
		return nil, err
	}
	m, err := runmodel.ShowExecution(e)
	if err != nil {
		return nil, err
	}
	return lro.Of(op, m)
}

// tasksServer implements google.cloud.run.v2.Tasks.
type tasksServer struct {
	runpb.UnimplementedTasksServer
	*Jobs
}

// GetTask implements the service.
func (a *tasksServer) GetTask(ctx context.Context, req *runpb.GetTaskRequest) (*runpb.Task, error) {
	parent, id, ok := strings.Cut(req.GetName(), "/tasks/")
	k, err := parseExecution("name", parent)
	if !ok || err != nil {
		return nil, sunya.Invalid("name", "%q is not a name of the form projects/*/locations/*/jobs/*/executions/*/tasks/*", req.GetName())
	}
	index, err := k.TaskIndex(id)
	if err != nil {
		return nil, err
	}
	e, t, err := a.Admin.Task(ctx, k, index)
	if err != nil {
		return nil, err
	}
	return runmodel.ShowTask(e, t)
}

// ListTasks implements the service.
func (a *tasksServer) ListTasks(ctx context.Context, req *runpb.ListTasksRequest) (*runpb.ListTasksResponse, error) {
	k, err := parseExecution("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	cursor, err := page.Cursor(req.GetPageToken(), "tasks", req.GetParent())
	if err != nil {
		return nil, err
	}
	from, _ := strconv.Atoi(cursor) // the first page has none; others were made here
	e, tasks, err := a.Admin.Tasks(ctx, k, from, size+1)
	if err != nil {
		return nil, err
	}
	out := &runpb.ListTasksResponse{}
	if len(tasks) > size {
		out.NextPageToken = page.Token(strconv.Itoa(tasks[size].Index), "tasks", req.GetParent())
		tasks = tasks[:size]
	}
	for i := range tasks {
		t, err := runmodel.ShowTask(e, &tasks[i])
		if err != nil {
			return nil, err
		}
		out.Tasks = append(out.Tasks, t)
	}
	return out, nil
}
