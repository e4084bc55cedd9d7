package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// deployment is one service on its way, step by step as gcloud does it.
type deployment struct {
	*buildWatch
	admin  *admin
	opts   deployOptions
	target target
	rules  func(dir, runtime string) (*ignore.Rules, error) // nil: ignore.Load

	app       *appenginepb.Application
	files     []ignore.File
	operation string // name, once there is one
}

// failureLines is how much of a log explains a failure.
const failureLines = 50

// run deploys and returns the new version; its VersionUrl is where the user
// finds it.
func (d *deployment) run(ctx context.Context) (*appenginepb.Version, error) {
	for _, w := range d.target.cfg.Warnings {
		d.env.warnf("%s: %s", d.target.yaml, w)
	}
	var err error
	if d.app, err = d.admin.application(ctx); err != nil {
		return nil, &failure{stage: stageValidating, err: err}
	}
	if err := d.progress.during(stageUploading, func() error { return d.upload(ctx) }); err != nil {
		return nil, d.explain(ctx, stageUploading, err)
	}
	if err := d.create(ctx); err != nil {
		stage := d.progress.settle(stateAfter(err))
		if d.operation == "" && ctx.Err() == nil {
			return nil, refused([]string{d.target.yaml}, err) // the server did not even begin
		}
		return nil, d.explain(ctx, stage, err)
	}
	d.progress.settle("done")
	if d.opts.promote {
		if err := d.progress.during(stageRouting, func() error { return d.promote(ctx) }); err != nil {
			return nil, d.explain(ctx, stageRouting, err)
		}
	}
	return d.result(ctx)
}

func (d *deployment) service() string { return d.target.cfg.Service }

// upload brings the files that the server does not have yet.
func (d *deployment) upload(ctx context.Context) error {
	load := d.rules
	if load == nil {
		load = ignore.Load
	}
	rules, err := load(d.target.dir, d.target.cfg.Runtime)
	if err != nil {
		return err
	}
	if d.files, err = rules.List(ctx, d.target.dir); err != nil {
		return err
	}
	if len(d.files) == 0 {
		return sunya.Errorf(sunya.InvalidArgument, d.target.dir, "there is nothing to deploy: the rules in %s leave no file", rules.Origin)
	}
	bucket := d.app.GetCodeBucket()
	if bucket == "" {
		return sunya.Errorf(sunya.FailedPrecondition, d.app.GetName(), "the application has no code bucket")
	}
	u, err := d.client.uploader(ctx, bucket)
	if err != nil {
		return err
	}
	sent, err := u.upload(ctx, d.files)
	if err != nil {
		return err
	}
	d.env.infof("%d files (by the rules of %s), %d of them new to the server", len(d.files), rules.Origin, sent)
	return nil
}

// create asks for the version and follows the work to its end.
func (d *deployment) create(ctx context.Context) error {
	op, err := d.admin.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{
		Parent:  d.admin.serviceName(d.service()),
		Version: versionOf(d.target.cfg, d.opts.version, d.app.GetCodeBucket(), d.files),
	})
	if err != nil {
		return err
	}
	d.operation = op.Name()
	return d.await(ctx)
}

// explain turns an error into one that says what to do.
func (d *deployment) explain(ctx context.Context, stage string, err error) error {
	f := &failure{stage: cmp.Or(d.failed, stage), err: err, anchor: anchorOf(stage)}
	var ended *operationFailed
	switch {
	case ctx.Err() != nil:
		if left := interrupted(ctx, d.operation, "sunya app versions list --service "+d.service()); left != nil {
			return left
		}
		return err
	case errors.As(err, &ended):
		d.buildWatch.explain(f, ended, fmt.Sprintf("sunya logs %s --version %s", d.service(), d.opts.version))
	case d.operation != "" && (codeOf(err) == sunya.DeadlineExceeded || codeOf(err) == sunya.Unavailable):
		f.err = fmt.Errorf("the server does not answer; operation %s may still go on: %w", d.operation, err)
		f.code, f.try, f.anchor = exitTimeout, "sunya status", "waiting"
	}
	return f
}

func anchorOf(stage string) string {
	return strings.ToLower(strings.ReplaceAll(stage, " ", "-"))
}

// result reads what became of the service, and says who serves.
func (d *deployment) result(ctx context.Context) (*appenginepb.Version, error) {
	v, err := d.admin.version(ctx, d.service(), d.opts.version)
	if err != nil {
		return nil, err
	}
	s, err := d.admin.service(ctx, d.service())
	if err != nil {
		return nil, err
	}
	host := serviceHost(d.app, d.service())
	if share(s, d.opts.version) == 0 {
		host = versionHost(d.app, d.service(), d.opts.version)
	}
	v.VersionUrl = d.client.appsURL(host)
	fmt.Fprintf(d.env.Stderr, "Service %s serves: %s\n", d.service(), strings.Join(serving(s), ", "))
	return v, nil
}
