// Package runv2 is google.cloud.run.v2: Google's messages to and from the nouns
// of the core, on gRPC and REST. What a message means is in wire/runmodel, which
// v1 shares.
package runv2

import (
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Deps is what the API works with.
type Deps struct {
	Admin *run.Admin
	// URL is the address of a host of the platform by its label.
	URL func(label string) string
}

// API is the services of the API.
type API struct {
	Deps
	show runmodel.Encoder
}

// New returns the API; it serves once it is registered.
func New(d Deps) *API {
	return &API{Deps: d, show: runmodel.Encoder{URL: d.URL}}
}

// Register adds the services to a server. The operations are served by an
// lro.Server that was given a.Operations().
func (a *API) Register(s grpc.ServiceRegistrar) {
	runpb.RegisterServicesServer(s, &services{API: a})
	runpb.RegisterRevisionsServer(s, &revisions{API: a})
}

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	const ops = "google.longrunning.Operations"
	const operation = "/v2/{name=projects/*/locations/*/operations/*}"
	return transcode.API{
		Name:     "run.googleapis.com",
		Services: []string{"google.cloud.run.v2.Services", "google.cloud.run.v2.Revisions", ops},
		Rules: []*annotations.HttpRule{
			{Selector: ops + ".GetOperation", Pattern: &annotations.HttpRule_Get{Get: operation}},
			{Selector: ops + ".DeleteOperation", Pattern: &annotations.HttpRule_Delete{Delete: operation}},
			{Selector: ops + ".WaitOperation", Pattern: &annotations.HttpRule_Post{Post: operation + ":wait"}, Body: "*"},
			{Selector: ops + ".ListOperations", Pattern: &annotations.HttpRule_Get{Get: "/v2/{name=projects/*/locations/*}/operations"}},
		},
	}
}

// Patterns are the canonical paths of the API. What of a location is not Cloud
// Run's belongs to other APIs; operations are of all.
func Patterns() []string {
	const location = "/v2/projects/*/locations/*/"
	return []string{location + "services", location + "services/", location + "operations", location + "operations/"}
}

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// Operations says what the API's operations hold: the resource itself.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern:  "projects/*/locations/*/operations/*",
		Methods:  "google.cloud.run.v2.",
		Resource: a.resource,
	}
}
