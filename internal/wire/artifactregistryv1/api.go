// Package artifactregistryv1 is the part of google.devtools.artifactregistry.v1
// that container images need: repositories, docker images, and packages,
// versions and tags as far as one deletes and tags images with them. What is
// missing answers UNIMPLEMENTED.
package artifactregistryv1

import (
	"context"
	"time"

	pb "cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with.
type Deps struct {
	Registry *registry.Service
	// Put stores an operation.
	Put   func(ctx context.Context, op *sunya.Operation) error
	NewID func() string
	Now   func() time.Time
}

// API is the service.
type API struct {
	pb.UnimplementedArtifactRegistryServer
	Deps
	ops *lro.API
}

var _ pb.ArtifactRegistryServer = (*API)(nil)

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	a := &API{Deps: d}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the service to a server. The operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) { pb.RegisterArtifactRegistryServer(s, a) }

// name is that of the service in protos.
const name = "google.devtools.artifactregistry.v1.ArtifactRegistry"

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops = "google.longrunning.Operations"
	return transcode.API{
		Name:     "artifactregistry.googleapis.com",
		Services: []string{name, ops},
		Escaped:  true,
		Rules: []*annotations.HttpRule{
			{Selector: ops + ".GetOperation", Pattern: &annotations.HttpRule_Get{Get: "/v1/{name=projects/*/locations/*/operations/*}"}},
		},
	}
}

// Patterns are the paths of the API, those of operations last.
func Patterns() []string {
	return []string{"/v1/projects/*/locations/*/repositories", "/v1/projects/*/locations/*/repositories/", "/v1/projects/*/locations/*/operations/"}
}

// Operations says what the API's operations hold. All of them are done when they
// are begun.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern:  "projects/*/locations/*/operations/*",
		Methods:  "google.devtools.artifactregistry.v1.",
		Metadata: func(*sunya.Operation) proto.Message { return &pb.OperationMetadata{} },
		Response: func(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
			if op.Method != name+".CreateRepository" {
				return nil, nil
			}
			k, err := parseRepository("name", op.Target)
			if err != nil {
				return nil, err
			}
			f, err := a.Registry.Folder(ctx, k)
			if err != nil {
				return nil, err
			}
			return a.repository(ctx, f)
		},
	}
}

// done stores and returns the operation of something that has been done.
func (a *API) done(ctx context.Context, method, parent, target string) (*longrunningpb.Operation, error) {
	now := a.Now()
	op := &sunya.Operation{
		Name: parent + "/operations/" + a.NewID(), Method: name + "." + method, Target: target, Done: true, CreateTime: now, EndTime: now,
	}
	if err := a.Put(ctx, op); err != nil {
		return nil, err
	}
	return a.ops.Encode(ctx, op)
}

func when(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
