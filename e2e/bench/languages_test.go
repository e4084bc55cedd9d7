//go:build e2e

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// language is a program of one language and the same without Sunya.
type language struct {
	name string
	dir  string // a source that answers at /
	main string // the file that says Hello World!, which a redeploy changes
	// bare makes the argument vector of the program, with the arguments that an
	// instance has.
	bare func(b *testing.B) []string
}

// languages has the rows of each language, which are in a file of its own.
func languages() []language {
	return slices.Concat(
		goRows,
		javaRows,
	)
}

// BenchmarkLanguages: the cold start of the smallest program of each language
// over its bare boot, and the time from the command to the URL for the first
// deploy and for one of changed code.
func BenchmarkLanguages(b *testing.B) {
	for _, l := range languages() {
		b.Run(l.name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
				b.Fatal(err)
			}
			argv := l.bare(b)
			s := platform.Start(b, "--idle-timeout", "1s")
			begin := time.Now()
			host := s.Deploy(dir)
			first := time.Since(begin)
			var p pairs
			var redeploys []time.Duration
			for b.Loop() {
				p, redeploys = pairs{}, nil
				for i := range rounds {
					p = l.coldStart(b, s, host, argv, p)
					redeploys = append(redeploys, l.redeploy(b, s, dir, i))
				}
			}
			p.report(b, "bare")
			b.ReportMetric(median(redeploys).Seconds(), "redeploy-s")
			b.ReportMetric(first.Seconds(), "first-s")
		})
	}
}

func (l language) coldStart(b *testing.B, s *platform.Server, host string, argv []string, p pairs) pairs {
	s.Eventually(20*time.Second, "scaled to zero", func() error {
		if is := s.Instances(); len(is) > 0 {
			return fmt.Errorf("%v", is)
		}
		return nil
	})
	p.sunya = append(p.sunya, timed(b, s.URL(), host))
	port := freePort(b)
	took, stop := bare(b, b.TempDir(), port, argv...)
	stop()
	p.peer = append(p.peer, took)
	return p
}

func (l language) redeploy(b *testing.B, s *platform.Server, dir string, round int) time.Duration {
	main := filepath.Join(dir, l.main)
	text, err := os.ReadFile(main)
	if err != nil {
		b.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "Hello World!", fmt.Sprintf("Hello World! %d", round))
	if err := os.WriteFile(main, []byte(changed), 0o644); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	s.Deploy(dir, "--version", fmt.Sprintf("v%d", round))
	return time.Since(begin)
}
