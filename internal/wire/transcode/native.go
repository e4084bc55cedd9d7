package transcode

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// Services are the gRPC services of all APIs. As an http.Handler they serve whoever
// comes by net/http, and Native makes servers for clients that send nothing else,
// which cost a third of that.
type Services struct {
	*grpc.Server
	all []service
	log *slog.Logger
}

type service struct {
	desc *grpc.ServiceDesc
	impl any
}

// NewServices returns none yet.
func NewServices(log *slog.Logger) *Services {
	return &Services{Server: grpc.NewServer(ServerOptions(log)...), log: log}
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *Services) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.all = append(s.all, service{desc, impl})
	s.Server.RegisterService(desc, impl)
}

// pingEvery is how often clients may ask whether the server is still there: some of
// Google's do twice a minute, without a call under way.
const pingEvery = time.Second

// Native returns a server of all services for connections that are *front.Calls.
func (s *Services) Native() front.Native {
	server := grpc.NewServer(append(ServerOptions(s.log),
		grpc.Creds(handed{}),
		grpc.InTapHandle(permit),
		grpc.MaxConcurrentStreams(front.MaxStreams),
		grpc.MaxHeaderListSize(front.MaxHeaderList),
		grpc.StaticStreamWindowSize(front.StreamWindow),
		grpc.StaticConnWindowSize(front.StreamWindow),
		grpc.ConnectionTimeout(front.HeaderTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: front.IdleTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery, PermitWithoutStream: true}),
	)...)
	for _, x := range s.all {
		server.RegisterService(x.desc, x.impl)
	}
	return native{server}
}

type native struct{ server *grpc.Server }

// Serve implements front.Native.
func (n native) Serve(l net.Listener) error { return n.server.Serve(l) }

// Shutdown implements front.Native.
func (n native) Shutdown(ctx context.Context) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		n.server.GracefulStop()
	}()
	select {
	case <-over:
	case <-ctx.Done():
		n.server.Stop()
	}
}

// permit asks the connection whether a call may be made, before anything more of
// the call is read.
func permit(ctx context.Context, call *tap.Info) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	from, ok := p.AuthInfo.(caller)
	if !ok {
		return ctx, errNotHanded
	}
	if err := from.calls.Permit(call.Header); err != nil {
		return ctx, gstatus.ErrorProto(status.FromError(err))
	}
	return ctx, nil
}

var errNotHanded = errors.New("the connection has not come by the front door")

// handed are the credentials of connections that the front door hands over.
type handed struct{}

// caller is who makes the calls of a connection.
type caller struct{ calls *front.Calls }

// AuthType implements credentials.AuthInfo.
func (caller) AuthType() string { return "front" }

// ServerHandshake implements credentials.TransportCredentials.
func (handed) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	calls, ok := c.(*front.Calls)
	if !ok {
		return nil, nil, errNotHanded
	}
	return c, caller{calls}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (handed) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errNotHanded
}

// Info implements credentials.TransportCredentials.
func (handed) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: caller{}.AuthType()}
}

// Clone implements credentials.TransportCredentials.
func (h handed) Clone() credentials.TransportCredentials { return h }

// OverrideServerName implements credentials.TransportCredentials.
func (handed) OverrideServerName(string) error { return nil }
