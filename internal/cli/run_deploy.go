package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
)

// runDeployOptions are the flags of run deploy.
type runDeployOptions struct {
	runOptions
	sourceFlags
	open bool
}

func newRunDeployCommand(env *Env) *cobra.Command {
	var o runDeployOptions
	cmd := &cobra.Command{
		Use:     "deploy NAME",
		Short:   "Deploy an image, or a source, as a service and give it a URL.",
		Args:    args(1, 1, "the name of the service"),
		Example: "sunya run deploy hello --image gcr.io/sunya/hello --allow-unauthenticated\nsunya run deploy hello --source .",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.given = cmd.Flags().Changed
			return runDeploy(cmd.Context(), env, args[0], o)
		},
	}
	f := cmd.Flags()
	o.runOptions.register(f)
	o.sourceFlags.register(f, &o.containers)
	accessFlag(f, &o.open)
	return cmd
}

// runDeploy deploys a service as gcloud does: build, create or update, policy.
func runDeploy(ctx context.Context, env *Env, id string, o runDeployOptions) error {
	if !slices.ContainsFunc(o.containers.all, func(c *containerFlags) bool { return c.image != "" || c.source != "" }) {
		return usagef("--image is missing: name an image, or a directory with --source")
	}
	return withRun(ctx, env, func(a *runAPI) error {
		d := &runDeployment{buildWatch: &buildWatch{env: env, client: a.client, progress: newProgress(env)}, api: a, id: id, opts: o.runOptions}
		defer d.progress.close()
		old, err := a.existing(ctx, id)
		if err != nil {
			return &failure{stage: stageValidating, err: err}
		}
		if old == nil && o.noTraffic {
			return usagef("--no-traffic: the first revision of a service gets the traffic")
		}
		open, err := o.access(env, id, old)
		if err != nil {
			return err
		}
		if err := d.build(ctx, &o.sourceFlags); err != nil {
			return err
		}
		return d.finish(ctx, old, open)
	})
}

// runDeployment is one service on its way.
type runDeployment struct {
	*buildWatch
	api  *runAPI
	id   string
	opts runOptions

	operation string
}

// finish deploys and says what became of it.
func (d *runDeployment) finish(ctx context.Context, old *runpb.Service, open *bool) error {
	if err := d.deploy(ctx, old); err != nil {
		return d.fail(ctx, d.progress.settle(stateAfter(err)), err)
	}
	if d.opts.async {
		d.progress.settle("going on")
		fmt.Fprintf(d.env.Stderr, "Service [%s] is being deployed: sunya run services describe %s\n", d.id, d.id)
		return write(d.env.Stdout, []byte(d.operation+"\n"))
	}
	d.progress.settle("done")
	if open != nil {
		err := d.progress.during(stageAccess, func() error { return d.api.setOpen(ctx, d.id, *open) })
		if err != nil {
			return &failure{stage: stageAccess, err: err}
		}
	}
	s, err := d.api.service(ctx, d.id)
	if err != nil {
		return err
	}
	return d.report(s)
}

// deploy creates or updates the service, and follows the work to its end.
func (d *runDeployment) deploy(ctx context.Context, old *runpb.Service) error {
	d.opts.nameForTag(old)
	want, paths, err := d.opts.service(d.env, d.id, old)
	if err != nil {
		return err
	}
	if slices.Contains(paths, "template") {
		another(want.GetTemplate())
	}
	if d.operation, err = d.begin(ctx, old == nil, want, paths); err != nil || d.opts.async {
		return err
	}
	return d.follow(ctx, func(seen func(buildState)) error {
		_, err := waitFor(ctx, d.operation, d.api.operation, func(*longrunningpb.Operation) {
			seen(buildState{build: lastOf(d.operation)})
		})
		return err
	})
}

// nonceLabel is the label of a template by which gcloud tells one deployment from
// another.
const nonceLabel = "client.knative.dev/nonce"

// another makes a template differ from every other, so that there will be a new
// revision also where nothing but the image behind a tag has changed.
func another(t *runpb.RevisionTemplate) {
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	t.Labels[nonceLabel] = strings.ToLower(rand.Text()[:10])
}

func (d *runDeployment) begin(ctx context.Context, create bool, want *runpb.Service, paths []string) (operation string, err error) {
	if create {
		op, err := d.api.services.CreateService(ctx, &runpb.CreateServiceRequest{Parent: d.api.parent, ServiceId: d.id, Service: want})
		if err != nil {
			return "", err
		}
		return op.Name(), nil
	}
	op, err := d.api.services.UpdateService(ctx, &runpb.UpdateServiceRequest{Service: want, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return "", err
	}
	return op.Name(), nil
}

// report says which revision has how much of the traffic, and prints the URL.
func (d *runDeployment) report(s *runpb.Service) error {
	revision, share, url := lastOf(s.GetLatestCreatedRevision()), 0, s.GetUri()
	for _, t := range s.GetTrafficStatuses() {
		if t.GetRevision() == revision || t.GetRevision() == "" {
			share += int(t.GetPercent())
		}
		if d.opts.tag != "" && t.GetTag() == d.opts.tag && d.opts.noTraffic {
			url = t.GetUri()
		}
	}
	for _, c := range s.GetConditions() {
		if c.GetSeverity() == runpb.Condition_WARNING {
			d.warn(strings.Split(c.GetMessage(), "; "))
		}
	}
	fmt.Fprintf(d.env.Stderr, "Service [%s] revision [%s] has been deployed and is serving %d percent of traffic.\n", d.id, revision, share)
	if d.env.output().kind != "table" {
		return printOne(d.env, s)
	}
	return write(d.env.Stdout, []byte(url+"\n"))
}

// fail turns an error into one that says what to do.
func (d *runDeployment) fail(ctx context.Context, stage string, err error) error {
	if left := interrupted(ctx, d.operation, "sunya run services describe "+d.id); left != nil {
		return left
	}
	f := d.failure(stage, err, "sunya run services logs read "+d.id)
	var ended *operationFailed
	if !errors.As(err, &ended) && codeOf(err) == sunya.InvalidArgument && d.operation == "" {
		f.stage = stageValidating // the server did not even begin
	}
	return f
}
