// Package transcode serves the gRPC services of one Google API as REST and
// gRPC on the same handler: native gRPC goes straight to the grpc.Server, JSON
// through the services' google.api.http annotations. What Google's own clients
// do beyond those annotations (system parameters, error envelope, unknown
// fields, method override) is settled here, once for all APIs.
package transcode

import (
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// API is one Google API.
type API struct {
	Name     string   // appengine.googleapis.com
	Services []string // full names of its services; all are registered on the server
	// Rules add REST paths to methods whose own annotations do not have them:
	// google.longrunning.Operations has other paths in every API.
	Rules []*annotations.HttpRule
	// Escaped leaves names as they were written, with slashes as %2F and the
	// colons of digests as %3A; the service reads them.
	Escaped bool
	// Bodiless are the verbs, such as :detach, of methods whose annotations have
	// no body. Clients send {} to them all the same; it is passed over.
	Bodiless []string
}

// MaxMessage is the size of the largest request: a manifest of 10,000 files
// has about 3 MiB.
const MaxMessage = 32 << 20

// ServerOptions are what every grpc.Server of this platform is made with.
func ServerOptions(log *slog.Logger) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(status.Unary(log)),
		grpc.ChainStreamInterceptor(status.Stream(log)),
		grpc.MaxRecvMsgSize(MaxMessage),
	}
}

// New returns the handler of one API, whose services are registered on server.
func New(server *grpc.Server, api API, log *slog.Logger) (http.Handler, error) {
	rest, err := transcoder(server, api, log)
	if err != nil {
		return nil, fmt.Errorf("make REST of %s: %w", api.Name, err)
	}
	if api.Escaped {
		rest = escapedPaths(rest)
	}
	return &handler{grpc: server, rest: rest, bools: boolParameters(api.Services), bare: api.Bodiless}, nil
}

func transcoder(server *grpc.Server, api API, log *slog.Logger) (http.Handler, error) {
	registered := server.GetServiceInfo()
	services := make([]*vanguard.Service, 0, len(api.Services))
	for _, name := range api.Services {
		if _, ok := registered[name]; !ok {
			return nil, fmt.Errorf("service %s is not registered", name)
		}
		services = append(services, vanguard.NewService(name, whole{server}))
	}
	return vanguard.NewTranscoder(services,
		vanguard.WithCodec(func(vanguard.TypeResolver) vanguard.Codec { return newCodec(api.Name, log) }),
		vanguard.WithRules(api.Rules...),
		vanguard.WithDefaultServiceOptions(
			vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
			vanguard.WithTargetCodecs(vanguard.CodecProto),
			vanguard.WithMaxMessageBufferBytes(MaxMessage),
			vanguard.WithTypeResolver(protoregistry.GlobalTypes),
		),
	)
}

// escapedPaths hands paths on as they were written: segments end at slashes, not
// at what stands for one, and a digest behind a colon is no verb.
func escapedPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if colon := strings.LastIndexByte(path, ':'); colon > strings.LastIndexByte(path, '/') && strings.ContainsAny(path[colon:], "0123456789") {
			path = path[:colon] + "%3A" + path[colon+1:]
		}
		if path != r.URL.Path {
			u := *r.URL
			u.Path, u.RawPath = path, ""
			r = r.WithContext(r.Context())
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

type handler struct {
	grpc  http.Handler
	rest  http.Handler
	bools map[string]bool // names of query parameters
	bare  []string        // API.Bodiless
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	grpc := isGRPC(r)
	if grpc && r.ProtoMajor == 2 {
		h.grpc.ServeHTTP(w, r)
		return
	}
	e := &envelopeWriter{ResponseWriter: w}
	defer e.finish(r)
	if grpc {
		e.fail(sunya.Invalid("Content-Type", "gRPC needs HTTP/2"))
		return
	}
	r, err := normalise(r, h.bools)
	if err != nil {
		e.fail(err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxMessage)
	if slices.ContainsFunc(h.bare, func(verb string) bool { return strings.HasSuffix(r.URL.Path, verb) }) {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	h.rest.ServeHTTP(e, r)
}

// isGRPC reports whether a request is native gRPC: application/grpc, with or
// without a codec (application/grpc+proto), but not gRPC-Web.
func isGRPC(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (t == "application/grpc" || strings.HasPrefix(t, "application/grpc+"))
}
