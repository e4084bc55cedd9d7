package cloudbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Kick says that a build was stored. It never blocks.
func (s *Service) Kick() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// rescan is how soon builds are looked for again after the store could not be
// read.
const rescan = 5 * time.Second

// Run carries builds out, the oldest first. A build that a killed server had
// begun begins again: its steps push nothing before they have succeeded, and
// what was pushed is pushed again.
func (s *Service) Run(ctx context.Context) error {
	var builds sync.WaitGroup
	defer builds.Wait()
	for {
		retry := s.startQueued(ctx, &builds)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.kick:
		case <-retry:
		}
	}
}

// startQueued starts builds as far as there is room. The channel fires when it
// should be called again by itself.
func (s *Service) startQueued(ctx context.Context, builds *sync.WaitGroup) <-chan time.Time {
	queued, err := s.Store.UnfinishedBuilds(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Error("read queued builds", "err", err)
		}
		return time.After(rescan)
	}
	for i := range queued {
		b := &queued[i]
		buildCtx, slot, ok := s.claim(ctx, b.ID)
		if !ok {
			continue
		}
		builds.Go(func() {
			defer s.Kick()
			defer s.release(b.ID)
			s.carryOut(buildCtx, b, slot)
		})
	}
	return nil
}

// claim takes a place for a build that does not run yet.
func (s *Service) claim(ctx context.Context, id string) (_ context.Context, slot int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot = slices.Index(s.slots, false)
	if s.running[id] != nil || slot < 0 {
		return nil, 0, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.slots[slot], s.running[id] = true, &place{slot: slot, cancel: cancel}
	return ctx, slot, true
}

func (s *Service) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	here := s.running[id]
	here.cancel(nil)
	s.slots[here.slot] = false
	delete(s.running, id)
}

// carryOut runs one build to its end and records it.
func (s *Service) carryOut(ctx context.Context, b *Build, slot int) {
	log := s.Log.With("build", b.ID, "project", b.Project)
	r := &run{Service: s, b: b, slot: slot, out: s.newOutput(ctx, b)}
	r.out.start()
	begin := s.Now()
	r.out.journal.Stage(stage, logs.StageStart, 0)
	err := r.run(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCanceled) {
		r.out.close("", func() {})
		log.Info("build interrupted, begins again at the next start")
		return
	}
	status, detail, failure := verdict(ctx, err)
	done, storeErr := s.Store.UpdateBuild(context.WithoutCancel(ctx), b.Project, b.ID, func(b *Build) error {
		s.end(b, status, detail, failure)
		b.Results = r.results
		b.StepImages = r.stepImages
		return nil
	}, endOperation)
	state := logs.StageDone
	if status != Success {
		state = logs.StageFailed
	}
	r.out.close(lastLine(status, detail), func() { r.out.journal.Stage(stage, state, s.Now().Sub(begin)) })
	if storeErr != nil {
		log.Error("record the end of a build", "err", storeErr)
		return
	}
	if status == InternalError {
		log.Error("build failed", "err", err)
	} else {
		log.Info("build ended", "status", string(status), "took", done.FinishTime.Sub(done.StartTime))
	}
	s.Operations.Changed(done.Operation)
}

// stage is what a build is to those who follow it.
const stage = "Building"

// lastLine is what a log ends with.
func lastLine(status Status, detail string) string {
	if status == Success {
		return "DONE"
	}
	return "ERROR: " + detail
}

// verdict says how a build ended, in the words of the API.
func verdict(ctx context.Context, err error) (Status, string, FailureType) {
	var failed *plan.Failure
	var own *build.Error
	var bad *sunya.Error
	switch {
	case err == nil:
		return Success, "", ""
	case errors.Is(context.Cause(ctx), errCanceled), errors.Is(err, errCanceled):
		return Cancelled, errCanceled.Error(), ""
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return Timeout, err.Error(), ""
	case errors.Is(err, errExpired):
		return Expired, errExpired.Error(), ""
	case errors.As(err, &failed) && failed.Kind == plan.KindTimeout:
		return Timeout, failed.Message, ""
	case errors.As(err, &failed):
		return Failure, failed.Message, UserStep
	case errors.As(err, &own):
		return Failure, own.Error(), UserStep
	case errors.As(err, &bad) && isUsers(bad.Code):
		return Failure, bad.Public(), FetchSource
	}
	return InternalError, "the server could not carry the build out; its log says why", ""
}

// isUsers reports whether a code blames who asked.
func isUsers(c sunya.Code) bool {
	switch c {
	case sunya.InvalidArgument, sunya.NotFound, sunya.FailedPrecondition, sunya.Unimplemented, sunya.ResourceExhausted, sunya.PermissionDenied:
		return true
	}
	return false
}

var (
	errTimeout = errors.New("the build took longer than its timeout")
	errExpired = errors.New("the build waited in the queue for longer than its queueTtl")
)

// run is one build under way.
type run struct {
	*Service
	b          *Build
	slot       int
	out        *output
	results    []Image
	stepImages []string
}

