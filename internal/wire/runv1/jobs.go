package runv1

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// jobMethods is what operations are called that this API begins: they are v2's.
const jobMethods = "google.cloud.run.v2.Jobs."

// jobRoutes are the paths of jobs, executions and tasks.
func (a *API) jobRoutes() []Route {
	var out []Route
	add := func(verb, collection string, one, many method) {
		for _, parent := range []string{"/apis/" + jobVersion + "/namespaces/*/", location} {
			if many != nil {
				out = append(out, Route{verb, parent + collection, a.serve(many)})
			}
			if one != nil {
				out = append(out, Route{verb, parent + collection + "/*", a.serve(one)})
			}
		}
	}
	add(http.MethodGet, "jobs", a.getJob, a.listJobs)
	add(http.MethodPost, "jobs", a.jobVerb, a.createJob)
	add(http.MethodPut, "jobs", a.replaceJob, nil)
	add(http.MethodDelete, "jobs", a.deleteJob, nil)
	add(http.MethodGet, "executions", a.getExecution, a.listExecutions)
	add(http.MethodPost, "executions", a.executionVerb, nil)
	add(http.MethodDelete, "executions", a.deleteExecution, nil)
	add(http.MethodGet, "tasks", a.getTask, a.listTasks)
	return out
}

// jobKey names the job of a call. Where nobody names the region, it is that of
// the job that has the name, or the default one.
func (a *API) jobKey(ctx context.Context, r *request) (jobs.Key, error) {
	k := jobs.Key{Project: r.project, Location: r.locationOr(a.Location), ID: r.id}
	if r.location != "" {
		return k, nil
	}
	all, err := a.jobsOf(ctx, r)
	if err != nil {
		return k, err
	}
	for i := range all {
		if all[i].ID == r.id {
			return all[i].Key, nil
		}
	}
	return k, nil
}

// jobsOf are all jobs of a call's project and location.
func (a *API) jobsOf(ctx context.Context, r *request) ([]jobs.Job, error) {
	if err := sunya.CheckProject(r.project); err != nil {
		return nil, err
	}
	return a.Jobs.Jobs(ctx, r.project, r.locationOr("-"), "", everything)
}

func (a *API) encodeJob(ctx context.Context, j *jobs.Job) (*knative.Job, error) {
	var latest *jobs.Execution
	if j.Latest != "" {
		var err error
		latest, err = a.Jobs.Execution(ctx, j.Execution(j.Latest))
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return nil, err
		}
	}
	m, err := runmodel.ShowJob(j, latest)
	if err != nil {
		return nil, err
	}
	return encodeJob(j.Key, m), nil
}

func (a *API) getJob(ctx context.Context, r *request) (any, error) {
	k, err := a.jobKey(ctx, r)
	if err != nil {
		return nil, err
	}
	j, err := a.Jobs.Job(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case r.verb == "getIamPolicy":
		return jobPolicy(j), nil
	case r.verb != "":
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "%q is not a method of jobs", r.verb)
	}
	return a.encodeJob(ctx, j)
}

