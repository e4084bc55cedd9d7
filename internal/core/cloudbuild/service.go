package cloudbuild

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Operations is where clients wait for a build.
type Operations interface {
	// Changed wakes those who wait for an operation.
	Changed(name string)
}

// Sources writes the files of a source into an empty directory.
type Sources interface {
	Materialise(ctx context.Context, src sunya.Source, dir string) error
}

// SourceBuilder builds without a Dockerfile.
type SourceBuilder interface {
	build.Builder
	// SourceSpec says how a source is built that nobody has described.
	SourceSpec(fsys fs.FS, env map[string]string) (sunya.BuildSpec, error)
}

// HostImages keeps images that stand on this machine's own runtimes.
type HostImages interface {
	// PutHost stores one under a reference and returns its digest.
	PutHost(ctx context.Context, project, reference string, r *build.Result) (digest string, err error)
}

// Objects is where logs are kept.
type Objects interface {
	Put(ctx context.Context, n objects.NewObject, r io.Reader, size int64) (*objects.Object, error)
}

// Journal is the log of one build, which users follow.
type Journal interface {
	io.WriteCloser
	// Stage says that a stage began ("start"), ended ("done") or "failed".
	Stage(name, state string, took time.Duration)
}

// Workspace gives a build its directory and takes it back.
type Workspace interface {
	Create(id string) (dir string, err error)
	Remove(dir string) error
}

// Parts is what a Service works with.
type Parts struct {
	Store        Store
	Operations   Operations
	Engine       plan.Engine
	Builder      SourceBuilder
	Images       HostImages
	Sources      Sources
	Objects      Objects
	EnsureBucket func(ctx context.Context, project, bucket string) error
	Workspace    Workspace
	Journal      func(project, id string) Journal
	Now          func() time.Time
	NewID        func() string
	Log          *slog.Logger
	Parallel     int // builds at once; 0: 2. With those of deployments at most sunya.BuildRanges
}

// Service keeps builds and carries them out. It is safe for concurrent use.
type Service struct {
	Parts
	kick chan struct{}

	mu      sync.Mutex
	running map[string]*place // by build
	slots   []bool            // in use; the nth builds in the nth uid range from the end
}

// place is where a build runs.
type place struct {
	slot   int
	cancel context.CancelCauseFunc
}

// New returns a Service; call Run to make it work.
func New(p Parts) *Service {
	if p.Parallel <= 0 {
		p.Parallel = 2
	}
	return &Service{Parts: p, kick: make(chan struct{}, 1), running: map[string]*place{}, slots: make([]bool, p.Parallel)}
}

// The times of a build (cloud.google.com/build/docs/build-config-file-schema).
const (
	DefaultTimeout = 60 * time.Minute
	maxTimeout     = 24 * time.Hour
	defaultQueue   = time.Hour
)

// Create checks a build as far as that can be done without its source, and
// stores it to be carried out.
func (s *Service) Create(ctx context.Context, b Build, own map[string]string, loose bool) (*Build, *sunya.Operation, error) {
	if err := s.complete(&b); err != nil {
		return nil, nil, err
	}
	if err := substitute(&b, own, loose); err != nil {
		return nil, nil, err
	}
	if b.Source != nil && (b.Source.Bucket == "" || b.Source.Object == "") {
		return nil, nil, sunya.Invalid("build.source.storage_source", "needs bucket and object")
	}
	if _, err := compile(&b); err != nil {
		return nil, nil, err
	}
	if bucket, _, _ := strings.Cut(b.LogsBucket, "/"); b.LogsBucket == b.Project+"_cloudbuild/logs" {
		if err := s.EnsureBucket(ctx, b.Project, bucket); err != nil {
			return nil, nil, err
		}
	}
	op := &sunya.Operation{
		Name: b.Operation, Method: "google.devtools.cloudbuild.v1.CloudBuild.CreateBuild", Target: b.Name(), BuildID: b.ID, CreateTime: b.CreateTime,
	}
	if err := s.Store.BeginBuild(ctx, &b, op); err != nil {
		return nil, nil, fmt.Errorf("store build: %w", err)
	}
	s.Kick()
	return &b, op, nil
}

// complete fills in what nobody has to say.
func (s *Service) complete(b *Build) error {
	if err := sunya.CheckProject(b.Project); err != nil {
		return err
	}
	if b.Location == "" {
		b.Location = Global
	}
	if b.Timeout < 0 || b.Timeout > maxTimeout {
		return sunya.Invalid("build.timeout", "%s is not between 1s and %s", b.Timeout, maxTimeout)
	}
	if b.Timeout == 0 {
		b.Timeout = DefaultTimeout
	}
	if b.QueueTTL <= 0 {
		b.QueueTTL = defaultQueue
	}
	b.ID, b.CreateTime, b.Status = s.NewID(), s.Now().UTC(), Queued
	b.Operation = sunya.LocationName(b.Project, b.Location) + "/operations/" + b.ID // gcloud run asks for it by the build's id
	b.LogsBucket = strings.TrimSuffix(strings.TrimPrefix(b.LogsBucket, "gs://"), "/")
	if b.LogsBucket == "" {
		b.LogsBucket = b.Project + "_cloudbuild/logs"
	}
	return nil
}

