// Package cloudbuildv1 is google.devtools.cloudbuild.v1.CloudBuild, and what of
// Cloud Run builds from source (google.cloud.run.v2.Builds): Google's messages to
// and from the nouns of core/cloudbuild, on gRPC and REST.
package cloudbuildv1

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// API is the services of the API.
type API struct {
	cloudbuildpb.UnimplementedCloudBuildServer
	builds *cloudbuild.Service
	ops    *lro.API
}

var _ cloudbuildpb.CloudBuildServer = (*API)(nil)

// New returns the API; it serves once it is registered.
func New(builds *cloudbuild.Service) *API {
	a := &API{builds: builds}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the services to a server. The operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) {
	cloudbuildpb.RegisterCloudBuildServer(s, a)
	runpb.RegisterBuildsServer(s, &submits{API: a})
}

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops = "google.longrunning.Operations"
	const operation = "/v1/{name=projects/*/locations/*/operations/*}"
	return transcode.API{
		Name:     "cloudbuild.googleapis.com",
		Services: []string{"google.devtools.cloudbuild.v1.CloudBuild", ops},
		Rules: []*annotations.HttpRule{
			{Selector: ops + ".GetOperation", Pattern: &annotations.HttpRule_Get{Get: operation}},
			{Selector: ops + ".CancelOperation", Pattern: &annotations.HttpRule_Post{Post: operation + ":cancel"}, Body: "*"},
		},
	}
}

// SubmitDescriptor describes the builds of Cloud Run.
func SubmitDescriptor() transcode.API {
	return transcode.API{Name: "run.googleapis.com", Services: []string{"google.cloud.run.v2.Builds"}}
}

// SubmitPattern is where builds of Cloud Run are submitted.
const SubmitPattern = "/v2/projects/*/locations/*/builds:submit"

// Patterns are the canonical paths of the API.
func Patterns() []string {
	var all []string
	for _, parent := range []string{"/v1/projects/*/", "/v1/projects/*/locations/*/"} {
		for _, what := range []string{"builds", "builds/", "triggers", "triggers/"} {
			all = append(all, parent+what)
		}
	}
	return append(all, "/v1/projects/*/locations/*/operations/")
}

// Operations says what the API's operations hold.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern: "projects/*/locations/*/operations/*",
		Methods: "google.devtools.cloudbuild.v1.",
		Metadata: func(op *sunya.Operation) proto.Message {
			b, err := a.buildOf(context.Background(), op)
			if err != nil {
				return &cloudbuildpb.BuildOperationMetadata{}
			}
			return &cloudbuildpb.BuildOperationMetadata{Build: b}
		},
		Response: func(ctx context.Context, op *sunya.Operation) (proto.Message, error) { return a.buildOf(ctx, op) },
	}
}

func (a *API) buildOf(ctx context.Context, op *sunya.Operation) (*cloudbuildpb.Build, error) {
	project, location, id, err := parseBuild(op.Target)
	if err != nil {
		return nil, err
	}
	return a.show(a.builds.Get(ctx, project, location, id))
}

func (a *API) show(b *cloudbuild.Build, err error) (*cloudbuildpb.Build, error) {
	if err != nil {
		return nil, err
	}
	return encode(b)
}

// CreateBuild implements the service.
func (a *API) CreateBuild(ctx context.Context, req *cloudbuildpb.CreateBuildRequest) (*longrunningpb.Operation, error) {
	project, location, err := parentOf(req.GetParent(), req.GetProjectId())
	if err != nil {
		return nil, err
	}
	b, loose, err := decode(req.GetBuild())
	if err != nil {
		return nil, err
	}
	b.Project, b.Location = project, location
	return a.operation(ctx)(a.builds.Create(ctx, *b, req.GetBuild().GetSubstitutions(), loose))
}

// GetBuild implements the service.
func (a *API) GetBuild(ctx context.Context, req *cloudbuildpb.GetBuildRequest) (*cloudbuildpb.Build, error) {
	project, location, id, err := buildName(req.GetName(), req.GetProjectId(), req.GetId())
	if err != nil {
		return nil, err
	}
	b, err := a.show(a.builds.Get(ctx, project, location, id))
	if err == nil && isGcloud(ctx) {
		withoutStream(b)
	}
	return b, err
}

// isGcloud tells gcloud from other clients.
func isGcloud(ctx context.Context) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	return slices.ContainsFunc(slices.Concat(md.Get("user-agent"), md.Get("grpcgateway-user-agent")), func(agent string) bool {
		return strings.Contains(agent, "gcloud/")
	})
}

