//go:build e2e

package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// BenchmarkRedeploy: from the command to the URL, for the first deploy of each
// language to a fresh server and for changed code with unchanged requirements,
// and how long the stages of it take.
func BenchmarkRedeploy(b *testing.B) {
	s := begin(b, "redeploy")
	defer s.end()
	for _, l := range languages() {
		s.run(l.name, func(s *sheet) {
			l.require(s)
			l.redeploy(s)
		})
	}
}

func (l language) redeploy(s *sheet) {
	whole := s.figure(results.Figure{ID: "redeploy/" + l.name, Title: l.title, Unit: "s"})
	stages := s.figure(results.Figure{ID: "redeploy/" + l.name + "/stages", Title: l.title + ": stages", Unit: "ms"})
	dir := l.copy(s)
	server := platform.Start(s)
	took, stage := deployStages(s, server, dir)
	whole.Add("first deploy", took.Seconds())
	stages.Add("first upload", ms(stage["Uploading"]))
	stages.Add("first build", ms(stage["Building"]))
	for i := range s.rounds(5) {
		l.change(s, dir, i)
		took, stage := deployStages(s, server, dir, "--version", fmt.Sprintf("v%d", i))
		whole.Add("changed code", took.Seconds())
		stages.Add("build of changed code", ms(stage["Building"]))
		stages.Add("start", ms(stage["Starting"]))
	}
}

// deployStages deploys and measures how long each stage was shown.
func deployStages(s *sheet, server *platform.Server, dir string, flags ...string) (whole time.Duration, stages map[string]time.Duration) {
	began, took := map[string]time.Time{}, map[string]time.Duration{}
	begin := time.Now()
	r := server.Follow(func(text string) {
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
	whole = time.Since(begin)
	if r.Code != 0 {
		s.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	return whole, took
}
