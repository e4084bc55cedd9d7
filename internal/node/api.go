package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/appenginev1"
	"github.com/sunya-cloud/sunya/internal/wire/artifactregistryv1"
	"github.com/sunya-cloud/sunya/internal/wire/cloudbuildv1"
	"github.com/sunya-cloud/sunya/internal/wire/eventarcv1"
	"github.com/sunya-cloud/sunya/internal/wire/functionsv1"
	"github.com/sunya-cloud/sunya/internal/wire/functionsv2"
	"github.com/sunya-cloud/sunya/internal/wire/iamcredentialsv1"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
	"github.com/sunya-cloud/sunya/internal/wire/loggingv2"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/oauth2"
	"github.com/sunya-cloud/sunya/internal/wire/openmetrics"
	"github.com/sunya-cloud/sunya/internal/wire/projectv1"
	"github.com/sunya-cloud/sunya/internal/wire/pubsubv1"
	"github.com/sunya-cloud/sunya/internal/wire/runv2"
	"github.com/sunya-cloud/sunya/internal/wire/sunyav1"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// later is what comes with APIs that gcloud app asks for and this server does
// not have yet.
var later = map[string]string{
	"cloudscheduler.googleapis.com": "cron jobs (cron.yaml) come with it; until then call the URL from a timer of your own",
	"cloudtasks.googleapis.com":     "task queues (queue.yaml) come with it",
	"datastore.googleapis.com":      "indexes (index.yaml) come with it",
}

// api is everything that the API hosts answer.
type api struct {
	grpc   *transcode.Services
	routes []front.Route
}

