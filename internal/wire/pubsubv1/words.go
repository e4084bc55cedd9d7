package pubsubv1

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
)

// words is a registrar whose services say what Google's says of names that are not
// there, or are taken: programs are known to look for it.
type words struct{ grpc.ServiceRegistrar }

// RegisterService implements grpc.ServiceRegistrar.
func (w words) RegisterService(d *grpc.ServiceDesc, impl any) {
	said := *d
	said.Methods = make([]grpc.MethodDesc, len(d.Methods))
	for i, m := range d.Methods {
		handler := m.Handler
		m.Handler = func(srv any, ctx context.Context, dec func(any) error, next grpc.UnaryServerInterceptor) (any, error) {
			resp, err := handler(srv, ctx, dec, next)
			return resp, worded(err)
		}
		said.Methods[i] = m
	}
	said.Streams = make([]grpc.StreamDesc, len(d.Streams))
	for i, s := range d.Streams {
		handler := s.Handler
		s.Handler = func(srv any, stream grpc.ServerStream) error { return worded(handler(srv, stream)) }
		said.Streams[i] = s
	}
	w.ServiceRegistrar.RegisterService(&said, impl)
}

// wording returns what Google's service says of a resource; empty for what is not
// known, or is more than that a name is not there or taken.
func wording(code codes.Code, resource, message string) string {
	id := idOf(resource)
	switch {
	case id == "":
		return ""
	case code == codes.NotFound && (strings.HasSuffix(message, "does not exist") || strings.HasSuffix(message, "no such revision")):
		return "Resource not found (resource=" + id + ")."
	case code == codes.AlreadyExists:
		return "Resource already exists in the project (resource=" + id + ")."
	}
	return ""
}

// worded gives an error about a resource of Pub/Sub Google's text; its details
// stay, and other errors.
func worded(err error) error {
	if err == nil {
		return nil
	}
	var own *sunya.Error
	if errors.As(err, &own) { // of a stream: nobody has made a status of it yet
		if text := wording(codes.Code(own.Code), own.Resource, own.Message); text != "" {
			return gstatus.Error(codes.Code(own.Code), text)
		}
		return err
	}
	st := gstatus.Convert(err)
	for _, d := range st.Details() {
		r, ok := d.(*errdetails.ResourceInfo)
		if !ok {
			continue
		}
		if text := wording(st.Code(), r.GetResourceName(), r.GetDescription()); text != "" {
			p := st.Proto()
			p.Message = text
			return gstatus.ErrorProto(p)
		}
	}
	return err
}

// idOf is the last part of the name of a topic, subscription, snapshot or schema.
func idOf(resource string) string {
	parts := strings.Split(resource, "/")
	if len(parts) != 4 {
		return ""
	}
	for _, c := range collections() {
		if parts[2] == c {
			return parts[3]
		}
	}
	return ""
}
