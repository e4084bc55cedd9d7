package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
)

// functionOptions are the flags of functions deploy.
type functionOptions struct {
	machineFlags
	servingFlags
	runtime, entryPoint, source string
	buildEnv                    mapFlags
	triggerHTTP, gen2, open     bool
	ingress, signature          string
	changed                     func(flag string) bool
}

func newFunctionsDeployCommand(env *Env) *cobra.Command {
	o := functionOptions{gen2: true}
	cmd := &cobra.Command{
		Use:     "deploy NAME",
		Short:   "Deploy one function of a source and give it a URL.",
		Args:    args(1, 1, "the name of the function"),
		Example: "sunya functions deploy hello --runtime python311 --entry-point hello_http --allow-unauthenticated\nsunya functions deploy hello --update-env-vars COLOUR=blue --memory 512Mi",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.changed = cmd.Flags().Changed
			return functionDeploy(cmd.Context(), env, args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.runtime, "runtime", "", "runtime id, such as python311 (needed for a new function)")
	f.StringVar(&o.entryPoint, "entry-point", "", "name of the function in the source (default: NAME)")
	f.StringVar(&o.signature, "signature-type", "", "how it is called, where its source does not say: http, event, cloudevent, typed")
	f.StringVar(&o.source, "source", ".", "directory of the source")
	registerMachine(f, "256Mi (the default) or 1Gi", "1 or 0.5 (default: by memory)", func() *machineFlags { return &o.machineFlags })
	o.servingFlags.register(f, "60s (the default)", "(default 1)")
	build := func() *mapFlags { return &o.buildEnv }
	registerMap(f, "build-env-vars", "variables of the build", build)
	registerMapFile(f, "build-env-vars", "variables of the build", build)
	f.StringVar(&o.ingress, "ingress-settings", "all", "who reaches it: all")
	accessFlag(f, &o.open)
	boolFlag(f, &o.triggerHTTP, "trigger-http", true, "called by HTTP requests; other triggers come with events")
	boolFlag(f, &o.gen2, "gen2", true, "second generation; there is no other here yet")
	hide(f, "gen2", "no-gen2", "trigger-http", "no-trigger-http", "ingress-settings", "set-build-env-vars", "update-build-env-vars") // docs/functions.md has all
	return cmd
}

// functionSignatures are the ways in which functions frameworks call a function.
var functionSignatures = []string{"http", "event", "cloudevent", "typed"}

// signatureVar is the build variable that says the signature.
const signatureVar = "GOOGLE_FUNCTION_SIGNATURE_TYPE"

// check looks at what can be said without the server.
func (o *functionOptions) check() error {
	switch {
	case !o.gen2:
		return usagef("--no-gen2: functions of the first generation are not supported yet")
	case !o.triggerHTTP:
		return usagef("--no-trigger-http: other triggers are not supported yet")
	case o.ingress != "all":
		return usagef("--ingress-settings: %q is not supported yet: use all", o.ingress)
	case o.signature != "" && !slices.Contains(functionSignatures, o.signature):
		return usagef("--signature-type: %q is not known: use %s", o.signature, strings.Join(functionSignatures, ", "))
	}
	for _, m := range []*mapFlags{&o.labels, &o.env, &o.buildEnv} {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

// functionDeploy deploys one function as gcloud does: link, upload, create or
// update, policy.
func functionDeploy(ctx context.Context, env *Env, id string, o functionOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	return withFunctions(ctx, env, func(a *functionsAPI) error {
		p := newProgress(env)
		defer p.close()
		d := &functionDeployment{buildWatch: &buildWatch{env: env, client: a.client, progress: p}, api: a, id: id, opts: o}
		f, err := d.run(ctx)
		if err != nil {
			return err
		}
		if env.output().kind != "table" {
			return printOne(env, f)
		}
		return write(env.Stdout, []byte(a.uri(f)+"\n"))
	})
}

// functionDeployment is one function on its way.
type functionDeployment struct {
	*buildWatch
	api  *functionsAPI
	id   string
	opts functionOptions

	operation string
}

func (d *functionDeployment) run(ctx context.Context) (*functionspb.Function, error) {
	old, err := d.api.function(ctx, d.id)
	if err != nil && codeOf(err) != sunya.NotFound {
		return nil, &failure{stage: stageValidating, err: err}
	}
	if old == nil && d.opts.runtime == "" {
		return nil, usagef("--runtime is missing: name one such as python311")
	}
	var src *functionspb.StorageSource
	if err := d.progress.during(stageUploading, func() (err error) { src, err = d.upload(ctx, old); return err }); err != nil {
		return nil, &failure{stage: stageUploading, err: err}
	}
	if err := d.ask(ctx, old, src); err != nil {
		return nil, d.fail(ctx, d.progress.settle(stateAfter(err)), err)
	}
	d.progress.settle("done")
	if err := d.access(ctx, old); err != nil {
		return nil, &failure{stage: stageAccess, err: err}
	}
	return d.api.function(ctx, d.id)
}

// ask creates or updates the function, and follows the work to its end.
func (d *functionDeployment) ask(ctx context.Context, old *functionspb.Function, src *functionspb.StorageSource) error {
	name, err := d.begin(ctx, old, src)
	if err != nil {
		return err
	}
	d.operation = name
	return d.follow(ctx, func(seen func(buildState)) error {
		_, err := waitFor(ctx, name, d.api.operation, func(op *longrunningpb.Operation) {
			meta := &functionspb.OperationMetadata{}
			if op.GetMetadata() != nil {
				_ = op.GetMetadata().UnmarshalTo(meta) // another type has nothing to show
			}
			seen(buildState{build: lastOf(meta.GetBuildName()), warnings: warningsOf(meta)})
		})
		return err
	})
}

func warningsOf(meta *functionspb.OperationMetadata) []string {
	var out []string
	for _, s := range meta.GetStages() {
		for _, m := range s.GetStateMessages() {
			out = append(out, m.GetMessage())
		}
	}
	return out
}

func (d *functionDeployment) begin(ctx context.Context, old *functionspb.Function, src *functionspb.StorageSource) (operation string, err error) {
	f, paths, err := d.opts.function(old, src, d.env.Dir)
	if err != nil {
		return "", err
	}
	if old == nil {
		op, err := d.api.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: d.api.parent, FunctionId: d.id, Function: f})
		if err != nil {
			return "", err
		}
		return op.Name(), nil
	}
	f.Name = d.api.name(d.id)
	op, err := d.api.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return "", err
	}
	return op.Name(), nil
}

