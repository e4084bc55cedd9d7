package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
	services "github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/core/simulate"
	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

// simulation is what is asked for.
type simulation struct {
	trace    string
	load     trace.Options
	platform simulate.Config
	svg      string
}

func newSimulateCommand(env *Env) *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Replay a load in virtual time and compare with the optimum.",
		Args:  args(0, 0, ""),
		Long: `The pool and the autoscaler of this program serve the requests of a trace with
imagined instances. Needs no server. Traces: ` + strings.Join(trace.Shapes, ", ") + `,
or a file: lines of time,service,duration (docs/simulator.md).`,
		Example: "sunya simulate --trace spike\nsunya simulate --trace production --services 10000 --requests 10000000 --svg run.svg",
		RunE:    func(cmd *cobra.Command, _ []string) error { return simulateLoad(cmd.Context(), env, s) },
	}
	s.register(cmd.Flags())
	return cmd
}

// sizeFlag registers a flag that is a number of bytes, as Kubernetes writes it.
func sizeFlag(fs *pflag.FlagSet, name, usage string, to *int64) {
	textFlag(fs, name, usage, func(v string) (err error) {
		*to, err = services.ParseMemory(v)
		return err
	})
}

// The sizes of a simulation: what a machine of today holds.
const (
	mostServices = 100_000
	mostRequests = 100_000_000
)

func (s *simulation) register(fs *pflag.FlagSet) {
	fs.StringVar(&s.trace, "trace", "production", "name of a trace, or a file; - for stdin")
	fs.IntVar(&s.load.Services, "services", 0, "services (default 1; herd and production 1000)")
	fs.IntVar(&s.load.Requests, "requests", 100_000, "requests of all services together")
	fs.DurationVar(&s.load.Length, "length", 0, "time in which they come (default: the trace's own)")
	fs.DurationVar(&s.load.Work, "work", 0, "mean time of a request (default: the trace's own)")
	fs.DurationVar(&s.load.Boot, "boot", 300*time.Millisecond, "mean time from start to ready")
	fs.Float64Var(&s.load.Safe, "safe", 0.8, "share of requests that may be repeated")
	fs.IntVar(&s.platform.Concurrency, "concurrency", 80, "requests at once in an instance, 1 to 1000")
	fs.IntVar(&s.platform.MaxInstances, "max-instances", 1000, "instances of a service")
	fs.DurationVar(&s.platform.FreezeAfter, "freeze-after", 0, "from last request to freeze (default: learnt)")
	fs.IntVar(&s.platform.Machine.Cores, "cores", 0, "of the machine, which bound boots (default: no bound)")
	sizeFlag(fs, "memory", "of the machine, as 8Gi (default: no bound)", &s.platform.Machine.MemoryBytes)
	s.load.Memory = 128 << 20
	sizeFlag(fs, "instance-memory", "of one instance (default 128Mi)", &s.load.Memory)
	fs.Float64Var(&s.platform.Kills, "kills", 0, "deaths in an hour that an instance lives")
	fs.Uint64Var(&s.platform.Seed, "seed", 1, "of the dice: the same seed gives the same figures")
	fs.StringVar(&s.svg, "svg", "", "file to draw the run in")
}

// check names the flag that makes no sense.
func (s *simulation) check() error {
	if s.load.Services == 0 {
		s.load.Services = 1
		if s.trace == "herd" || s.trace == "production" {
			s.load.Services = 1000
		}
	}
	for _, c := range []struct {
		flag     string
		v        float64
		from, to float64
	}{
		{"services", float64(s.load.Services), 1, mostServices},
		{"requests", float64(s.load.Requests), 1, mostRequests},
		{"concurrency", float64(s.platform.Concurrency), 1, 1000},
		{"max-instances", float64(s.platform.MaxInstances), 1, 1_000_000},
		{"cores", float64(s.platform.Machine.Cores), 0, 1_000_000},
		{"safe", s.load.Safe, 0, 1},
		{"kills", s.platform.Kills, 0, 1e6},
	} {
		if !(c.v >= c.from && c.v <= c.to) { // NaN is neither
			return usagef("--%s: %v is not allowed: use %.0f to %.0f", c.flag, c.v, c.from, c.to)
		}
	}
	for _, c := range []struct {
		flag string
		v    time.Duration
		most time.Duration
	}{
		{"length", s.load.Length, 366 * 24 * time.Hour},
		{"work", s.load.Work, 24 * time.Hour},
		{"boot", s.load.Boot, time.Hour},
		{"freeze-after", s.platform.FreezeAfter, 24 * time.Hour},
	} {
		if c.v < 0 || c.v > c.most {
			return usagef("--%s: %v is not allowed: use 0 to %.0fh", c.flag, c.v, math.Ceil(c.most.Hours()))
		}
	}
	return nil
}

// simulateLoad runs the simulation and prints it. It fails when a rule was broken
// that must never be.
func simulateLoad(ctx context.Context, env *Env, s simulation) error {
	if err := s.check(); err != nil {
		return err
	}
	s.load.Seed = s.platform.Seed
	load, err := s.read(env)
	if err != nil {
		return err
	}
	p := newProgress(env)
	var report *simulate.Report
	err = p.during("Simulating", func() error {
		report, err = simulate.Run(ctx, load, s.platform)
		return err
	})
	p.close()
	if err != nil {
		return err
	}
	if s.svg != "" {
		if err := os.WriteFile(env.path(s.svg), report.Picture(), 0o644); err != nil {
			return usagef("--svg: %v", err)
		}
	}
	if err := printReport(env, report); err != nil {
		return err
	}
	if report.Violations.Any() {
		return &failure{err: fmt.Errorf("rules were broken: %+v", report.Violations), try: "report this with the command line: it is an error of Sunya"}
	}
	return nil
}

// read makes the trace, or reads it.
func (s *simulation) read(env *Env) (*trace.Trace, error) {
	if t, ok := trace.New(s.trace, s.load); ok {
		return t, nil
	}
	in, err := s.open(env)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	t, err := trace.Read(in, s.load)
	if err != nil {
		return nil, usagef("--trace: %s: %v", s.trace, err)
	}
	return t, nil
}

func (s *simulation) open(env *Env) (io.ReadCloser, error) {
	if s.trace == "-" {
		return io.NopCloser(env.Stdin), nil
	}
	f, err := os.Open(env.path(s.trace))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		nearest := strings.Join(appyaml.Near(s.trace, slices.Clone(trace.Shapes), 1), "")
		if nearest == "" {
			nearest = strings.Join(trace.Shapes, ", ")
		}
		return nil, usagef("--trace: %q is neither a file nor a trace: use %s", s.trace, nearest)
	case err != nil:
		return nil, usagef("--trace: %v", err)
	}
	return f, nil
}

// path is a file as the command line names it.
func (e *Env) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(e.Dir, name)
}
