// Package eventarcv1 is the part of google.cloud.eventarc.v1.Eventarc that
// triggers need: triggers and the providers of their events. Channels, buses,
// pipelines and the like answer UNIMPLEMENTED.
package eventarcv1

import (
	"context"
	"strings"
	"time"

	pb "cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with.
type Deps struct {
	Events *eventing.Service
	// Put stores an operation.
	Put   func(ctx context.Context, op *sunya.Operation) error
	NewID func() string
	Now   func() time.Time
}

// API is the service.
type API struct {
	pb.UnimplementedEventarcServer
	Deps
	ops *lro.API
}

var _ pb.EventarcServer = (*API)(nil)

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	a := &API{Deps: d}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the service to a server. The operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) { pb.RegisterEventarcServer(s, a) }

// name is that of the service in protos.
const name = "google.cloud.eventarc.v1.Eventarc"

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops = "google.longrunning.Operations"
	return transcode.API{
		Name:     "eventarc.googleapis.com",
		Services: []string{name, ops, iamv1.Service},
		Rules: append(iamv1.Rules("/v1/{resource=projects/*/locations/*/triggers/*}"),
			&annotations.HttpRule{Selector: ops + ".GetOperation", Pattern: &annotations.HttpRule_Get{Get: "/v1/{name=projects/*/locations/*/operations/*}"}},
			&annotations.HttpRule{Selector: ops + ".ListOperations", Pattern: &annotations.HttpRule_Get{Get: "/v1/{name=projects/*/locations/*}/operations"}},
		),
	}
}

// Patterns are the paths of the API, those of operations last. Cloud Build has
// triggers under the same paths, of which there are none here.
func Patterns() []string {
	var out []string
	for _, what := range []string{"triggers", "providers", "channels", "channelConnections", "messageBuses", "enrollments", "pipelines", "googleApiSources"} {
		out = append(out, "/v1/projects/*/locations/*/"+what, "/v1/projects/*/locations/*/"+what+"/")
	}
	return append(out, "/v1/projects/*/locations/*/googleChannelConfig", "/v1/projects/*/locations/*/operations/")
}

// Operations says what the API's operations hold. All of them are done when they
// are begun.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern: "projects/*/locations/*/operations/*",
		Methods: "google.cloud.eventarc.v1.",
		Metadata: func(op *sunya.Operation) proto.Message {
			verb := strings.TrimSuffix(op.Method[strings.LastIndexByte(op.Method, '.')+1:], "Trigger")
			return &pb.OperationMetadata{
				CreateTime: timestamppb.New(op.CreateTime), EndTime: timestamppb.New(op.EndTime), Target: op.Target, Verb: strings.ToLower(verb), ApiVersion: "v1",
			}
		},
		Response: func(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
			k, err := eventing.ParseName("name", op.Target)
			if err != nil {
				return nil, err
			}
			t, err := a.Events.Trigger(ctx, k)
			if sunya.CodeOf(err) == sunya.NotFound {
				return &pb.Trigger{Name: op.Target}, nil // that was deleted, or only checked
			}
			if err != nil {
				return nil, err
			}
			return a.encode(t)
		},
	}
}

// done stores and returns the operation of something that has been done.
func (a *API) done(ctx context.Context, method string, k eventing.Key) (*longrunningpb.Operation, error) {
	now := a.Now()
	op := &sunya.Operation{
		Name: sunya.LocationName(k.Project, k.Location) + "/operations/" + a.NewID(), Method: name + "." + method, Target: k.Name(),
		Done: true, CreateTime: now, EndTime: now,
	}
	if err := a.Put(ctx, op); err != nil {
		return nil, err
	}
	return a.ops.Encode(ctx, op)
}