// function is what the flags ask for, and the paths of what they change.
func (o *functionOptions) function(old *functionspb.Function, src *functionspb.StorageSource, dir string) (*functionspb.Function, []string, error) {
	env, err := o.env.apply(old.GetServiceConfig().GetEnvironmentVariables(), dir)
	if err != nil {
		return nil, nil, err
	}
	labels, err := o.labels.apply(old.GetLabels(), dir)
	if err != nil {
		return nil, nil, err
	}
	buildEnv, err := o.buildEnv.apply(old.GetBuildConfig().GetEnvironmentVariables(), dir)
	if err != nil {
		return nil, nil, err
	}
	if o.signature != "" {
		buildEnv = added(buildEnv, map[string]string{signatureVar: o.signature})
	}
	b := &functionspb.BuildConfig{
		Runtime: o.runtime, EntryPoint: o.entryPoint, EnvironmentVariables: buildEnv,
		Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: src}},
	}
	c := &functionspb.ServiceConfig{
		AvailableMemory: o.memory, AvailableCpu: o.cpu, ServiceAccountEmail: o.account, TimeoutSeconds: int32(o.timeout / time.Second),
		MaxInstanceRequestConcurrency: int32(o.concurrency), MinInstanceCount: int32(o.minInstances), MaxInstanceCount: int32(o.maxInstances),
		EnvironmentVariables: env,
	}
	paths := []string{"build_config.source"}
	for _, f := range []struct{ flag, path string }{
		{"runtime", "build_config.runtime"}, {"entry-point", "build_config.entry_point"},
		{"memory", "service_config.available_memory"}, {"cpu", "service_config.available_cpu"}, {"timeout", "service_config.timeout_seconds"},
		{"concurrency", "service_config.max_instance_request_concurrency"}, {"min-instances", "service_config.min_instance_count"},
		{"max-instances", "service_config.max_instance_count"}, {"service-account", "service_config.service_account_email"},
	} {
		if o.changed(f.flag) {
			paths = append(paths, f.path)
		}
	}
	if o.env.given() {
		paths = append(paths, "service_config.environment_variables")
	}
	if o.buildEnv.given() || o.signature != "" {
		paths = append(paths, "build_config.environment_variables")
	}
	if o.labels.given() {
		paths = append(paths, "labels")
	}
	return &functionspb.Function{BuildConfig: b, ServiceConfig: c, Labels: labels, Environment: functionspb.Environment_GEN_2}, paths, nil
}

