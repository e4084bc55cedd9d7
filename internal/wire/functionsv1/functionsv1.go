// Package functionsv1 is google.cloud.functions.v1.CloudFunctionsService, the
// API of the first generation of functions, over core/functions, on gRPC and
// REST.
package functionsv1

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/functions/apiv1/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with.
type Deps struct {
	Admin *functions.Admin
	// Policies are those of functions.
	Policies iampb.IAMPolicyServer
	// Link is a URL with which an object can be uploaded (PUT) or downloaded (GET).
	Link func(ctx context.Context, method, bucket, object string) string
	// EnsureBucket makes a bucket exist.
	EnsureBucket func(ctx context.Context, project, bucket string) error
	// Invoke calls a function as the project's own account and returns status and
	// body of its answer.
	Invoke func(ctx context.Context, f *functions.Function, id string, c functions.Call) (status int, body []byte, err error)
	// Events reads a trigger: the type of its events and the resource they are
	// about.
	Events func(project, eventType, resource string) (eventing.Spec, error)
	NewID  func() string
	Now    func() time.Time
	// URL is where a label answers.
	URL func(label string) string
}

// API is the service.
type API struct {
	functionspb.UnimplementedCloudFunctionsServiceServer
	Deps
	ops *lro.API
}

var _ functionspb.CloudFunctionsServiceServer = (*API)(nil)

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	a := &API{Deps: d}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the service to a server. Its operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) {
	functionspb.RegisterCloudFunctionsServiceServer(s, a)
}

// Descriptor tells transcode how the API looks as REST: as its own annotations
// say, also those of its operations.
func Descriptor() transcode.API {
	return transcode.API{
		Name:     "cloudfunctions.googleapis.com",
		Services: []string{"google.cloud.functions.v1.CloudFunctionsService", "google.longrunning.Operations"},
	}
}

// Patterns are the canonical paths of the API.
func Patterns() []string {
	const parent = "/v1/projects/*/locations/*/functions"
	return []string{parent, parent + "/", parent + ":generateUploadUrl", "/v1/operations", "/v1/operations/"}
}

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// function returns a function of the first generation: of others this API knows
// nothing.
func (a *API) function(ctx context.Context, field, name string) (*functions.Function, error) {
	k, err := parseFunction(field, name)
	if err != nil {
		return nil, err
	}
	f, err := a.Admin.Function(ctx, k)
	if err == nil && !f.FirstGen {
		err = sunya.Errorf(sunya.NotFound, name, "the function is of the second generation: ask the API's version v2")
	}
	return f, err
}

// GetFunction implements the service.
func (a *API) GetFunction(ctx context.Context, req *functionspb.GetFunctionRequest) (*functionspb.CloudFunction, error) {
	f, err := a.function(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	return a.encode(f)
}

// ListFunctions implements the service.
func (a *API) ListFunctions(ctx context.Context, req *functionspb.ListFunctionsRequest) (*functionspb.ListFunctionsResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), "v1", req.GetParent())
	if err != nil {
		return nil, err
	}
	fs, err := a.Admin.Functions(ctx, project, location, after, size+1, func(f *functions.Function) bool { return f.FirstGen })
	if err != nil {
		return nil, err
	}
	out := &functionspb.ListFunctionsResponse{}
	if len(fs) > size {
		fs = fs[:size]
		last := fs[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID, "v1", req.GetParent())
	}
	for i := range fs {
		f, err := a.encode(&fs[i])
		if err != nil {
			return nil, err
		}
		out.Functions = append(out.Functions, f)
	}
	return out, nil
}

// CreateFunction implements the service.
func (a *API) CreateFunction(ctx context.Context, req *functionspb.CreateFunctionRequest) (*longrunningpb.Operation, error) {
	project, location, err := sunya.ParseLocation("location", req.GetLocation())
	if err != nil {
		return nil, err
	}
	k, err := parseFunction("function.name", req.GetFunction().GetName())
	if err != nil {
		return nil, err
	}
	if k.Project != project || k.Location != location {
		return nil, sunya.Invalid("function.name", "%q is not in %s", req.GetFunction().GetName(), req.GetLocation())
	}
	spec, warnings, err := a.decode(k.Project, req.GetFunction())
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Create(ctx, k, spec, warnings, ""))
}

