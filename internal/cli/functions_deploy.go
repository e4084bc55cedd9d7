package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// functionOptions are the flags of functions deploy.
type functionOptions struct {
	runtime, entryPoint, source             string
	memory, cpu, account                    string
	timeout                                 string
	concurrency, minInstances, maxInstances int
	setEnv, updateEnv, setBuildEnv, labels  map[string]string
	removeEnv                               []string
	clearEnv, triggerHTTP, gen2, open       bool
	ingress                                 string
	changed                                 func(flag string) bool
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
	f.StringVar(&o.source, "source", ".", "directory of the source")
	f.StringVar(&o.memory, "memory", "", "memory of an instance, such as 256Mi (the default) or 1Gi")
	f.StringVar(&o.cpu, "cpu", "", "CPUs of an instance, such as 1 or 0.5 (default: by memory)")
	f.StringVar(&o.timeout, "timeout", "", "longest time of a request, such as 60s (the default)")
	f.IntVar(&o.concurrency, "concurrency", 0, "requests that one instance takes at once (default 1)")
	f.IntVar(&o.minInstances, "min-instances", 0, "instances that are kept ready")
	f.IntVar(&o.maxInstances, "max-instances", 0, "most instances (default 100)")
	f.StringToStringVar(&o.setEnv, "set-env-vars", nil, "all environment variables: NAME=VALUE,…")
	f.StringToStringVar(&o.updateEnv, "update-env-vars", nil, "environment variables to add or change: NAME=VALUE,…")
	f.StringSliceVar(&o.removeEnv, "remove-env-vars", nil, "environment variables to remove: NAME,…")
	boolFlag(f, &o.clearEnv, "clear-env-vars", false, "remove all environment variables")
	f.StringToStringVar(&o.setBuildEnv, "set-build-env-vars", nil, "variables of the build: NAME=VALUE,…")
	f.StringToStringVar(&o.labels, "update-labels", nil, "labels: NAME=VALUE,…")
	f.StringVar(&o.account, "service-account", "", "whose tokens the function gets (default: the project's compute account)")
	f.StringVar(&o.ingress, "ingress-settings", "all", "who reaches it: all")
	boolFlag(f, &o.open, "allow-unauthenticated", false, "let everybody call it")
	boolFlag(f, &o.triggerHTTP, "trigger-http", true, "called by HTTP requests; other triggers come with events")
	boolFlag(f, &o.gen2, "gen2", true, "second generation; there is no other here yet")
	for _, rare := range []string{"gen2", "no-gen2", "trigger-http", "no-trigger-http", "ingress-settings", "remove-env-vars", "clear-env-vars", "no-clear-env-vars", "update-labels"} {
		_ = f.MarkHidden(rare) // docs/functions.md has all; the name is one of those above
	}
	return cmd
}

// check looks at what can be said without the server.
func (o *functionOptions) check() error {
	switch {
	case !o.gen2:
		return usagef("--no-gen2: functions of the first generation are not supported yet")
	case !o.triggerHTTP:
		return usagef("--no-trigger-http: other triggers are not supported yet")
	case o.ingress != "all":
		return usagef("--ingress-settings: %q is not supported yet: use all", o.ingress)
	case o.clearEnv && o.setEnv != nil, o.setEnv != nil && (o.updateEnv != nil || o.removeEnv != nil):
		return usagef("--set-env-vars replaces all variables: it cannot stand beside --update-env-vars, --remove-env-vars and --clear-env-vars")
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
	f, paths, err := d.opts.function(old, src)
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
func (o *functionOptions) function(old *functionspb.Function, src *functionspb.StorageSource) (*functionspb.Function, []string, error) {
	b := &functionspb.BuildConfig{
		Runtime: o.runtime, EntryPoint: o.entryPoint, EnvironmentVariables: o.setBuildEnv,
		Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: src}},
	}
	c := &functionspb.ServiceConfig{
		AvailableMemory: o.memory, AvailableCpu: o.cpu, ServiceAccountEmail: o.account,
		MaxInstanceRequestConcurrency: int32(o.concurrency), MinInstanceCount: int32(o.minInstances), MaxInstanceCount: int32(o.maxInstances),
		EnvironmentVariables: o.env(old.GetServiceConfig().GetEnvironmentVariables()),
	}
	if o.timeout != "" {
		d, err := time.ParseDuration(o.timeout)
		if secs, isNumber := wholeNumber(o.timeout); err != nil && isNumber {
			d, err = time.Duration(secs)*time.Second, nil
		}
		if err != nil || d < time.Second {
			return nil, nil, usagef("--timeout: %q is not allowed: use seconds, such as 60s", o.timeout)
		}
		c.TimeoutSeconds = int32(d / time.Second)
	}
	paths := []string{"build_config.source"}
	for _, f := range []struct{ flag, path string }{
		{"runtime", "build_config.runtime"}, {"entry-point", "build_config.entry_point"}, {"set-build-env-vars", "build_config.environment_variables"},
		{"memory", "service_config.available_memory"}, {"cpu", "service_config.available_cpu"}, {"timeout", "service_config.timeout_seconds"},
		{"concurrency", "service_config.max_instance_request_concurrency"}, {"min-instances", "service_config.min_instance_count"},
		{"max-instances", "service_config.max_instance_count"}, {"service-account", "service_config.service_account_email"},
		{"set-env-vars", "service_config.environment_variables"}, {"update-env-vars", "service_config.environment_variables"},
		{"remove-env-vars", "service_config.environment_variables"}, {"clear-env-vars", "service_config.environment_variables"},
		{"update-labels", "labels"},
	} {
		if o.changed(f.flag) && !slices.Contains(paths, f.path) {
			paths = append(paths, f.path)
		}
	}
	labels := maps.Clone(old.GetLabels())
	if labels == nil && o.labels != nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, o.labels)
	return &functionspb.Function{BuildConfig: b, ServiceConfig: c, Labels: labels, Environment: functionspb.Environment_GEN_2}, paths, nil
}

// env is the environment after the flags.
func (o *functionOptions) env(now map[string]string) map[string]string {
	if o.setEnv != nil {
		return o.setEnv
	}
	out := map[string]string{}
	if !o.clearEnv {
		maps.Copy(out, now)
	}
	maps.Copy(out, o.updateEnv)
	for _, name := range o.removeEnv {
		delete(out, name)
	}
	return out
}

// upload sends the source as an archive to a link that the server gives.
func (d *functionDeployment) upload(ctx context.Context, old *functionspb.Function) (*functionspb.StorageSource, error) {
	dir := d.opts.source
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(d.env.Dir, dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, usagef("--source: there is no directory %s", d.opts.source)
	}
	runtime := d.opts.runtime
	if runtime == "" {
		runtime = old.GetBuildConfig().GetRuntime()
	}
	rules, err := ignore.Load(dir, runtime)
	if err != nil {
		return nil, err
	}
	files, err := rules.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, sunya.Errorf(sunya.InvalidArgument, d.opts.source, "there is nothing to deploy: the rules in %s leave no file", rules.Origin)
	}
	archive, err := zipFiles(files)
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
	d.env.infof("%d files (by the rules of %s), %v", len(files), rules.Origin, sunya.Bytes(len(archive)))
	return link.GetStorageSource(), nil
}

func zipFiles(files []ignore.File) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, f := range files {
		if err := zipFile(w, f); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func zipFile(w *zip.Writer, f ignore.File) error {
	in, err := os.Open(f.Local)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: f.Path, Method: zip.Deflate}
	h.SetMode(info.Mode().Perm())
	out, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
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
