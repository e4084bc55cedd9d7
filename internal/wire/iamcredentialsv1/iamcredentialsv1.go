// Package iamcredentialsv1 is google.iam.credentials.v1.IAMCredentials: tokens
// and signatures of service accounts, for whoever may administer the platform.
package iamcredentialsv1

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Server implements credentialspb.IAMCredentialsServer.
type Server struct {
	credentialspb.UnimplementedIAMCredentialsServer
	tokens *identity.Tokens
	now    func() time.Time
}

var _ credentialspb.IAMCredentialsServer = (*Server)(nil)

// New returns the service.
func New(tokens *identity.Tokens, now func() time.Time) *Server {
	return &Server{tokens: tokens, now: now}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(g grpc.ServiceRegistrar) { credentialspb.RegisterIAMCredentialsServer(g, s) }

// Descriptor tells transcode how the API looks as REST.
func Descriptor() transcode.API {
	return transcode.API{Name: "iamcredentials.googleapis.com", Services: []string{"google.iam.credentials.v1.IAMCredentials"}}
}

// Pattern is the canonical path under which everything of the API lies.
const Pattern = "/v1/projects/-/serviceAccounts/"

// account reads projects/-/serviceAccounts/EMAIL.
func account(name string) (string, error) {
	email, ok := strings.CutPrefix(name, "projects/-/serviceAccounts/")
	if !ok || !sunya.IsAccount(email) {
		return "", sunya.Invalid("name", "%q is not a service account: write projects/-/serviceAccounts/EMAIL", name)
	}
	return email, nil
}

// GenerateAccessToken implements the service.
func (s *Server) GenerateAccessToken(ctx context.Context, req *credentialspb.GenerateAccessTokenRequest) (*credentialspb.GenerateAccessTokenResponse, error) {
	email, err := account(req.GetName())
	if err != nil {
		return nil, err
	}
	if len(req.GetScope()) == 0 {
		return nil, sunya.Invalid("scope", "is missing: give at least one, such as %s", identity.CloudPlatform)
	}
	if life := req.GetLifetime(); life != nil && life.AsDuration() != identity.TokenLife {
		return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "lifetime: tokens count for %v; leave it away", identity.TokenLife)
	}
	token, err := s.tokens.AccessToken(ctx, email, req.GetScope())
	if err != nil {
		return nil, err
	}
	return &credentialspb.GenerateAccessTokenResponse{AccessToken: token, ExpireTime: timestamppb.New(s.now().Add(identity.TokenLife))}, nil
}

// GenerateIdToken implements the service.
func (s *Server) GenerateIdToken(ctx context.Context, req *credentialspb.GenerateIdTokenRequest) (*credentialspb.GenerateIdTokenResponse, error) {
	email, err := account(req.GetName())
	if err != nil {
		return nil, err
	}
	token, err := s.tokens.IDToken(ctx, identity.IDRequest{Email: email, Audience: req.GetAudience(), IncludeEmail: req.GetIncludeEmail()})
	if err != nil {
		return nil, err
	}
	return &credentialspb.GenerateIdTokenResponse{Token: token}, nil
}

// SignBlob implements the service.
func (s *Server) SignBlob(ctx context.Context, req *credentialspb.SignBlobRequest) (*credentialspb.SignBlobResponse, error) {
	if _, err := account(req.GetName()); err != nil {
		return nil, err
	}
	id, signature, err := s.tokens.Sign(ctx, req.GetPayload())
	if err != nil {
		return nil, err
	}
	return &credentialspb.SignBlobResponse{KeyId: id, SignedBlob: signature}, nil
}

// SignJwt implements the service.
func (s *Server) SignJwt(ctx context.Context, req *credentialspb.SignJwtRequest) (*credentialspb.SignJwtResponse, error) {
	if _, err := account(req.GetName()); err != nil {
		return nil, err
	}
	id, token, err := s.tokens.SignClaims(ctx, []byte(req.GetPayload()))
	if err != nil {
		return nil, err
	}
	return &credentialspb.SignJwtResponse{KeyId: id, SignedJwt: token}, nil
}
