//go:build e2e

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// language is a program of one language and the same without Sunya.
type language struct {
	name  string
	needs string // a program without which the row is left out; empty: none
	dir   string // a source that answers at /
	main  string // the file that says Hello World!, which a redeploy changes
	// bare makes the argument vector of the program, with the arguments that an
	// instance has. It is started in dir, a copy of the source of its own;
	// $PORT stands for the port.
	bare func(b *testing.B, dir string) []string
}

// languages has the rows of each language, which are in a file of its own.
func languages() []language {
	return slices.Concat(
		pythonRows,
		nodeRows,
		goRows,
		javaRows,
		phpRows,
		rubyRows,
	)
}

// BenchmarkLanguages: the cold start of a small program of each language over
// its bare boot, and how long the stages of its first deploy to a fresh server
// and of one of changed code take.
func BenchmarkLanguages(b *testing.B) {
	for _, l := range languages() {
		b.Run(l.name, func(b *testing.B) {
			if _, err := exec.LookPath(l.needs); l.needs != "" && err != nil {
				b.Skipf("SKIP: no %s on this machine", l.needs)
			}
			l.measure(b)
		})
	}
}

func (l language) measure(b *testing.B) {
	dir, bareDir := l.copy(b), l.copy(b)
	argv := l.bare(b, bareDir)
	s := platform.Start(b, "--idle-timeout", "1s")
	first := deployStages(b, s, dir)
	host := "sunya.localhost:" + s.Port
	var p pairs
	var built, started, redeploys []time.Duration
	for b.Loop() {
		p, built, started, redeploys = pairs{}, nil, nil, nil
		for i := range rounds {
			p = l.coldStart(b, s, host, bareDir, argv, p)
			l.change(b, dir, i)
			begin := time.Now()
			again := deployStages(b, s, dir, "--version", fmt.Sprintf("v%d", i))
			redeploys = append(redeploys, time.Since(begin))
			built, started = append(built, again["Building"]), append(started, again["Starting"])
		}
	}
	p.report(b, "bare")
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(first["Uploading"]), "upload-ms")
	b.ReportMetric(ms(first["Building"]), "build-cold-ms")
	b.ReportMetric(ms(median(built)), "build-cached-ms")
	b.ReportMetric(ms(median(started)), "start-ms")
	b.ReportMetric(median(redeploys).Seconds(), "redeploy-s")
}

func (l language) coldStart(b *testing.B, s *platform.Server, host, dir string, argv []string, p pairs) pairs {
	s.Eventually(20*time.Second, "scaled to zero", func() error {
		if is := s.Instances(); len(is) > 0 {
			return fmt.Errorf("%v", is)
		}
		return nil
	})
	p.sunya = append(p.sunya, timed(b, s.URL(), host))
	port := freePort(b)
	mine := slices.Clone(argv)
	for i := range mine {
		mine[i] = strings.ReplaceAll(mine[i], "$PORT", port)
	}
	took, stop := bare(b, dir, port, mine...)
	stop()
	p.peer = append(p.peer, took)
	return p
}

func (l language) copy(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		b.Fatal(err)
	}
	return dir
}

// change makes the program say something that it has not said before.
func (l language) change(b *testing.B, dir string, round int) {
	b.Helper()
	main := filepath.Join(dir, filepath.FromSlash(l.main))
	text, err := os.ReadFile(main)
	if err != nil {
		b.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "Hello World!", fmt.Sprintf("Hello World! %d", round))
	if err := os.WriteFile(main, []byte(changed), 0o644); err != nil {
		b.Fatal(err)
	}
}

// deployStages deploys and measures how long each stage was shown.
func deployStages(b *testing.B, s *platform.Server, dir string, flags ...string) map[string]time.Duration {
	b.Helper()
	began, took := map[string]time.Time{}, map[string]time.Duration{}
	r := s.Follow(func(text string) {
		for line := range strings.Lines(text) {
			stage, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch {
			case strings.HasPrefix(rest, "..."):
				began[stage] = time.Now()
			case strings.HasPrefix(rest, "done") && !began[stage].IsZero():
				took[stage] = time.Since(began[stage])
			}
		}
	}, append([]string{"app", "deploy", dir}, flags...)...)
	if r.Code != 0 {
		b.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	return took
}
