package appenginev1

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
)

// registerMissing registers the services of which nothing exists yet, so that
// a call says what is missing instead of "unknown service".
func registerMissing(s grpc.ServiceRegistrar) {
	for _, m := range []struct {
		desc grpc.ServiceDesc
		what string
	}{
		{appenginepb.Firewall_ServiceDesc, "firewall rules"},
		{appenginepb.AuthorizedDomains_ServiceDesc, "verified domains"},
		{appenginepb.AuthorizedCertificates_ServiceDesc, "certificates"},
		{appenginepb.DomainMappings_ServiceDesc, "domain mappings"},
	} {
		s.RegisterService(missing(m.desc, m.what), struct{}{})
	}
}

// missing is a service all of whose methods are UNIMPLEMENTED.
func missing(desc grpc.ServiceDesc, what string) *grpc.ServiceDesc {
	out := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: (*any)(nil), Metadata: desc.Metadata}
	for _, m := range desc.Methods {
		full := "/" + desc.ServiceName + "/" + m.MethodName
		refuse := func(context.Context, any) (any, error) {
			return nil, sunya.Errorf(sunya.Unimplemented, "", "%s: %s do not exist on this server yet", m.MethodName, what)
		}
		out.Methods = append(out.Methods, grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(_ any, ctx context.Context, _ func(any) error, icpt grpc.UnaryServerInterceptor) (any, error) {
				if icpt == nil {
					return refuse(ctx, nil)
				}
				return icpt(ctx, nil, &grpc.UnaryServerInfo{FullMethod: full}, refuse)
			},
		})
	}
	return out
}
