package functionsv2

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
)

// document is what was sent of a function, with its name.
func document(f *functions.Function) (*functionspb.Function, error) {
	out := &functionspb.Function{}
	if len(f.Document) > 0 {
		lenient := protojson.UnmarshalOptions{DiscardUnknown: true} // a newer server may have stored it
		if err := lenient.Unmarshal(f.Document, out); err != nil {
			return nil, fmt.Errorf("decode %s: %w", f.Name(), err)
		}
	}
	out.Name = f.Name()
	return out, nil
}

// shown is document, or what a function of the first generation, which the other
// version of the API stores, has in common with it.
func shown(f *functions.Function) (*functionspb.Function, error) {
	if !f.FirstGen {
		out, err := document(f)
		if err != nil {
			return nil, err
		}
		out.Environment = functionspb.Environment_GEN_2
		return out, nil
	}
	return &functionspb.Function{
		Name: f.Name(), Description: f.Description, Labels: f.Labels, Environment: functionspb.Environment_GEN_1,
		BuildConfig: &functionspb.BuildConfig{
			Runtime: f.Runtime, EnvironmentVariables: f.BuildEnv,
			Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: &functionspb.StorageSource{Bucket: f.Source.Bucket, Object: f.Source.Object}}},
		},
		ServiceConfig: &functionspb.ServiceConfig{EnvironmentVariables: f.Env, AvailableMemory: fmt.Sprintf("%dM", f.MemoryBytes>>20)},
	}, nil
}

// encode shows a function: what was sent, with what the platform knows on top.
func (a *API) encode(f *functions.Function) (*functionspb.Function, error) {
	out, err := shown(f)
	if err != nil {
		return nil, err
	}
	out.State = functionspb.Function_State(functionspb.Function_State_value[string(f.State)])
	out.UpdateTime, out.CreateTime = timestamppb.New(f.UpdateTime), timestamppb.New(f.CreateTime)
	out.Url = a.URL("functions") + "/" + f.Project + "/" + f.Location + "/" + f.ID
	for _, m := range f.Messages {
		out.StateMessages = append(out.StateMessages, &functionspb.StateMessage{Severity: functionspb.StateMessage_ERROR, Type: "DeploymentFailed", Message: m})
	}
	if out.BuildConfig == nil {
		out.BuildConfig = &functionspb.BuildConfig{}
	}
	out.BuildConfig.Build = sunya.LocationName(f.Project, f.Location) + "/builds/" + f.Build
	out.BuildConfig.EntryPoint = f.EntryPoint
	out.EventTrigger = encodeTrigger(out.GetEventTrigger(), f)
	out.ServiceConfig = a.service(out.GetServiceConfig(), f)
	return out, nil
}

func (a *API) service(c *functionspb.ServiceConfig, f *functions.Function) *functionspb.ServiceConfig {
	if c == nil {
		c = &functionspb.ServiceConfig{}
	}
	c.Service = f.ServiceName()
	c.Uri = a.URL(f.Host)
	c.TimeoutSeconds = int32(f.Timeout.Seconds())
	c.MaxInstanceCount, c.MinInstanceCount = int32(f.Max), int32(f.Min)
	c.MaxInstanceRequestConcurrency = int32(f.Concurrency)
	c.ServiceAccountEmail = f.Account
	c.AllTrafficOnLatestRevision = true
	if c.IngressSettings == 0 {
		c.IngressSettings = functionspb.ServiceConfig_ALLOW_ALL
		if f.Ingress == sunya.IngressInternal {
			c.IngressSettings = functionspb.ServiceConfig_ALLOW_INTERNAL_ONLY
		}
	}
	if c.AvailableMemory == "" {
		c.AvailableMemory = "256M"
	}
	if c.AvailableCpu == "" {
		c.AvailableCpu = fmt.Sprintf("%dm", f.CPUMillis)
	}
	if f.Revision != "" {
		c.Revision = sunya.ShortRevision(f.Revision)
	}
	return c
}

// Operations says what the API's operations hold.
func (a *API) Operations() lro.API {
	return lro.API{
		Pattern: "projects/*/locations/*/operations/*",
		Methods: "google.cloud.functions.v2.",
		Metadata: func(op *sunya.Operation) proto.Message {
			verb := method(op)
			m := &functionspb.OperationMetadata{
				CreateTime:    timestamppb.New(op.CreateTime),
				Target:        op.Target,
				Verb:          strings.ToLower(strings.TrimSuffix(verb, "Function")),
				ApiVersion:    "v2",
				StatusDetail:  op.Stage,
				OperationType: functionspb.OperationType(functionspb.OperationType_value[strings.ToUpper(strings.TrimSuffix(verb, "Function"))+"_FUNCTION"]),
				BuildName:     op.BuildID,
			}
			if !op.EndTime.IsZero() {
				m.EndTime = timestamppb.New(op.EndTime)
			}
			for _, w := range op.Warnings {
				m.Stages = append(m.Stages, &functionspb.Stage{Name: functionspb.Stage_SERVICE, State: functionspb.Stage_COMPLETE, StateMessages: []*functionspb.StateMessage{
					{Severity: functionspb.StateMessage_WARNING, Message: w},
				}})
			}
			return m
		},
		Response: func(ctx context.Context, op *sunya.Operation) (proto.Message, error) {
			if method(op) == "DeleteFunction" {
				return nil, nil
			}
			k, err := parseFunction("name", op.Target)
			if err != nil {
				return nil, err
			}
			f, err := a.Admin.Function(ctx, k)
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
