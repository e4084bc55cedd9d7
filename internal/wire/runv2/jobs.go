package runv2

import (
	"context"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// jobsServer implements google.cloud.run.v2.Jobs.
type jobsServer struct {
	runpb.UnimplementedJobsServer
	*Jobs
}

const jobsMethods = "google.cloud.run.v2.Jobs."

// GetJob implements the service.
func (a *jobsServer) GetJob(ctx context.Context, req *runpb.GetJobRequest) (*runpb.Job, error) {
	k, err := parseJob("name", req.GetName())
	if err != nil {
		return nil, err
	}
	j, err := a.Admin.Job(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.showJob(ctx, j)
}

// ListJobs implements the service. Jobs are deleted at once: there are no
// deleted ones to show.
func (a *jobsServer) ListJobs(ctx context.Context, req *runpb.ListJobsRequest) (*runpb.ListJobsResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), "jobs", req.GetParent())
	if err != nil {
		return nil, err
	}
	all, err := a.Admin.Jobs(ctx, project, location, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &runpb.ListJobsResponse{}
	if len(all) > size {
		all = all[:size]
		last := all[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID, "jobs", req.GetParent())
	}
	for i := range all {
		j, err := a.showJob(ctx, &all[i])
		if err != nil {
			return nil, err
		}
		out.Jobs = append(out.Jobs, j)
	}
	return out, nil
}

// CreateJob implements the service.
func (a *jobsServer) CreateJob(ctx context.Context, req *runpb.CreateJobRequest) (*longrunningpb.Operation, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	switch {
	case req.GetJob() == nil:
		return nil, sunya.Invalid("job", "is missing")
	case req.GetJobId() == "":
		return nil, sunya.Invalid("job_id", "is missing: name the job")
	}
	k := jobs.Key{Project: project, Location: location, ID: req.GetJobId()}
	s, warnings, err := decodeJob(k, req.GetJob())
	if err != nil {
		return nil, err
	}
	return a.jobOperation(ctx)(a.Admin.Create(ctx, k, s, jobs.Request{
		Method: jobsMethods + "CreateJob", ValidateOnly: req.GetValidateOnly(), Warnings: warnings,
	}))
}

// UpdateJob implements the service: what is sent replaces all that a user can
// say, for there is no mask.
func (a *jobsServer) UpdateJob(ctx context.Context, req *runpb.UpdateJobRequest) (*longrunningpb.Operation, error) {
	k, err := parseJob("job.name", req.GetJob().GetName())
	if err != nil {
		return nil, err
	}
	s, warnings, err := decodeJob(k, req.GetJob())
	if err != nil {
		return nil, err
	}
	return a.jobOperation(ctx)(a.Admin.Update(ctx, k, func(*jobs.Job) (jobs.Spec, error) { return s, nil }, jobs.Request{
		Method: jobsMethods + "UpdateJob", ETag: req.GetJob().GetEtag(), Warnings: warnings,
		ValidateOnly: req.GetValidateOnly(), AllowMissing: req.GetAllowMissing(),
	}))
}

// DeleteJob implements the service.
func (a *jobsServer) DeleteJob(ctx context.Context, req *runpb.DeleteJobRequest) (*longrunningpb.Operation, error) {
	k, err := parseJob("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return a.jobOperation(ctx)(a.Admin.Delete(ctx, k, jobs.Request{
		Method: jobsMethods + "DeleteJob", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	}))
}

// RunJob implements the service.
func (a *jobsServer) RunJob(ctx context.Context, req *runpb.RunJobRequest) (*longrunningpb.Operation, error) {
	k, err := parseJob("name", req.GetName())
	if err != nil {
		return nil, err
	}
	o, err := runmodel.Overrides(req.GetOverrides())
	if err != nil {
		return nil, err
	}
	return executionOperation(a.Admin.Execute(ctx, k, o, jobs.Request{
		Method: jobsMethods + "RunJob", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	}))
}

// jobOperation takes what a method of Admin returns.
func (a *Jobs) jobOperation(ctx context.Context) func(*jobs.Job, *sunya.Operation, error) (*longrunningpb.Operation, error) {
	return func(j *jobs.Job, op *sunya.Operation, err error) (*longrunningpb.Operation, error) {
		if err != nil {
			return nil, err
		}
		m, err := a.showJob(ctx, j)
		if err != nil {
			return nil, err
		}
		return lro.Of(op, m)
	}
}

// showJob shows a job with its latest execution.
func (a *Jobs) showJob(ctx context.Context, j *jobs.Job) (*runpb.Job, error) {
	if j.Latest == "" {
		return runmodel.ShowJob(j, nil)
	}
	e, err := a.Admin.Execution(ctx, j.Execution(j.Latest))
	if err != nil && sunya.CodeOf(err) != sunya.NotFound {
		return nil, err
	}
	return runmodel.ShowJob(j, e)
}

// decodeJob is runmodel.Job with v2's own rules.
func decodeJob(k jobs.Key, m *runpb.Job) (jobs.Spec, []string, error) {
	err := checkReserved(map[string]map[string]string{
		"job.labels":               m.GetLabels(),
		"job.annotations":          m.GetAnnotations(),
		"job.template.labels":      m.GetTemplate().GetLabels(),
		"job.template.annotations": m.GetTemplate().GetAnnotations(),
	})
	if err != nil {
		return jobs.Spec{}, nil, err
	}
	return runmodel.Job(k, m)
}

// GetIamPolicy implements the service.
func (a *jobsServer) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseJob("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	j, err := a.Admin.Job(ctx, k)
	if err != nil {
		return nil, err
	}
	return policy(j.Invokers, j.PolicyETag()), nil
}

// SetIamPolicy implements the service.
func (a *jobsServer) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseJob("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	members, err := invokers(req)
	if err != nil {
		return nil, err
	}
	j, err := a.Admin.SetInvokers(ctx, k, members, string(req.GetPolicy().GetEtag()))
	if err != nil {
		return nil, err
	}
	return policy(j.Invokers, j.PolicyETag()), nil
}

// TestIamPermissions implements the service: whoever may administer the
// platform may do everything.
func (a *jobsServer) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	k, err := parseJob("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	if _, err := a.Admin.Job(ctx, k); err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: req.GetPermissions()}, nil
}
