package functionsv1

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/functions/apiv1/functionspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
)

// document is what was sent of a function, with its name.
func document(f *functions.Function) (*functionspb.CloudFunction, error) {
	out := &functionspb.CloudFunction{}
	if len(f.Document) > 0 {
		lenient := protojson.UnmarshalOptions{DiscardUnknown: true} // a newer server may have stored it
		if err := lenient.Unmarshal(f.Document, out); err != nil {
			return nil, fmt.Errorf("decode %s: %w", f.Name(), err)
		}
	}
	out.Name = f.Name()
	return out, nil
}

// statusOf is the state of a function as this API says it.
func statusOf(f *functions.Function) functionspb.CloudFunctionStatus {
	switch f.State {
	case functions.Active:
		return functionspb.CloudFunctionStatus_ACTIVE
	case functions.Deploying:
		return functionspb.CloudFunctionStatus_DEPLOY_IN_PROGRESS
	case functions.Failed:
		return functionspb.CloudFunctionStatus_OFFLINE
	}
	return functionspb.CloudFunctionStatus_UNKNOWN
}

// encode shows a function: what was sent, with what the platform knows on top.
func (a *API) encode(f *functions.Function) (*functionspb.CloudFunction, error) {
	out, err := document(f)
	if err != nil {
		return nil, err
	}
	out.Status = statusOf(f)
	out.EntryPoint, out.Runtime = f.EntryPoint, f.Runtime
	out.Timeout = durationpb.New(f.Timeout)
	out.AvailableMemoryMb = int32(f.MemoryBytes >> 20)
	out.ServiceAccountEmail = f.Account
	out.UpdateTime = timestamppb.New(f.UpdateTime)
	out.VersionId = int64(f.Number)
	out.BuildId, out.BuildName = f.Build, buildName(f.Key, f.Build)
	if out.IngressSettings == 0 {
		out.IngressSettings = functionspb.CloudFunction_ALLOW_ALL
	}
	if f.Event != nil {
		out.Trigger = &functionspb.CloudFunction_EventTrigger{EventTrigger: encodeTrigger(out.GetEventTrigger(), f)}
		return out, nil
	}
	https := out.GetHttpsTrigger()
	if https == nil {
		https = &functionspb.HttpsTrigger{}
		out.Trigger = &functionspb.CloudFunction_HttpsTrigger{HttpsTrigger: https}
	}
	https.Url = a.URL("functions") + "/" + f.Project + "/" + f.Location + "/" + f.ID
	if https.SecurityLevel == 0 {
		https.SecurityLevel = functionspb.HttpsTrigger_SECURE_OPTIONAL
	}
	return out, nil
}

func buildName(k functions.Key, build string) string {
	return sunya.LocationName(k.Project, k.Location) + "/builds/" + build
}

// Operations says what the API's operations hold.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern: "operations/*",
		Metadata: func(op *sunya.Operation) proto.Message {
			verb := strings.ToUpper(strings.TrimSuffix(method(op), "Function"))
			m := &functionspb.OperationMetadataV1{
				Target:     op.Target,
				Type:       functionspb.OperationType(functionspb.OperationType_value[verb+"_FUNCTION"]),
				UpdateTime: timestamppb.New(op.CreateTime),
				BuildId:    op.BuildID,
			}
			if !op.EndTime.IsZero() {
				m.UpdateTime = timestamppb.New(op.EndTime)
			}
			if k, err := parseFunction("name", op.Target); err == nil && op.BuildID != "" {
				m.BuildName = buildName(k, op.BuildID)
			}
			return m
		},
		Response: func(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
			if method(op) == "DeleteFunction" {
				return nil, nil
			}
			f, err := a.function(ctx, "name", op.Target)
			if sunya.CodeOf(err) == sunya.NotFound {
				return nil, nil // it was deleted since
			}
			if err != nil {
				return nil, err
			}
			return a.encode(f)
		},
	}
}

func method(op *sunya.Operation) string { return op.Method[strings.LastIndexByte(op.Method, '.')+1:] }