// Get returns a build; NotFound when the project has none of that id, or none
// in that location. An empty location is every one.
func (s *Service) Get(ctx context.Context, project, location, id string) (*Build, error) {
	b, err := s.Store.GetBuild(ctx, project, id)
	if err != nil {
		return nil, err
	}
	if location != "" && location != "-" && b.Location != location {
		return nil, sunya.Errorf(sunya.NotFound, Name(project, location, id), "there is no such build: it is in location %s", b.Location)
	}
	return b, nil
}

// List returns at most limit builds that a filter holds, the newest first, older
// than the one with the id after, and the id to continue after.
func (s *Service) List(ctx context.Context, project, location string, f *Filter, after string, limit int) (out []Build, next string, err error) {
	if location == "-" {
		location = ""
	}
	for {
		page, err := s.Store.ListBuilds(ctx, project, location, after, limit+1)
		if err != nil {
			return nil, "", fmt.Errorf("list builds: %w", err)
		}
		for i := range page {
			if len(out) == limit {
				return out, after, nil
			}
			after = page[i].ID
			if f.Holds(&page[i]) {
				out = append(out, page[i])
			}
		}
		if len(page) <= limit {
			return out, "", nil
		}
	}
}

// errCanceled is why a build that somebody cancelled ends.
var errCanceled = fmt.Errorf("the build was cancelled")

// Cancel ends a build at once. One that has ended is FailedPrecondition.
func (s *Service) Cancel(ctx context.Context, project, location, id string) (*Build, error) {
	if _, err := s.Get(ctx, project, location, id); err != nil {
		return nil, err
	}
	b, err := s.Store.UpdateBuild(ctx, project, id, func(b *Build) error {
		if b.Status.Done() {
			return sunya.Errorf(sunya.FailedPrecondition, b.Name(), "the build has ended already, with %s", b.Status)
		}
		b.Canceled = true
		if b.Status == Queued {
			s.end(b, Cancelled, errCanceled.Error(), "")
		}
		return nil
	}, endOperation)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	here := s.running[id]
	s.mu.Unlock()
	if here != nil {
		here.cancel(errCanceled)
	}
	s.Operations.Changed(b.Operation)
	return b, nil
}

// Retry makes a new build of the same steps and source.
func (s *Service) Retry(ctx context.Context, project, location, id string) (*Build, *sunya.Operation, error) {
	old, err := s.Get(ctx, project, location, id)
	if err != nil {
		return nil, nil, err
	}
	if !old.Status.Done() {
		return nil, nil, sunya.Errorf(sunya.FailedPrecondition, old.Name(), "the build has not ended yet: wait for it, or cancel it")
	}
	b := *old
	b.Detail, b.Failure, b.Results, b.StepImages, b.Canceled = "", "", nil, nil, false
	b.StartTime, b.FinishTime = time.Time{}, time.Time{}
	b.Steps = append([]Step(nil), old.Steps...)
	for i := range b.Steps {
		st := &b.Steps[i]
		st.Status, st.ExitCode, st.StartTime, st.FinishTime = "", 0, time.Time{}, time.Time{}
	}
	if err := s.complete(&b); err != nil {
		return nil, nil, err
	}
	op := &sunya.Operation{
		Name: b.Operation, Method: "google.devtools.cloudbuild.v1.CloudBuild.RetryBuild", Target: b.Name(), BuildID: b.ID, CreateTime: b.CreateTime,
	}
	if err := s.Store.BeginBuild(ctx, &b, op); err != nil {
		return nil, nil, fmt.Errorf("store build: %w", err)
	}
	s.Kick()
	return &b, op, nil
}

// end records how a build ended.
func (s *Service) end(b *Build, status Status, detail string, failure FailureType) {
	b.Status, b.Detail, b.Failure, b.FinishTime = status, detail, failure, s.Now().UTC()
	for i := range b.Steps {
		st := &b.Steps[i]
		if st.Status == Working {
			st.Status, st.FinishTime = status, b.FinishTime
		}
	}
}

// endOperation ends the operation of a build that has ended.
func endOperation(b *Build, op *sunya.Operation) {
	if !b.Status.Done() {
		return
	}
	op.Done, op.EndTime = true, b.FinishTime
	if b.Status != Success {
		op.Error = &sunya.OperationError{Code: codeOf(b.Status), Message: b.Detail, Reason: sunya.ReasonBuildFailed}
	}
}

func codeOf(status Status) sunya.Code {
	switch status {
	case Cancelled:
		return sunya.Canceled
	case Timeout, Expired:
		return sunya.DeadlineExceeded
	case InternalError:
		return sunya.Internal
	}
	return sunya.FailedPrecondition
}