// UpdateFunction implements the service. Without a mask the function becomes
// what was sent.
func (a *API) UpdateFunction(ctx context.Context, req *functionspb.UpdateFunctionRequest) (*longrunningpb.Operation, error) {
	now, err := a.function(ctx, "function.name", req.GetFunction().GetName())
	if err != nil {
		return nil, err
	}
	want := req.GetFunction()
	paths, err := fieldmask.Paths(req.GetUpdateMask(), want)
	if err != nil {
		return nil, err
	}
	if len(paths) > 0 {
		sent, err := document(now)
		if err != nil {
			return nil, err
		}
		if err := fieldmask.Apply(sent, want, paths); err != nil {
			return nil, err
		}
		want = sent
	}
	spec, warnings, err := a.decode(now.Project, want)
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Update(ctx, now.Key, spec, warnings, ""))
}

// DeleteFunction implements the service.
func (a *API) DeleteFunction(ctx context.Context, req *functionspb.DeleteFunctionRequest) (*longrunningpb.Operation, error) {
	f, err := a.function(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Delete(ctx, f.Key, ""))
}

// GenerateUploadUrl implements the service.
func (a *API) GenerateUploadUrl(ctx context.Context, req *functionspb.GenerateUploadUrlRequest) (*functionspb.GenerateUploadUrlResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := sunya.CheckLocation(project, location); err != nil {
		return nil, err
	}
	bucket, object := functions.SourceBucket(project, location), a.NewID()+".zip"
	if err := a.EnsureBucket(ctx, project, bucket); err != nil {
		return nil, err
	}
	return &functionspb.GenerateUploadUrlResponse{UploadUrl: a.Link(ctx, "PUT", bucket, object)}, nil
}

// GenerateDownloadUrl implements the service.
func (a *API) GenerateDownloadUrl(ctx context.Context, req *functionspb.GenerateDownloadUrlRequest) (*functionspb.GenerateDownloadUrlResponse, error) {
	f, err := a.function(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	return &functionspb.GenerateDownloadUrlResponse{DownloadUrl: a.Link(ctx, "GET", f.Source.Bucket, f.Source.Object)}, nil
}

// GetIamPolicy implements the service.
func (a *API) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return a.Policies.GetIamPolicy(ctx, req)
}

// SetIamPolicy implements the service.
func (a *API) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return a.Policies.SetIamPolicy(ctx, req)
}

// TestIamPermissions implements the service.
func (a *API) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return a.Policies.TestIamPermissions(ctx, req)
}

// maxCall is the size of data that a call by hand takes, in bytes (Cloud
// Functions, "Resource limits").
const maxCall = 10 << 20

// CallFunction implements the service: what the function answers is the result,
// what it answers with an error's status is the error.
func (a *API) CallFunction(ctx context.Context, req *functionspb.CallFunctionRequest) (*functionspb.CallFunctionResponse, error) {
	f, err := a.function(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	switch {
	case len(req.GetData()) > maxCall:
		return nil, sunya.Invalid("data", "%v is more than %v", sunya.Bytes(len(req.GetData())), sunya.Bytes(maxCall))
	case f.Revision == "":
		return nil, sunya.Errorf(sunya.FailedPrecondition, f.Name(), "the function was never deployed: its last deployment says why")
	}
	id := executionID(a.NewID())
	status, body, err := a.Invoke(ctx, f, id, functions.NewCall(f.Key, a.Admin.Signature(f), req.GetData(), id, a.Now()))
	if err != nil {
		return nil, err
	}
	out := &functionspb.CallFunctionResponse{ExecutionId: id}
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	if status >= 400 {
		if out.Error = text; text == "" {
			out.Error = "the function failed: see its log"
		}
		return out, nil
	}
	out.Result = text
	return out, nil
}

// executionID is an execution's: 12 letters and digits, as Google's are.
func executionID(unique string) string {
	id := strings.ReplaceAll(unique, "-", "")
	return id[:min(12, len(id))]
}

// operation takes what a method of Admin returns.
func (a *API) operation(ctx context.Context) func(*sunya.Operation, error) (*longrunningpb.Operation, error) {
	return func(op *sunya.Operation, err error) (*longrunningpb.Operation, error) {
		if err != nil {
			return nil, err
		}
		return a.ops.Encode(ctx, op)
	}
}

// parseFunction reads projects/P/locations/L/functions/F.
func parseFunction(field, name string) (functions.Key, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "locations" || parts[4] != "functions" {
		return functions.Key{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/functions/*", name)
	}
	return functions.Key{Project: parts[1], Location: parts[3], ID: parts[5]}, nil
}