// withoutStream keeps gcloud from following a log: whatever it is configured to,
// it asks https://storage.googleapis.com for it, and ends when that fails.
func withoutStream(b *cloudbuildpb.Build) {
	if b.Options == nil {
		b.Options = &cloudbuildpb.BuildOptions{}
	}
	b.Options.Logging = cloudbuildpb.BuildOptions_NONE
}

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// ListBuilds implements the service.
func (a *API) ListBuilds(ctx context.Context, req *cloudbuildpb.ListBuildsRequest) (*cloudbuildpb.ListBuildsResponse, error) {
	project, location, err := parentOf(req.GetParent(), req.GetProjectId())
	if err != nil {
		return nil, err
	}
	if req.GetParent() == "" {
		location = "" // builds of every location, as at Google
	}
	filter, err := cloudbuild.ParseFilter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	list := []string{project, location, req.GetFilter()}
	after, err := page.Cursor(req.GetPageToken(), list...)
	if err != nil {
		return nil, err
	}
	builds, next, err := a.builds.List(ctx, project, location, filter, after, size)
	if err != nil {
		return nil, err
	}
	out := &cloudbuildpb.ListBuildsResponse{NextPageToken: page.Token(next, list...)}
	for i := range builds {
		b, err := encode(&builds[i])
		if err != nil {
			return nil, err
		}
		out.Builds = append(out.Builds, b)
	}
	return out, nil
}

// CancelBuild implements the service.
func (a *API) CancelBuild(ctx context.Context, req *cloudbuildpb.CancelBuildRequest) (*cloudbuildpb.Build, error) {
	project, location, id, err := buildName(req.GetName(), req.GetProjectId(), req.GetId())
	if err != nil {
		return nil, err
	}
	return a.show(a.builds.Cancel(ctx, project, location, id))
}

// RetryBuild implements the service.
func (a *API) RetryBuild(ctx context.Context, req *cloudbuildpb.RetryBuildRequest) (*longrunningpb.Operation, error) {
	project, location, id, err := buildName(req.GetName(), req.GetProjectId(), req.GetId())
	if err != nil {
		return nil, err
	}
	return a.operation(ctx)(a.builds.Retry(ctx, project, location, id))
}

// ListBuildTriggers implements the service: there are none.
func (a *API) ListBuildTriggers(context.Context, *cloudbuildpb.ListBuildTriggersRequest) (*cloudbuildpb.ListBuildTriggersResponse, error) {
	return &cloudbuildpb.ListBuildTriggersResponse{}, nil
}

// CreateBuildTrigger implements the service.
func (a *API) CreateBuildTrigger(context.Context, *cloudbuildpb.CreateBuildTriggerRequest) (*cloudbuildpb.BuildTrigger, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, "", "triggers of builds are not supported: submit builds from where the change is known, a hook of the repository")
}

// operation takes what a method of the service returns.
func (a *API) operation(ctx context.Context) func(*cloudbuild.Build, *sunya.Operation, error) (*longrunningpb.Operation, error) {
	return func(_ *cloudbuild.Build, op *sunya.Operation, err error) (*longrunningpb.Operation, error) {
		if err != nil {
			return nil, err
		}
		return a.ops.Encode(ctx, op)
	}
}

// parentOf reads projects/P/locations/L, or the project alone where there is no
// parent.
func parentOf(parent, project string) (_, location string, err error) {
	if parent == "" {
		return project, cloudbuild.Global, sunya.CheckProject(project)
	}
	p := strings.Split(parent, "/")
	switch {
	case len(p) == 2 && p[0] == "projects":
		return p[1], cloudbuild.Global, sunya.CheckProject(p[1])
	case len(p) == 4 && p[0] == "projects" && p[2] == "locations" && p[3] != "":
		return p[1], p[3], sunya.CheckProject(p[1])
	}
	return "", "", sunya.Invalid("parent", "%q is not a name of the form projects/*/locations/*", parent)
}

// buildName reads a full name, or project and id where there is none.
func buildName(name, project, id string) (_, location, _ string, err error) {
	if name == "" {
		if id == "" {
			return "", "", "", sunya.Invalid("id", "is missing")
		}
		return project, "", id, sunya.CheckProject(project)
	}
	return parseBuild(name)
}

func parseBuild(name string) (project, location, id string, err error) {
	p := strings.Split(name, "/")
	switch {
	case len(p) == 6 && p[0] == "projects" && p[2] == "locations" && p[4] == "builds" && p[5] != "":
		return p[1], p[3], p[5], sunya.CheckProject(p[1])
	case len(p) == 4 && p[0] == "projects" && p[2] == "builds" && p[3] != "":
		return p[1], "", p[3], sunya.CheckProject(p[1])
	}
	return "", "", "", sunya.Invalid("name", "%q is not a name of the form projects/*/locations/*/builds/*", name)
}

// logURL is where a person reads the log: its object.
func logURL(b *cloudbuild.Build) string {
	bucket, prefix, _ := strings.Cut(b.LogsBucket, "/")
	u := url.URL{Scheme: "gs", Host: bucket, Path: "/" + path.Join(prefix, cloudbuild.LogObject(b.ID))}
	return u.String()
}