func (a *API) listJobs(ctx context.Context, r *request) (any, error) {
	all, err := a.jobsOf(ctx, r)
	if err != nil {
		return nil, err
	}
	items := make([]*knative.Job, len(all))
	for i := range all {
		if items[i], err = a.encodeJob(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	items, meta, err := paged(r, items, func(j *knative.Job) *knative.ObjectMeta { return j.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListJobsResponse{ApiVersion: jobVersion, Kind: "JobList", Metadata: meta, Items: items}, nil
}

func (a *API) createJob(ctx context.Context, r *request) (any, error) {
	k, s, req, err := a.readJob(r)
	if err != nil {
		return nil, err
	}
	req.Method = jobMethods + "CreateJob"
	j, _, err := a.Jobs.Create(ctx, k, s, req)
	if err != nil {
		return nil, err
	}
	return a.encodeJob(ctx, j)
}

func (a *API) replaceJob(ctx context.Context, r *request) (any, error) {
	k, err := a.jobKey(ctx, r)
	if err != nil {
		return nil, err
	}
	r.location = k.Location
	k, s, req, err := a.readJob(r)
	if err != nil {
		return nil, err
	}
	req.Method = jobMethods + "UpdateJob"
	j, _, err := a.Jobs.Update(ctx, k, func(*jobs.Job) (jobs.Spec, error) { return s, nil }, req)
	if err != nil {
		return nil, err
	}
	return a.encodeJob(ctx, j)
}

// readJob reads the job that a call carries, and where it goes. A label names the
// region where the path and the host do not.
func (a *API) readJob(r *request) (k jobs.Key, s jobs.Spec, req jobs.Request, err error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return k, s, req, sunya.Invalid("", "the body could not be read: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var doc knative.Job
	if err := r.read(&doc); err != nil {
		return k, s, req, err
	}
	m, err := decodeJob(r.project, r.id, &doc, raw)
	if err != nil {
		return k, s, req, err
	}
	named := doc.Metadata.Labels[locationLabel]
	if r.location != "" && named != "" && named != r.location {
		return k, s, req, sunya.Invalid(at("metadata.labels", locationLabel), "%q is not the region of the request, which is %q: leave it out", named, r.location)
	}
	k = jobs.Key{Project: r.project, Location: r.locationOr(named), ID: doc.Metadata.Name}
	if k.Location == "" {
		k.Location = a.Location
	}
	req.ETag = m.GetEtag()
	if req.ValidateOnly, err = r.dryRun(); err != nil {
		return k, s, req, err
	}
	s, req.Warnings, err = runmodel.Job(k, m)
	return k, s, req, err
}

func (a *API) deleteJob(ctx context.Context, r *request) (any, error) {
	k, err := a.jobKey(ctx, r)
	if err != nil {
		return nil, err
	}
	dry, err := r.dryRun()
	if err != nil {
		return nil, err
	}
	if _, _, err := a.Jobs.Delete(ctx, k, jobs.Request{Method: jobMethods + "DeleteJob", ValidateOnly: dry}); err != nil {
		return nil, err
	}
	return success(), nil
}

// jobVerb carries out what is behind the colon of a job.
func (a *API) jobVerb(ctx context.Context, r *request) (any, error) {
	k, err := a.jobKey(ctx, r)
	if err != nil {
		return nil, err
	}
	switch r.verb {
	case "run":
		return a.runJob(ctx, k, r)
	case "setIamPolicy":
		return a.setJobPolicy(ctx, k, r)
	case "testIamPermissions":
		// Whoever may administer the platform may do everything.
		var req knative.TestIamPermissionsRequest
		if err := r.read(&req); err != nil {
			return nil, err
		}
		if _, err := a.Jobs.Job(ctx, k); err != nil {
			return nil, err
		}
		return &knative.TestIamPermissionsResponse{Permissions: req.Permissions}, nil
	}
	return nil, sunya.Errorf(sunya.NotFound, k.Name(), "%q is not a method of jobs", r.verb)
}

func (a *API) runJob(ctx context.Context, k jobs.Key, r *request) (any, error) {
	var req knative.RunJobRequest
	if err := r.read(&req); err != nil {
		return nil, err
	}
	o, err := decodeOverrides(req.Overrides)
	if err != nil {
		return nil, err
	}
	e, _, err := a.Jobs.Execute(ctx, k, o, jobs.Request{Method: jobMethods + "RunJob"})
	if err != nil {
		return nil, err
	}
	return showExecution(e)
}

func (a *API) setJobPolicy(ctx context.Context, k jobs.Key, r *request) (any, error) {
	var req knative.SetIamPolicyRequest
	if err := r.read(&req); err != nil {
		return nil, err
	}
	members, etag, err := readPolicy(&req)
	if err != nil {
		return nil, err
	}
	j, err := a.Jobs.SetInvokers(ctx, k, members, etag)
	if err != nil {
		return nil, err
	}
	return jobPolicy(j), nil
}

func jobPolicy(j *jobs.Job) *knative.Policy {
	out := &knative.Policy{Version: 1, Etag: base64.StdEncoding.EncodeToString([]byte(j.PolicyETag()))}
	if len(j.Invokers) > 0 {
		out.Bindings = []*knative.Binding{{Role: invoker, Members: j.Invokers}}
	}
	return out
}

// executionKey finds an execution by its own name, which begins with the job's:
// which of the dashes ends that only the store knows.
func (a *API) executionKey(ctx context.Context, r *request, id string) (jobs.ExecutionKey, error) {
	none := sunya.Errorf(sunya.NotFound, "namespaces/"+r.project+"/executions/"+id, "execution not found")
	for end := strings.LastIndexByte(id, '-'); end > 0; end = strings.LastIndexByte(id[:end], '-') {
		job := *r
		job.id = id[:end]
		k, err := a.jobKey(ctx, &job)
		if err != nil {
			return jobs.ExecutionKey{}, err
		}
		switch _, err = a.Jobs.Execution(ctx, k.Execution(id)); sunya.CodeOf(err) {
		case sunya.OK:
			return k.Execution(id), nil
		case sunya.NotFound, sunya.InvalidArgument:
		default:
			return jobs.ExecutionKey{}, err
		}
	}
	return jobs.ExecutionKey{}, none
}

func showExecution(e *jobs.Execution) (*knative.Execution, error) {
	m, err := runmodel.ShowExecution(e)
	if err != nil {
		return nil, err
	}
	return encodeExecution(e.ExecutionKey, m), nil
}

func (a *API) getExecution(ctx context.Context, r *request) (any, error) {
	k, err := a.executionKey(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	e, err := a.Jobs.Execution(ctx, k)
	if err != nil {
		return nil, err
	}
	return showExecution(e)
}

func (a *API) listExecutions(ctx context.Context, r *request) (any, error) {
	if err := sunya.CheckProject(r.project); err != nil {
		return nil, err
	}
	all, err := a.Jobs.ExecutionsOf(ctx, jobs.Key{Project: r.project, Location: r.locationOr("-"), ID: "-"}, "", everything)
	if err != nil {
		return nil, err
	}
	items := make([]*knative.Execution, len(all))
	for i := range all {
		if items[i], err = showExecution(&all[i]); err != nil {
			return nil, err
		}
	}
	items, meta, err := paged(r, items, func(e *knative.Execution) *knative.ObjectMeta { return e.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListExecutionsResponse{ApiVersion: jobVersion, Kind: "ExecutionList", Metadata: meta, Items: items}, nil
}

func (a *API) executionVerb(ctx context.Context, r *request) (any, error) {
	k, err := a.executionKey(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	if r.verb != "cancel" {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "%q is not a method of executions", r.verb)
	}
	e, _, err := a.Jobs.Cancel(ctx, k, jobs.Request{Method: "google.cloud.run.v2.Executions.CancelExecution"})
	if err != nil {
		return nil, err
	}
	return showExecution(e)
}

func (a *API) deleteExecution(ctx context.Context, r *request) (any, error) {
	k, err := a.executionKey(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	if _, _, err := a.Jobs.DeleteExecution(ctx, k, jobs.Request{Method: "google.cloud.run.v2.Executions.DeleteExecution"}); err != nil {
		return nil, err
	}
	return success(), nil
}

func (a *API) getTask(ctx context.Context, r *request) (any, error) {
	i := strings.LastIndex(r.id, "-task")
	if i < 0 {
		return nil, sunya.Errorf(sunya.NotFound, "namespaces/"+r.project+"/tasks/"+r.id, "task not found: tasks are called EXECUTION-task0")
	}
	k, err := a.executionKey(ctx, r, r.id[:i])
	if err != nil {
		return nil, err
	}
	index, err := k.TaskIndex(r.id)
	if err != nil {
		return nil, err
	}
	e, t, err := a.Jobs.Task(ctx, k, index)
	if err != nil {
		return nil, err
	}
	return showTask(e, t)
}

func showTask(e *jobs.Execution, t *jobs.Task) (*knative.Task, error) {
	m, err := runmodel.ShowTask(e, t)
	if err != nil {
		return nil, err
	}
	return encodeTask(e.ExecutionKey, t, m), nil
}

// listTasks lists the tasks of the execution that the selector names.
func (a *API) listTasks(ctx context.Context, r *request) (any, error) {
	chosen, err := parseSelector(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, err
	}
	execution := chosen.one(executionLabel)
	if execution == "" {
		return nil, sunya.Invalid("labelSelector", "names no execution: use %s=EXECUTION", executionLabel)
	}
	k, err := a.executionKey(ctx, r, execution)
	if err != nil {
		return nil, err
	}
	e, all, err := a.Jobs.Tasks(ctx, k, 0, everything)
	if err != nil {
		return nil, err
	}
	items := make([]*knative.Task, len(all))
	for i := range all {
		if items[i], err = showTask(e, &all[i]); err != nil {
			return nil, err
		}
	}
	items, meta, err := paged(r, items, func(t *knative.Task) *knative.ObjectMeta { return t.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListTasksResponse{ApiVersion: jobVersion, Kind: "TaskList", Metadata: meta, Items: items}, nil
}

// one is the only value that a label may have, empty where there are several.
func (s selector) one(key string) string {
	for _, q := range s {
		if q.key == key && !q.not && len(q.values) == 1 {
			return q.values[0]
		}
	}
	return ""
}