// upload sends the source as an archive to a link that the server gives.
func (d *functionDeployment) upload(ctx context.Context, old *functionspb.Function) (*functionspb.StorageSource, error) {
	runtime := d.opts.runtime
	if runtime == "" {
		runtime = old.GetBuildConfig().GetRuntime()
	}
	archive, err := pack(ctx, d.env, d.opts.source, runtime)
	if err != nil {
		return nil, err
	}
	link, err := d.api.GenerateUploadUrl(ctx, &functionspb.GenerateUploadUrlRequest{Parent: d.api.parent})
	if err != nil {
		return nil, err
	}
	if err := put(ctx, d.client.http, link.GetUploadUrl(), archive); err != nil {
		return nil, err
	}
	return link.GetStorageSource(), nil
}

// put sends an archive to a link.
func put(ctx context.Context, client *http.Client, link string, archive []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, link, bytes.NewReader(archive))
	if err != nil {
		return fmt.Errorf("upload source: %w", err)
	}
	req.Header.Set("Content-Type", "application/zip")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("upload source: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status says enough
	return sunya.Errorf(sunya.CodeOfHTTP(resp.StatusCode), "", "upload source: %s: %s", resp.Status, bytes.TrimSpace(text))
}

const allUsers = "allUsers"

// access sets who may call the function, where a flag says so. A new one that
// nobody was let into is said to be private.
func (d *functionDeployment) access(ctx context.Context, old *functionspb.Function) error {
	if !d.opts.changed("allow-unauthenticated") && !d.opts.changed("no-allow-unauthenticated") {
		if old == nil {
			d.env.infof("The function is private: only callers with an identity token reach it. --allow-unauthenticated opens it.")
		}
		return nil
	}
	return d.progress.during(stageAccess, func() error {
		iam := iampb.NewIAMPolicyClient(d.client.conn)
		policy, err := iam.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: d.api.name(d.id)})
		if err != nil {
			return err
		}
		var members []string
		for _, b := range policy.GetBindings() {
			members = append(members, b.GetMembers()...)
		}
		members = slices.DeleteFunc(members, func(m string) bool { return m == allUsers })
		if d.opts.open {
			members = append(members, allUsers)
		}
		policy.Bindings = []*iampb.Binding{{Role: "roles/run.invoker", Members: members}}
		_, err = iam.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: d.api.name(d.id), Policy: policy})
		return err
	})
}

// fail turns an error into one that says what to do.
func (d *functionDeployment) fail(ctx context.Context, stage string, err error) error {
	var ended *operationFailed
	var sig Signal
	f := &failure{stage: stage, err: err, anchor: anchorOf(stage)}
	switch {
	case ctx.Err() != nil && errors.As(context.Cause(ctx), &sig):
		if d.operation == "" {
			return sig
		}
		return &failure{
			err:    fmt.Errorf("%w; the deploy continues on the server as operation %s", sig, d.operation),
			try:    "sunya functions describe " + d.id,
			anchor: "interrupted",
			code:   exitSignalOffset + sig.Number,
		}
	case errors.As(err, &ended):
		if d.failed != "" {
			f.stage, f.anchor = d.failed, anchorOf(d.failed)
		}
		d.explain(f, ended, "sunya functions logs read "+d.id)
	}
	return f
}
