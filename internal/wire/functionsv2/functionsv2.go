// Package functionsv2 is google.cloud.functions.v2.FunctionService: Google's
// messages to and from the nouns of core/functions, on gRPC and REST, with the
// IAM policies of functions and the links for their sources.
package functionsv2

import (
	"context"
	"net/url"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with.
type Deps struct {
	Admin *functions.Admin
	Links *functions.Links
	// EnsureBucket makes a bucket exist.
	EnsureBucket func(ctx context.Context, project, bucket string) error
	NewID        func() string
	// Runtimes lists the runtime ids that can be built here.
	Runtimes func() []string
	// Domain is where functions answer by path: functions.DOMAIN.
	URL func(label string) string
}

// API is the services of the API.
type API struct {
	functionspb.UnimplementedFunctionServiceServer
	Deps
	ops *lro.API
}

var _ functionspb.FunctionServiceServer = (*API)(nil)

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	a := &API{Deps: d}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the service to a server; policies are served where all APIs'
// are, see Policies. The operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) {
	functionspb.RegisterFunctionServiceServer(s, a)
}

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops, iam = "google.longrunning.Operations", "google.iam.v1.IAMPolicy"
	const function = "/v2/{resource=projects/*/locations/*/functions/*}"
	return transcode.API{
		Name:     "cloudfunctions.googleapis.com",
		Services: []string{"google.cloud.functions.v2.FunctionService", iam, ops},
		Rules: []*annotations.HttpRule{
			{Selector: ops + ".GetOperation", Pattern: &annotations.HttpRule_Get{Get: "/v2/{name=projects/*/locations/*/operations/*}"}},
			{Selector: ops + ".ListOperations", Pattern: &annotations.HttpRule_Get{Get: "/v2/{name=projects/*/locations/*}/operations"}},
			{Selector: iam + ".GetIamPolicy", Pattern: &annotations.HttpRule_Get{Get: function + ":getIamPolicy"}},
			{Selector: iam + ".SetIamPolicy", Pattern: &annotations.HttpRule_Post{Post: function + ":setIamPolicy"}, Body: "*"},
			{Selector: iam + ".TestIamPermissions", Pattern: &annotations.HttpRule_Post{Post: function + ":testIamPermissions"}, Body: "*"},
		},
	}
}

// RunDescriptor describes what the API of Cloud Run has of a function's service:
// its policy.
func RunDescriptor() transcode.API {
	const iam = "google.iam.v1.IAMPolicy"
	return transcode.API{Name: "run.googleapis.com", Services: []string{iam}, Rules: []*annotations.HttpRule{
		{Selector: iam + ".GetIamPolicy", Pattern: &annotations.HttpRule_Get{Get: runService + ":getIamPolicy"}},
		{Selector: iam + ".SetIamPolicy", Pattern: &annotations.HttpRule_Post{Post: runService + ":setIamPolicy"}, Body: "*"},
		{Selector: iam + ".TestIamPermissions", Pattern: &annotations.HttpRule_Post{Post: runService + ":testIamPermissions"}, Body: "*"},
	}}
}

const runService = "/v1/{resource=projects/*/locations/*/services/*}"

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// GetFunction implements the service.
func (a *API) GetFunction(ctx context.Context, req *functionspb.GetFunctionRequest) (*functionspb.Function, error) {
	k, err := parseFunction("name", req.GetName())
	if err != nil {
		return nil, err
	}
	f, err := a.Admin.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.encode(f)
}

// ListFunctions implements the service. Functions of the first generation are
// among them.
func (a *API) ListFunctions(ctx context.Context, req *functionspb.ListFunctionsRequest) (*functionspb.ListFunctionsResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetOrderBy() != "" && req.GetOrderBy() != "name" {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "orderBy", Message: "lists are in the order of their names: leave orderBy out"}
	}
	filter, err := parseFilter(req.GetFilter(), functionFields...)
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), req.GetParent(), req.GetFilter())
	if err != nil {
		return nil, err
	}
	fs, err := a.Admin.Functions(ctx, project, location, after, size+1, func(f *functions.Function) bool {
		shown, err := a.encode(f)
		return err != nil || filter.holds(functionField(shown)) // an error is told below
	})
	if err != nil {
		return nil, err
	}
	out := &functionspb.ListFunctionsResponse{}
	if len(fs) > size {
		fs = fs[:size]
		last := fs[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID, req.GetParent(), req.GetFilter())
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
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetFunction() == nil {
		return nil, sunya.Invalid("function", "is missing")
	}
	k := functions.Key{Project: project, Location: location, ID: req.GetFunctionId()}
	if k.ID == "" {
		named, err := parseFunction("function.name", req.GetFunction().GetName())
		if err != nil {
			return nil, sunya.Invalid("function_id", "is missing")
		}
		k.ID = named.ID
	}
	spec, warnings, err := decode(req.GetFunction())
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Create(ctx, k, spec, warnings, ""))
}

