package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/build/source"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/operations"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/core/schema"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
)

// products is what users deploy to: storage for their source, operations,
// builds, deployments, App Engine.
type products struct {
	objects    *objects.Service
	operations *operations.Service
	builder    *build.Runner
	runner     *deploy.Runner
	appengine  *appengine.Admin
	functions  *functions.Admin
	run        *run.Admin
	registry   *registry.Service
	builds     *cloudbuild.Service
	images     *images.Service
	jobs       *jobs.Admin
	tasks      *jobs.Runner
	pubsub     *pubsub.Broker
	eventing   *eventing.Service
	schemas    *schema.Registry
}

// maxObjects is how much may be uploaded, in one object or in many.
const maxObjects = 64 << 30

// rowBytes is up to which size objects are rows of state.db: of a few pages, which
// cost less than a file and its syncs.
const rowBytes = 8 << 10

// objectOptions bounds objects. In a bucket of S3 are all their bytes.
func objectOptions(cfg Config) objects.Options {
	o := objects.Options{MaxObjectBytes: maxObjects, MaxTotalBytes: maxObjects, Inherit: storagev1.Inherit}
	if cfg.Blobs == "" {
		o.RowBytes = rowBytes
	}
	return o
}

func newProducts(cfg Config, url func(label string) string, m *machine, st *storage, s *serve, log *slog.Logger) (*products, error) {
	p := &products{
		objects:    objects.New(st.state, st.blobs, time.Now, log, objectOptions(cfg)),
		operations: operations.New(st.state),
		registry:   registry.New(st.state, st.images, time.Now, log),
	}
	var err error
	if err := p.openImages(cfg, m, st, log); err != nil {
		return nil, err
	}
	p.builder, err = build.New(build.Options{
		Engine:   m.engine,
		Layers:   st.layers,
		Machine:  m.host.Machine(),
		CacheDir: m.dir.Join("cache"),
		Now:      time.Now,
		Log:      log,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare builds: %w", err)
	}
	ids := new(sunya.DeploymentIDs)
	p.appengine = appengine.New(appengine.Parts{
		Store:        st.state,
		Catalog:      s.catalog,
		Operations:   p.operations,
		Objects:      liveObjects{p.objects},
		Runtimes:     runtimes{p.builder},
		CheckPath:    source.CheckPath,
		EnsureBucket: p.ensureBucket,
		EndInstance: func(ctx context.Context, revision, id string) error {
			return s.activator.End(ctx, revision, id, "deleted by hand")
		},
		Kick:          func() { p.runner.Kick() },
		DeploymentIDs: ids,
		Domain:        cfg.Domain,
		URL:           url,
		SourceHosts:   []string{"localhost", "127.0.0.1", "api." + cfg.Domain},
		Location:      "local",
		Now:           time.Now,
		NewID:         uuid.NewString,
	})
	p.functions = functions.New(functions.Parts{
		Store:      st.state,
		Catalog:    s.catalog,
		Operations: p.operations,
		Objects:    liveObjects{p.objects},
		Triggers:   triggers{p},
		CheckRuntime: func(runtime string) error {
			return p.builder.Check(sunya.BuildSpec{Runtime: runtime, Function: &sunya.FunctionSpec{}})
		},
		Kick:          func() { p.runner.Kick() },
		DeploymentIDs: ids,
		Now:           time.Now,
		NewID:         uuid.NewString,
	})
	p.run = run.New(run.Parts{
		Store:         st.state,
		Catalog:       s.catalog,
		Kick:          func() { p.runner.Kick() },
		Supersede:     func(ctx context.Context, id string) error { return p.runner.Supersede(ctx, id) },
		DeploymentIDs: ids,
		Now:           time.Now,
		NewID:         uuid.NewString,
	})
	p.runner = deploy.New(deploy.Parts{
		Store:      st.state,
		Operations: p.operations,
		Catalog:    s.catalog,
		Builder:    p.builder,
		Images:     p.images,
		Sources:    source.New(sourceObjects{p.objects}, source.Limits{}),
		Workspace:  m.dir,
		Layers:     st.layers,
		Prover:     s.activator,
		Journal: func(d *sunya.Deployment) deploy.Journal {
			return s.journal("deployment", d.Revision.Project, d.ID)
		},
		Products: map[sunya.Product]deploy.Hooks{sunya.AppEngine: p.appengine, sunya.CloudRun: p.run, sunya.CloudFunctions: p.functions},
		Now:      time.Now,
		Log:      log,
	})
	p.addJobs(m, st, s, log)
	return p, nil
}

// ensureBucket makes a bucket of an application exist.
func (p *products) ensureBucket(ctx context.Context, project, bucket string) error {
	_, err := p.objects.EnsureBucket(ctx, objects.Bucket{Name: bucket, Project: project, Location: "LOCAL"})
	return err
}

// liveObjects finds the live generation of an object.
type liveObjects struct{ *objects.Service }

// GetObject implements appengine.Objects.
func (o liveObjects) GetObject(ctx context.Context, bucket, name string) (*objects.Object, error) {
	return o.Get(ctx, bucket, name, 0, objects.Conditions{})
}

// sourceObjects reads the files of a source.
type sourceObjects struct{ *objects.Service }

// Open implements source.Objects.
func (o sourceObjects) Open(ctx context.Context, bucket, name string) (io.ReadSeekCloser, error) {
	_, body, err := o.Read(ctx, bucket, name, 0, objects.Conditions{})
	return body, err
}

// runtimes tells App Engine what can be built here.
type runtimes struct {
	builder *build.Runner
}

// Resolve implements appengine.Runtimes. What will really be used is decided,
// and said, by the build.
func (r runtimes) Resolve(runtime string) (note string, err error) {
	return "", r.builder.Check(sunya.BuildSpec{Runtime: runtime})
}

// Names implements appengine.Runtimes.
func (r runtimes) Names() []string {
	return r.builder.Runtimes()
}
