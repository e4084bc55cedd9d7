// Package iamv1 is google.iam.v1.IAMPolicy, which many APIs have for resources of
// their own: a call goes to the one whose resource it is.
package iamv1

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
)

// Service is the full name of the service.
const Service = "google.iam.v1.IAMPolicy"

// Server serves the policies of some resources.
type Server = iampb.IAMPolicyServer

// Register adds the service to a gRPC server: servers has those of each
// collection, such as topics.
func Register(g grpc.ServiceRegistrar, servers map[string]Server) {
	iampb.RegisterIAMPolicyServer(g, &router{servers: servers})
}

// router implements iampb.IAMPolicyServer: it hands calls to the server of a
// resource's collection, which is the segment before its id.
type router struct {
	iampb.UnimplementedIAMPolicyServer
	servers map[string]Server
}

func (r *router) of(resource string) (Server, error) {
	parts := strings.Split(resource, "/")
	if n := len(parts); n >= 2 {
		if s := r.servers[parts[n-2]]; s != nil {
			return s, nil
		}
	}
	return nil, sunya.Invalid("resource", "%q is not the name of a resource that has a policy", resource)
}

// GetIamPolicy implements the service.
func (r *router) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	s, err := r.of(req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.GetIamPolicy(ctx, req)
}

// SetIamPolicy implements the service.
func (r *router) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	s, err := r.of(req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.SetIamPolicy(ctx, req)
}

// TestIamPermissions implements the service.
func (r *router) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	s, err := r.of(req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.TestIamPermissions(ctx, req)
}

// Rules are the REST paths for resources whose names look like a pattern:
// /v1/{resource=projects/*/topics/*}.
func Rules(pattern string) []*annotations.HttpRule {
	return []*annotations.HttpRule{
		{Selector: Service + ".GetIamPolicy", Pattern: &annotations.HttpRule_Get{Get: pattern + ":getIamPolicy"}},
		{Selector: Service + ".SetIamPolicy", Pattern: &annotations.HttpRule_Post{Post: pattern + ":setIamPolicy"}, Body: "*"},
		{Selector: Service + ".TestIamPermissions", Pattern: &annotations.HttpRule_Post{Post: pattern + ":testIamPermissions"}, Body: "*"},
	}
}
