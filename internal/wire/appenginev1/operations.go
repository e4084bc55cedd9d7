package appenginev1

import (
	"context"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
)

// Operations tells lro what App Engine's operations are called and hold.
func (a *API) Operations() lro.API {
	return lro.API{Pattern: "apps/*/operations/*", Metadata: metadata, Response: a.response}
}

func metadata(op *sunya.Operation) proto.Message {
	out := &appenginepb.OperationMetadataV1{
		Method:           op.Method,
		InsertTime:       timestamppb.New(op.CreateTime),
		User:             op.User,
		Target:           op.Target,
		EphemeralMessage: op.Stage,
		Warning:          op.Warnings,
	}
	if op.Done {
		out.EndTime = timestamppb.New(op.EndTime)
	}
	if op.BuildID != "" {
		out.MethodMetadata = &appenginepb.OperationMetadataV1_CreateVersionMetadata{
			CreateVersionMetadata: &appenginepb.CreateVersionMetadataV1{CloudBuildId: op.BuildID},
		}
	}
	return out
}

// response shows the resource as it is now. One that was deleted since is
// shown by its name.
func (a *API) response(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
	_, method, _ := strings.Cut(strings.TrimPrefix(op.Method, "google.appengine.v1."), ".")
	switch method {
	case "CreateVersion", "UpdateVersion":
		return a.versionResponse(ctx, op.Target)
	case "UpdateService":
		return a.serviceResponse(ctx, op.Target)
	case "CreateApplication", "RepairApplication":
		project, err := parseApp("target", op.Target)
		if err != nil {
			return nil, err
		}
		return a.application(ctx, project)
	}
	return nil, nil
}

func (a *API) versionResponse(ctx context.Context, name string) (proto.Message, error) {
	k, err := parseVersion("target", name)
	if err != nil {
		return nil, err
	}
	v, err := a.Admin.Version(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &appenginepb.Version{Name: name, Id: k.ID}, nil
	}
	if err != nil {
		return nil, err
	}
	return a.version(v, appenginepb.VersionView_BASIC)
}

func (a *API) serviceResponse(ctx context.Context, name string) (proto.Message, error) {
	project, id, err := parseService("target", name)
	if err != nil {
		return nil, err
	}
	svc, err := a.Admin.Service(ctx, project, id)
	if sunya.CodeOf(err) == sunya.NotFound {
		return &appenginepb.Service{Name: name, Id: id}, nil
	}
	if err != nil {
		return nil, err
	}
	return encodeService(svc), nil
}
