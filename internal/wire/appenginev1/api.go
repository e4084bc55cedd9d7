// Package appenginev1 is appengine.googleapis.com/v1: Google's messages to and
// from the nouns of core/appengine, on gRPC and REST.
package appenginev1

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with. All but Admin may be nil.
type Deps struct {
	Admin *appengine.Admin
	// Instances returns what runs of one core revision.
	Instances func(ctx context.Context, revision string) ([]sunya.Instance, error)
	// MemoryBytes returns how much memory an instance uses.
	MemoryBytes func(ctx context.Context, instance string) int64
	// User returns who calls: an e-mail address, or empty.
	User func(ctx context.Context) string
}

// API is the services of the API.
type API struct {
	Deps
	ops *lro.API
}

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	a := &API{Deps: d}
	if a.User == nil {
		a.User = func(context.Context) string { return "" }
	}
	ops := a.Operations()
	a.ops = &ops
	return a
}

// Register adds the services of App Engine to a server. The operations are
// served by an lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) {
	appenginepb.RegisterApplicationsServer(s, applications{a})
	appenginepb.RegisterServicesServer(s, services{a})
	appenginepb.RegisterVersionsServer(s, versions{a})
	appenginepb.RegisterInstancesServer(s, instances{a})
	registerMissing(s)
}

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops = "google.longrunning.Operations"
	return transcode.API{
		Name: "appengine.googleapis.com",
		Services: []string{
			"google.appengine.v1.Applications",
			"google.appengine.v1.Services",
			"google.appengine.v1.Versions",
			"google.appengine.v1.Instances",
			"google.appengine.v1.Firewall",
			"google.appengine.v1.AuthorizedDomains",
			"google.appengine.v1.AuthorizedCertificates",
			"google.appengine.v1.DomainMappings",
			ops,
		},
		Rules: []*annotations.HttpRule{
			{
				Selector: ops + ".GetOperation",
				Pattern:  &annotations.HttpRule_Get{Get: "/v1/{name=apps/*/operations/*}"},
			},
			{
				Selector: ops + ".ListOperations",
				Pattern:  &annotations.HttpRule_Get{Get: "/v1/{name=apps/*}/operations"},
			},
			{
				Selector: ops + ".WaitOperation",
				Pattern:  &annotations.HttpRule_Post{Post: "/v1/{name=apps/*/operations/*}:wait"},
				Body:     "*",
			},
		},
	}
}
