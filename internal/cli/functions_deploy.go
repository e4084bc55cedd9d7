package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	firstpb "cloud.google.com/go/functions/apiv1/functionspb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

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
	o.register(cmd.Flags())
	return cmd
}

// functionDeploy deploys one function as gcloud does: link, upload, create or
// update, policy.
func functionDeploy(ctx context.Context, env *Env, id string, o functionOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	for _, text := range o.idle {
		env.warnf("%s", text)
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

	first     bool // of the first generation
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
	if d.first, err = d.opts.firstGeneration(d.id, old); err != nil {
		return nil, err
	}
	var src sourceRef
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
func (d *functionDeployment) ask(ctx context.Context, old *functionspb.Function, src sourceRef) error {
	begin := d.begin
	if d.first {
		begin = d.beginFirst
	}
	name, err := begin(ctx, old, src)
	if err != nil {
		return err
	}
	d.operation = name
	return d.follow(ctx, func(seen func(buildState)) error {
		_, err := waitFor(ctx, name, d.api.operation, func(op *longrunningpb.Operation) {
			seen(functionState(op))
		})
		return err
	})
}

// functionState is what an operation of either generation says about its build.
func functionState(op *longrunningpb.Operation) buildState {
	if op.GetMetadata() == nil {
		return buildState{}
	}
	meta, err := op.GetMetadata().UnmarshalNew()
	if err != nil {
		return buildState{} // another type has nothing to show
	}
	switch meta := meta.(type) {
	case *functionspb.OperationMetadata:
		return buildState{build: lastOf(meta.GetBuildName()), warnings: warningsOf(meta)}
	case *firstpb.OperationMetadataV1:
		return buildState{build: meta.GetBuildId()}
	}
	return buildState{}
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

func (d *functionDeployment) begin(ctx context.Context, old *functionspb.Function, src sourceRef) (operation string, err error) {
	f, paths, err := d.opts.function(d.api.client.project, old, src, d.env.Dir)
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
func (o *functionOptions) function(project string, old *functionspb.Function, src sourceRef, dir string) (*functionspb.Function, []string, error) {
	m, err := o.maps(old, dir)
	if err != nil {
		return nil, nil, err
	}
	b := &functionspb.BuildConfig{
		Runtime: o.runtime, EntryPoint: o.entryPoint, EnvironmentVariables: m.build,
		Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: &functionspb.StorageSource{Bucket: src.bucket, Object: src.object}}},
	}
	c := &functionspb.ServiceConfig{
		AvailableMemory: o.memory, AvailableCpu: o.cpu, ServiceAccountEmail: o.account, TimeoutSeconds: int32(o.timeout / time.Second),
		MaxInstanceRequestConcurrency: int32(o.concurrency), MinInstanceCount: int32(o.minInstances), MaxInstanceCount: int32(o.maxInstances),
		EnvironmentVariables: m.env, IngressSettings: functionspb.ServiceConfig_IngressSettings(ingressKinds[o.ingress]),
	}
	paths := append([]string{"build_config.source"}, o.paths(secondPaths)...)
	return &functionspb.Function{BuildConfig: b, ServiceConfig: c, Labels: m.labels, Environment: functionspb.Environment_GEN_2, EventTrigger: o.trigger.second(project)}, paths, nil
}

// sourceRef is where a source is: an object, and the link by which it got there.
type sourceRef struct {
	bucket, object string
	link           string // empty: the object was there before
}

// upload sends the source as an archive to a link that the server gives, unless
// it is in a bucket already.
func (d *functionDeployment) upload(ctx context.Context, old *functionspb.Function) (sourceRef, error) {
	if s, ok := functions.ArchiveSource(d.opts.source); ok {
		return sourceRef{bucket: s.Bucket, object: s.Object}, nil
	}
	runtime := d.opts.runtime
	if runtime == "" {
		runtime = old.GetBuildConfig().GetRuntime()
	}
	archive, err := packBy(ctx, d.env, d.opts.source, runtime, d.opts.ignoreFile)
	if err != nil {
		return sourceRef{}, err
	}
	link, err := d.api.GenerateUploadUrl(ctx, &functionspb.GenerateUploadUrlRequest{Parent: d.api.parent})
	if err != nil {
		return sourceRef{}, err
	}
	if err := put(ctx, d.client.http, link.GetUploadUrl(), archive); err != nil {
		return sourceRef{}, err
	}
	return sourceRef{link.GetStorageSource().GetBucket(), link.GetStorageSource().GetObject(), link.GetUploadUrl()}, nil
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
	if left := interrupted(ctx, d.operation, "sunya functions describe "+d.id); left != nil {
		return left
	}
	return d.failure(stage, err, "sunya functions logs read "+d.id)
}