// UpdateFunction implements the service. An empty mask replaces the whole
// function, as at Google.
func (a *API) UpdateFunction(ctx context.Context, req *functionspb.UpdateFunctionRequest) (*longrunningpb.Operation, error) {
	k, err := parseFunction("function.name", req.GetFunction().GetName())
	if err != nil {
		return nil, err
	}
	now, err := a.Admin.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	if now.FirstGen {
		return nil, functions.OtherGeneration(now)
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
	spec, warnings, err := decode(want)
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Update(ctx, k, spec, warnings, ""))
}

// DeleteFunction implements the service.
func (a *API) DeleteFunction(ctx context.Context, req *functionspb.DeleteFunctionRequest) (*longrunningpb.Operation, error) {
	k, err := parseFunction("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.Admin.Delete(ctx, k, ""))
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
	return &functionspb.GenerateUploadUrlResponse{
		UploadUrl:     a.Link(ctx, "PUT", bucket, object),
		StorageSource: &functionspb.StorageSource{Bucket: bucket, Object: object},
	}, nil
}

// GenerateDownloadUrl implements the service.
func (a *API) GenerateDownloadUrl(ctx context.Context, req *functionspb.GenerateDownloadUrlRequest) (*functionspb.GenerateDownloadUrlResponse, error) {
	k, err := parseFunction("name", req.GetName())
	if err != nil {
		return nil, err
	}
	f, err := a.Admin.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	return &functionspb.GenerateDownloadUrlResponse{DownloadUrl: a.Link(ctx, "GET", f.Source.Bucket, f.Source.Object)}, nil
}

// ListRuntimes implements the service.
func (a *API) ListRuntimes(_ context.Context, req *functionspb.ListRuntimesRequest) (*functionspb.ListRuntimesResponse, error) {
	if _, _, err := sunya.ParseLocation("parent", req.GetParent()); err != nil {
		return nil, err
	}
	filter, err := parseFilter(req.GetFilter(), runtimeFields...)
	if err != nil {
		return nil, err
	}
	out := &functionspb.ListRuntimesResponse{}
	for _, id := range a.Runtimes() {
		for _, env := range []functionspb.Environment{functionspb.Environment_GEN_1, functionspb.Environment_GEN_2} {
			r := &functionspb.ListRuntimesResponse_Runtime{Name: id, DisplayName: id, Stage: functionspb.ListRuntimesResponse_GA, Environment: env}
			if filter.holds(runtimeField(r)) {
				out.Runtimes = append(out.Runtimes, r)
			}
		}
	}
	return out, nil
}

// Link is a URL on the address that the caller used, with which an object can be
// uploaded or downloaded without other credentials.
func (a *API) Link(ctx context.Context, method, bucket, object string) string {
	scheme, host := "http", "localhost"
	if p, ok := peer.FromContext(ctx); ok && encrypted(p) {
		scheme = "https"
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get(":authority")) > 0 {
		host = md.Get(":authority")[0]
	}
	u := url.URL{Scheme: scheme, Host: host, Path: SourcePath + bucket + "/" + object, RawQuery: a.Links.Query(method, bucket, object).Encode()}
	return u.String()
}

func encrypted(p *peer.Peer) bool {
	_, ok := p.AuthInfo.(credentials.TLSInfo)
	return ok
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

// Patterns are the canonical paths of the API. What of a location is not a
// function or an operation belongs to other APIs.
func Patterns() []string {
	return []string{"/v2/projects/*/locations/*/functions", "/v2/projects/*/locations/*/functions/", "/v2/projects/*/locations/*/functions:generateUploadUrl",
		"/v2/projects/*/locations/*/runtimes", "/v2/projects/*/locations/*/operations", "/v2/projects/*/locations/*/operations/"}
}
