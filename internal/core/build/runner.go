package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Options are what a Runner needs. Zero limits stand for the defaults.
type Options struct {
	Engine    sandbox.Engine
	Layers    layers.Store
	Machine   Machine
	CacheDir  string // download caches, one folder per project; made when missing
	Now       func() time.Time
	Log       *slog.Logger
	Languages []Language // nil: every language there is

	MemoryBytes int64 // of a step; default 2 GiB
	PIDs        int   // of a step; default 512
}

const (
	defaultMemory  = 2 << 30
	defaultPIDs    = 512
	defaultTimeout = 10 * time.Minute // Cloud Build's own default
	buildCPU       = 500              // weight: half of what an instance of one core has
)

// Language builds the source of one family of runtimes. One file each.
type Language interface {
	// Name is what its runtime ids begin with: "python" of python311.
	Name() string
	// Runtimes says for a message which ids there are, and which versions this
	// machine has.
	Runtimes(m Machine) string
	// Check reports whether a runtime id is one that can be built here.
	Check(m Machine, spec sunya.BuildSpec) error
	Build(ctx context.Context, j *Job) (*Result, error)
}

// Languages are those that Sunya builds.
func Languages() []Language {
	return []Language{
		Python{},
		Node{},
		Go{},
		Java{},
		PHP{},
		Ruby{},
	}
}

// Runner builds in sandboxes. It is safe for concurrent use.
type Runner struct {
	o Options
}

var _ Builder = (*Runner)(nil)

// New returns a Runner and removes what killed builds left in CacheDir.
func New(o Options) (*Runner, error) {
	o.MemoryBytes = cmp.Or(o.MemoryBytes, defaultMemory)
	o.PIDs = cmp.Or(o.PIDs, defaultPIDs)
	if o.Languages == nil {
		o.Languages = Languages()
	}
	if err := tree.Remove(filepath.Join(o.CacheDir, scratchDir)); err != nil {
		return nil, fmt.Errorf("sweep builds: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(o.CacheDir, scratchDir), 0o755); err != nil {
		return nil, fmt.Errorf("open build cache: %w", err)
	}
	return &Runner{o}, nil
}

// scratchDir holds the temporary folders of running builds. A project id
// cannot begin with a dot, so it is nobody's cache.
const scratchDir = ".scratch"

// Check reports, without building, whether spec's runtime can be built here:
// InvalidArgument for an unknown one, FailedPrecondition when this machine has
// nothing to run it with.
func (r *Runner) Check(spec sunya.BuildSpec) error {
	l, err := r.language(spec.Runtime)
	if err != nil {
		return err
	}
	if _, ok := l.(FunctionLanguage); spec.Function != nil && !ok {
		return r.noFunctions(l, spec.Runtime)
	}
	return l.Check(r.o.Machine, spec)
}

func (r *Runner) language(runtime string) (Language, error) {
	for _, l := range r.o.Languages {
		if strings.HasPrefix(runtime, l.Name()) {
			return l, nil
		}
	}
	here := strings.Join(r.Runtimes(), ", ")
	if slices.ContainsFunc(notBuilt, func(f string) bool { return strings.HasPrefix(runtime, f) }) {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "runtime", Message: fmt.Sprintf("runtime %q is not supported: this version builds %s", runtime, here)}
	}
	hint := ""
	if number, ok := strings.CutPrefix(runtime, "node"); ok {
		hint = meaning("nodejs" + number)
	}
	return nil, sunya.Invalid("runtime", "unknown runtime %q%s: use %s", runtime, hint, here)
}

// notBuilt are the families of runtimes at Google that Sunya does not build.
var notBuilt = []string{"dotnet"}

// Runtimes lists the runtime ids of every language, with what this machine has
// for them.
func (r *Runner) Runtimes() []string {
	var list []string
	for _, l := range r.o.Languages {
		list = append(list, l.Runtimes(r.o.Machine))
	}
	return list
}

// Build implements Builder.
func (r *Runner) Build(ctx context.Context, req Request) (*Result, error) {
	l, err := r.language(req.Spec.Runtime)
	if err != nil {
		return nil, err
	}
	if err := l.Check(r.o.Machine, req.Spec); err != nil {
		return nil, err
	}
	if req.Spec.Function, err = askedSignature(req.Spec); err != nil {
		return nil, err
	}
	j, err := r.job(req)
	if err != nil {
		return nil, fmt.Errorf("prepare build %s: %w", req.ID, err)
	}
	limit := cmp.Or(req.Spec.Timeout, defaultTimeout)
	tctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	res, err := l.Build(tctx, j)
	err = errors.Join(err, j.close())
	if err != nil {
		return nil, r.explain(ctx, j, err, limit)
	}
	res.Warnings = append(res.Warnings, j.warnings...)
	return res, nil
}

var errTimeout = errors.New("build timeout")

// explain turns the end of a step into the error that a user understands, and
// leaves every other error as it is.
func (r *Runner) explain(ctx context.Context, j *Job, err error, limit time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: %w", j.ID, context.Cause(ctx))
	}
	var step *errStep
	var own *Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return failed(j.out.last(), "the build took longer than %s: raise the build timeout or install less", limit)
	case errors.As(err, &step) && step.exit.OOMKilled:
		return failed(j.out.last(), "%s needed more than the %v of memory that a build has", strings.ToLower(step.name), sunya.Bytes(j.memoryBytes))
	case errors.As(err, &step):
		return failed(j.out.last(), "%s failed with exit status %d", strings.ToLower(step.name), step.exit.Code)
	}
	return fmt.Errorf("build %s: %w", j.ID, err)
}

func (r *Runner) job(req Request) (*Job, error) {
	if err := sunya.CheckProject(req.Project); err != nil {
		return nil, err
	}
	w := req.Log
	if w == nil {
		w = io.Discard
	}
	j := &Job{
		Request: req, Machine: r.o.Machine,
		engine: r.o.Engine, layers: r.o.Layers, now: r.o.Now, log: r.o.Log.With("build", req.ID),
		out: newOutput(w), memoryBytes: r.o.MemoryBytes, pids: r.o.PIDs,
		cache: filepath.Join(r.o.CacheDir, req.Project),
	}
	return j, j.open(filepath.Join(r.o.CacheDir, scratchDir))
}