func (r *run) run(ctx context.Context) (err error) {
	begun, err := r.Store.UpdateBuild(ctx, r.b.Project, r.b.ID, func(b *Build) error {
		if b.Status == Queued {
			b.StartTime = r.Now().UTC()
		}
		b.Status = Working
		return nil
	}, nil)
	if err != nil {
		return err
	}
	r.b = begun
	if waited := begun.StartTime.Sub(begun.CreateTime); waited > begun.QueueTTL {
		return errExpired
	}
	if begun.Canceled {
		return errCanceled
	}
	p, err := compile(begun)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, begun.Timeout, fmt.Errorf("%w of %s", errTimeout, begun.Timeout))
	defer cancel()
	dir, err := r.Workspace.Create("build-" + begun.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Workspace.Remove(dir)) }()
	if err := r.fetch(ctx, dir); err != nil {
		return err
	}
	if len(p.packs) > 0 {
		err = r.packs(ctx, p.packs, dir)
	} else {
		err = r.images(ctx, p.steps, dir)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// fetch brings the source.
func (r *run) fetch(ctx context.Context, dir string) error {
	if r.b.Source == nil {
		return nil
	}
	r.out.printf("FETCHSOURCE\nFetching gs://%s/%s\n", r.b.Source.Bucket, r.b.Source.Object)
	return r.Sources.Materialise(ctx, sunya.Source{Archive: r.b.Source.Bucket + "/" + r.b.Source.Object}, dir)
}

// images runs the steps of the builder of images.
func (r *run) images(ctx context.Context, steps []plan.Step, dir string) error {
	r.out.printf("BUILD\n")
	r.stepImages = make([]string, len(steps))
	job := plan.Job{ID: r.b.ID, Project: r.b.Project, Source: dir, Steps: steps, Images: r.b.Images}
	err := r.Engine.Build(ctx, job, r.out, func(e plan.Event) { r.note(ctx, e) })
	var failed *plan.Failure
	if errors.As(err, &failed) && failed.Detail != "" {
		r.out.printf("%s\n", failed.Detail)
	}
	return err
}

// note records what the builder tells.
func (r *run) note(ctx context.Context, e plan.Event) {
	switch {
	case e.Pushed != nil:
		r.results = append(r.results, Image(*e.Pushed))
		return
	case e.Finished != nil && e.Finished.Step < len(r.stepImages):
		r.stepImages[e.Finished.Step] = e.Finished.Digest
	}
	_, err := r.Store.UpdateBuild(ctx, r.b.Project, r.b.ID, func(b *Build) error {
		r.noteStep(b, e)
		return nil
	}, nil)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("record step of build", "build", r.b.ID, "err", err)
	}
}

func (r *run) noteStep(b *Build, e plan.Event) {
	now := r.Now().UTC()
	switch {
	case e.Started != nil && e.Started.Step < len(b.Steps):
		st := &b.Steps[e.Started.Step]
		st.Status, st.StartTime = Working, now
	case e.Finished != nil && e.Finished.Step < len(b.Steps):
		st := &b.Steps[e.Finished.Step]
		st.Status, st.FinishTime, st.ExitCode = Success, now, e.Finished.ExitCode
		if !e.Finished.OK {
			st.Status = Failure
		}
	}
}

// packs builds from source, on the machine's own runtimes.
func (r *run) packs(ctx context.Context, packs []*packBuild, dir string) error {
	r.out.printf("BUILD\n")
	r.stepImages = make([]string, len(packs))
	for i, p := range packs {
		r.note(ctx, plan.Event{Started: &plan.Moment{Step: i}})
		digest, err := r.pack(ctx, p, dir)
		ended := &plan.Ended{Step: i, Digest: digest, OK: err == nil}
		if err != nil {
			ended.ExitCode = 1
		}
		r.note(ctx, plan.Event{Finished: ended})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pack(ctx context.Context, p *packBuild, dir string) (digest string, err error) {
	if p.Image == "" {
		return "", nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("open source: %w", err)
	}
	defer func() { _ = root.Close() }()
	source, err := root.OpenRoot(p.Dir)
	if err != nil {
		return "", sunya.Errorf(sunya.FailedPrecondition, "", "the source has no folder %q", p.Dir)
	}
	defer func() { _ = source.Close() }()
	spec, err := r.Builder.SourceSpec(source.FS(), p.Env)
	if err != nil {
		return "", err
	}
	spec.Timeout = r.b.Timeout
	result, err := r.Builder.Build(ctx, build.Request{
		ID: "build-" + r.b.ID, Project: r.b.Project, Service: "builds/" + r.b.ID, UIDRange: sunya.BuildRanges - 1 - r.slot,
		Spec: spec, Dir: path.Join(dir, p.Dir), Log: r.out,
	})
	if err != nil {
		return "", err
	}
	if digest, err = r.Images.PutHost(ctx, r.b.Project, p.Image, result); err != nil {
		return "", err
	}
	r.out.printf("Pushed %s\n", p.Image)
	r.results = append(r.results, Image{Name: p.Image, Digest: digest})
	return digest, nil
}