func newAPI(n *Node, log *slog.Logger) (*api, error) {
	a := &api{grpc: transcode.NewServices(log)}
	gae := appenginev1.New(appenginev1.Deps{
		Admin:       n.products.appengine,
		Instances:   n.instancesOf,
		MemoryBytes: n.serve.instances.MemoryBytes,
	})
	gae.Register(a.grpc)
	logging := loggingv2.New(n.storage.logs, n.serve.hub, time.Now)
	logging.Register(a.grpc)
	iamcredentialsv1.New(n.tokens, time.Now).Register(a.grpc)
	fn := functionsv2.New(functionsv2.Deps{
		Admin:        n.products.functions,
		Links:        n.links,
		EnsureBucket: n.products.ensureBucket,
		NewID:        uuid.NewString,
		Runtimes:     n.products.builder.Functions,
		URL:          n.url,
	})
	fn.Register(a.grpc)
	first := functionsv1.New(functionsv1.Deps{
		Admin:        n.products.functions,
		Policies:     fn.Policies(),
		Link:         fn.Link,
		EnsureBucket: n.products.ensureBucket,
		Invoke:       n.invoke,
		Events:       n.products.eventing.Legacy,
		NewID:        uuid.NewString,
		Now:          time.Now,
		URL:          n.url,
	})
	first.Register(a.grpc)
	services := runv2.New(runv2.Deps{Admin: n.products.run, URL: n.url})
	services.Register(a.grpc)
	runJobs := runv2.NewJobs(n.products.jobs)
	runJobs.Register(a.grpc)
	builds := cloudbuildv1.New(n.products.builds)
	builds.Register(a.grpc)
	artifacts := artifactregistryv1.New(artifactregistryv1.Deps{
		Registry: n.products.registry, Put: n.products.operations.Put, NewID: uuid.NewString, Now: time.Now,
	})
	artifacts.Register(a.grpc)
	eventarc := eventarcv1.New(eventarcv1.Deps{Events: n.products.eventing, Put: n.products.operations.Put, NewID: uuid.NewString, Now: time.Now})
	eventarc.Register(a.grpc)
	pubsubv1.Register(a.grpc, n.products.pubsub, n.products.schemas, uuid.NewString)
	a.addPolicies(n, fn.Policies())
	lro.New(n.products.operations, append(runJobs.Operations(), gae.Operations(), builds.Operations(), fn.Operations(), first.Operations(), services.Operations(), artifacts.Operations(), eventarc.Operations())...).Register(a.grpc)

	for _, t := range []struct {
		api      transcode.API
		patterns []string
		beta     []string
	}{
		{appenginev1.Descriptor(), []string{"/v1/apps", "/v1/apps/"}, appenginev1.BetaPatterns()},
		{runv2.JobsDescriptor(), runv2.JobsPatterns(), nil},
		{runv2.Descriptor(), runv2.Patterns(), nil}, // before what shares the paths of operations
		{functionsv2.Descriptor(), functionsv2.Patterns(), nil},
		{eventarcv1.Descriptor(), eventarcv1.Patterns(), nil}, // before Cloud Build, which has no triggers here
		{cloudbuildv1.Descriptor(), cloudbuildv1.Patterns(), nil},
		{cloudbuildv1.SubmitDescriptor(), []string{cloudbuildv1.SubmitPattern}, nil},
		{functionsv1.Descriptor(), functionsv1.Patterns(), nil}, // operations are Service Usage's too, which has none
		{artifactregistryv1.Descriptor(), artifactregistryv1.Patterns(), nil},
		{iamcredentialsv1.Descriptor(), []string{iamcredentialsv1.Pattern}, nil},
		{pubsubv1.Descriptor(), pubsubv1.Patterns(), nil},
		{logging2(), []string{"/v2/entries:list", "/v2/entries:write", "/v2/entries:tail", "/v2/projects/", "/v2/monitoredResourceDescriptors"}, nil},
	} {
		h, err := transcode.New(a.grpc.Server, t.api, log)
		if err != nil {
			return nil, fmt.Errorf("serve %s: %w", t.api.Name, err)
		}
		for _, p := range t.patterns {
			a.add("", t.api.Name, p, front.Local, h)
		}
		for _, p := range t.beta {
			a.add("", t.api.Name, p, front.Local, appenginev1.Beta(h))
		}
	}
	if err := a.addKnative(n, log); err != nil {
		return nil, err
	}
	root := a.addStorage(n, log)
	sources := functionsv2.Sources(n.links, n.products.objects, log)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		a.add(method, "", functionsv2.SourcePath, front.Public, sources)
	}
	a.addRegistry(n, log)
	a.add(http.MethodGet, "", oauth2.Certs, front.Public, oauth2.Keys(n.tokens.KeySet, log))
	a.add(http.MethodGet, "", oauth2.AccountCerts, front.Public, oauth2.Keys(n.tokens.AccountKeySet, log))
	a.add(http.MethodGet, "", oauth2.Discovery, front.Public, oauth2.Configuration())
	a.add(http.MethodPost, "", oauth2.TokenPath, front.Local, oauth2.Token(n.tokens, log))
	for _, r := range projectv1.Routes(a.serves) {
		a.add(r.Method, r.API, r.Pattern, front.Local, r.Handler)
	}
	own := sunyav1.Handler(n, log)
	a.add(http.MethodGet, "", "/sunya/v1/", front.Local, own)
	events := sunyav1.EventsHandler(n.products.eventing, log)
	a.add(http.MethodGet, "", sunyav1.EventsPath, front.Local, events)
	a.add(http.MethodGet, "", sunyav1.EventsPath+"/", front.Local, events)
	a.add(http.MethodPost, "", sunyav1.ReplayPath, front.Local, events)
	a.add(http.MethodGet, "", openmetrics.Path, front.Local, openmetrics.Handler(n.serve.metrics, n.products.pubsub, n.products.eventing, n.cfg.Version, log))
	a.add(http.MethodGet, "", "/healthz", front.Public, front.Health(n.ready))
	a.add(http.MethodGet, "", "/{$}", front.Public, root(http.HandlerFunc(n.welcome)))
	return a, nil
}

// addPolicies serves those of all resources.
func (a *api) addPolicies(n *Node, functions iamv1.Server) {
	servers := pubsubv1.Policies(n.products.pubsub, n.products.schemas)
	servers["functions"], servers["services"] = functions, functions
	servers["triggers"] = iamv1.Stored(n.products.eventing)
	iamv1.Register(a.grpc, servers)
}

func (a *api) add(method, api, pattern string, perm front.Permission, h http.Handler) {
	a.routes = append(a.routes, front.Route{Method: method, API: api, Pattern: pattern, Permission: perm, Handler: h})
}

// serves reports whether there is something of an API.
func (a *api) serves(name string) bool {
	return slices.ContainsFunc(a.routes, func(r front.Route) bool { return r.API == name })
}

// instancesOf returns the instances of one revision.
func (n *Node) instancesOf(_ context.Context, revision string) ([]sunya.Instance, error) {
	all := n.serve.activator.Instances()
	return slices.DeleteFunc(all, func(i sunya.Instance) bool { return i.Revision != revision }), nil
}

// logging2 describes Cloud Logging's API.
func logging2() transcode.API {
	return transcode.API{Name: "logging.googleapis.com", Services: []string{"google.logging.v2.LoggingServiceV2"}}
}

// welcome is what a browser shows that opens the address.
func (n *Node) welcome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Sunya %s\n\nThis is the address of the APIs. Apps answer at %s\nDeploy one:  sunya deploy DIR\n", n.cfg.Version, n.url("<name>"))
}
