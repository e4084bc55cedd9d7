package cli

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	cloudrun "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newRunCommand(env *Env) *cobra.Command {
	cmd := group("run", "Deploy and look after containers: Cloud Run.",
		newRunDeployCommand(env),
		newRunServicesCommand(env),
		newRunRevisionsCommand(env),
		newRunJobsCommand(env),
		newRunRegionsCommand(env),
	)
	cmd.Example = "sunya run deploy hello --image gcr.io/sunya/hello --allow-unauthenticated\nsunya run services list"
	return cmd
}

// runAPI is the API of Cloud Run in one location.
type runAPI struct {
	services  *cloudrun.ServicesClient
	revisions *cloudrun.RevisionsClient
	builds    *cloudrun.BuildsClient
	client    *client
	parent    string // projects/P/locations/L
}

// withRun connects, and runs do with the API of Cloud Run.
func withRun(ctx context.Context, env *Env, do func(*runAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	a, err := c.runAPI(ctx, env.flags.Region)
	if err != nil {
		return err
	}
	return do(a)
}

// runAPI prepares the API of Cloud Run in a region.
func (c *client) runAPI(ctx context.Context, region string) (*runAPI, error) {
	a := &runAPI{client: c, parent: sunya.LocationName(c.project, region)}
	var err error
	if a.services, err = cloudrun.NewServicesClient(ctx, option.WithGRPCConn(c.conn)); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if a.revisions, err = cloudrun.NewRevisionsClient(ctx, option.WithGRPCConn(c.conn)); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if a.builds, err = cloudrun.NewBuildsClient(ctx, option.WithGRPCConn(c.conn)); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return a, nil
}

func (a *runAPI) region() string { return lastOf(a.parent) }

func (a *runAPI) serviceName(id string) string { return a.parent + "/services/" + id }

func (a *runAPI) revisionName(service, id string) string {
	return a.serviceName(service) + "/revisions/" + id
}

func (a *runAPI) service(ctx context.Context, id string) (*runpb.Service, error) {
	return a.services.GetService(ctx, &runpb.GetServiceRequest{Name: a.serviceName(id)})
}

// existing returns a service, or nil where there is none.
func (a *runAPI) existing(ctx context.Context, id string) (*runpb.Service, error) {
	s, err := a.service(ctx, id)
	if codeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return s, err
}

// anywhere lists the services of all locations.
func (a *runAPI) anywhere(ctx context.Context) ([]*runpb.Service, error) {
	parent := strings.TrimSuffix(a.parent, a.region()) + "-"
	return collect(a.services.ListServices(ctx, &runpb.ListServicesRequest{Parent: parent, PageSize: 100}).Next)
}

// operation asks for the state of long work once.
func (a *runAPI) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return (*a.services.LROClient).GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

// wait waits for work that says nothing on its way.
func (a *runAPI) wait(ctx context.Context, name string) error {
	_, err := waitFor(ctx, name, a.operation, func(*longrunningpb.Operation) {})
	return err
}

// regionOf is the location in a resource's name.
func regionOf(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// ready says whether a condition holds, as tables and people have it.
func ready(c *runpb.Condition) string {
	switch c.GetState() {
	case runpb.Condition_CONDITION_SUCCEEDED:
		return "True"
	case runpb.Condition_CONDITION_FAILED:
		return "False"
	}
	return "Unknown"
}
