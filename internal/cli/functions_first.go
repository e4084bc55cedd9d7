package cli

import (
	"context"
	"fmt"
	"slices"

	functionsv1 "cloud.google.com/go/functions/apiv1"
	firstpb "cloud.google.com/go/functions/apiv1/functionspb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// isFirst reports whether a function is of the first generation.
func isFirst(f *functionspb.Function) bool {
	return f.GetEnvironment() == functionspb.Environment_GEN_1
}

// firstAPI is the API of the first generation.
func (a *functionsAPI) firstAPI(ctx context.Context) (*functionsv1.CloudFunctionsClient, error) {
	c, err := functionsv1.NewCloudFunctionsClient(ctx, option.WithGRPCConn(a.client.conn))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return c, nil
}

var firstPaths = functionPaths{
	flags: []flagPath{
		{"runtime", "runtime"}, {"entry-point", "entry_point"}, {"memory", "available_memory_mb"}, {"timeout", "timeout"},
		{"min-instances", "min_instances"}, {"clear-min-instances", "min_instances"}, {"max-instances", "max_instances"}, {"clear-max-instances", "max_instances"},
		{"service-account", "service_account_email"}, {"run-service-account", "service_account_email"},
		{"ingress-settings", "ingress_settings"}, {"security-level", "https_trigger.security_level"},
	},
	env: "environment_variables", buildEnv: "build_environment_variables", labels: "labels",
	trigger: "event_trigger", retry: "event_trigger.failure_policy",
}

// beginFirst creates or updates a function of the first generation.
func (d *functionDeployment) beginFirst(ctx context.Context, old *functionspb.Function, src sourceRef) (operation string, err error) {
	api, err := d.api.firstAPI(ctx)
	if err != nil {
		return "", err
	}
	f, paths, err := d.opts.firstFunction(d.api.client.project, old, src, d.env.Dir)
	if err != nil {
		return "", err
	}
	f.Name = d.api.name(d.id)
	if old == nil {
		op, err := api.CreateFunction(ctx, &firstpb.CreateFunctionRequest{Location: d.api.parent, Function: f})
		if err != nil {
			return "", err
		}
		return op.Name(), nil
	}
	op, err := api.UpdateFunction(ctx, &firstpb.UpdateFunctionRequest{Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return "", err
	}
	return op.Name(), nil
}

// firstFunction is what the flags ask for, and the paths of what they change.
func (o *functionOptions) firstFunction(project string, old *functionspb.Function, src sourceRef, dir string) (*firstpb.CloudFunction, []string, error) {
	m, err := o.maps(old, dir)
	if err != nil {
		return nil, nil, err
	}
	f := &firstpb.CloudFunction{
		Runtime: o.runtime, EntryPoint: o.entryPoint, ServiceAccountEmail: o.account,
		MinInstances: int32(o.minInstances), MaxInstances: int32(o.maxInstances),
		EnvironmentVariables: m.env, BuildEnvironmentVariables: m.build, Labels: m.labels,
		IngressSettings: firstpb.CloudFunction_IngressSettings(ingressKinds[o.ingress]),
		Trigger: &firstpb.CloudFunction_HttpsTrigger{HttpsTrigger: &firstpb.HttpsTrigger{
			SecurityLevel: firstpb.HttpsTrigger_SecurityLevel(slices.Index(functionSecurity, o.security)),
		}},
	}
	switch e, err := o.trigger.first(project); {
	case err != nil:
		return nil, nil, err
	case e != nil:
		f.Trigger = &firstpb.CloudFunction_EventTrigger{EventTrigger: e}
	}
	if o.timeout > 0 {
		f.Timeout = durationpb.New(o.timeout)
	}
	if o.memory != "" {
		bytes, err := functions.ParseMemory(o.memory)
		if err != nil {
			return nil, nil, usagef("--memory: %v", err)
		}
		f.AvailableMemoryMb = int32(bytes >> 20)
	}
	path := "source_upload_url"
	if src.link != "" {
		f.SourceCode = &firstpb.CloudFunction_SourceUploadUrl{SourceUploadUrl: src.link}
	} else {
		path = "source_archive_url"
		f.SourceCode = &firstpb.CloudFunction_SourceArchiveUrl{SourceArchiveUrl: "gs://" + src.bucket + "/" + src.object}
	}
	return f, append([]string{path}, o.paths(firstPaths)...), nil
}

// callFirst calls a function of the first generation as its API does, and prints
// what comes back.
func callFirst(ctx context.Context, env *Env, a *functionsAPI, id, data string) error {
	api, err := a.firstAPI(ctx)
	if err != nil {
		return err
	}
	answer, err := api.CallFunction(ctx, &firstpb.CallFunctionRequest{Name: a.name(id), Data: data})
	if err != nil {
		return err
	}
	if answer.GetError() != "" {
		err := sunya.Errorf(sunya.Unknown, id, "the function failed (execution %s): %s", answer.GetExecutionId(), answer.GetError())
		return &failure{err: err, try: "sunya functions logs read " + id}
	}
	if env.output().kind != "table" {
		return printOne(env, answer)
	}
	return write(env.Stdout, []byte(answer.GetResult()+"\n"))
}

// describeFirst shows everything about a function of the first generation.
func describeFirst(ctx context.Context, env *Env, a *functionsAPI, id string) error {
	api, err := a.firstAPI(ctx)
	if err != nil {
		return err
	}
	f, err := api.GetFunction(ctx, &firstpb.GetFunctionRequest{Name: a.name(id)})
	if err != nil {
		return err
	}
	return printOne(env, f)
}
