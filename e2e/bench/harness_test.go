//go:build e2e

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/render"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// sheet is where one benchmark notes its figures. They are saved when it ends:
// those of one that fails as failed, with the reason, so that the others' stay.
//
//	func BenchmarkThing(b *testing.B) {
//		s := begin(b, "thing")
//		defer s.end()
//		f := s.figure(results.Figure{ID: "thing/flask", Title: "Flask", Unit: "ms", Base: "bare"})
//		for range s.rounds(9) {
//			f.Add("Sunya", …)
//			f.Add("bare", …)
//		}
//	}
//
// It stands in for the testing.TB that the helpers are given, to know what they
// complained about.
type sheet struct {
	*testing.B
	id      string
	mu      sync.Mutex
	why     string // of the first failure
	busy    float64
	figures []*results.Figure
}

// begin opens the sheet of a benchmark; id is where its failure is noted when it
// has named no figure yet.
func begin(b *testing.B, id string) *sheet {
	return &sheet{B: b, id: id, busy: settled()}
}

// figure starts a figure of this sheet.
func (s *sheet) figure(f results.Figure) *results.Figure {
	f.Date, f.Commit, f.Busy = time.Now().UTC().Truncate(time.Second), commit(), s.busy
	s.figures = append(s.figures, &f)
	return &f
}

// run measures a part of a benchmark, which fails by itself.
func (s *sheet) run(name string, do func(*sheet)) {
	s.B.Run(name, func(b *testing.B) {
		part := begin(b, s.id+"/"+name)
		defer part.end()
		do(part)
	})
}

// quick reports whether the run shall only show that everything works.
var quick = os.Getenv("SUNYA_BENCH_QUICK") != ""

// rounds is how often something is measured: n times, twice in a quick run.
func (s *sheet) rounds(n int) int {
	if quick {
		return min(n, 2)
	}
	return n
}

// less is n, or few in a quick run.
func less(n, few int) int {
	if quick {
		return few
	}
	return n
}

// turns calls each of the subjects once a round, beginning with another one each
// time, so that none is always measured after the same.
func (s *sheet) turns(rounds int, subjects ...func()) {
	for round := range s.rounds(rounds) {
		for i := range subjects {
			subjects[(round+i)%len(subjects)]()
		}
	}
}

// end saves the figures.
func (s *sheet) end() {
	if r := recover(); r != nil {
		s.note(fmt.Sprint("panic: ", r))
		s.save()
		panic(r)
	}
	s.ReportMetric(0, "ns/op") // says nothing here
	if !s.Skipped() {
		s.save()
	}
}

func (s *sheet) save() {
	var figures []results.Figure
	for _, f := range s.figures {
		f.Failed = s.why
		figures = append(figures, *f)
	}
	if len(figures) == 0 && s.why != "" {
		figures = []results.Figure{{ID: s.id, Title: s.id, Failed: s.why, Date: time.Now().UTC().Truncate(time.Second), Commit: commit()}}
	}
	var drop []string
	if s.why == "" {
		drop = []string{s.id} // what an earlier run said when it named no figure
		for _, f := range figures {
			if f.ID == s.id {
				drop = nil
			}
		}
	}
	if err := results.Update(resultsFile(), machine(), figures, drop...); err != nil {
		s.B.Error(err)
		return
	}
	if err := render.Text(os.Stdout, figures); err != nil {
		s.B.Error(err)
	}
}

// resultsFile is where all figures are.
func resultsFile() string {
	if p := os.Getenv("SUNYA_BENCH_RESULTS"); p != "" {
		return p
	}
	return "../../bin/performance/results.json"
}

func (s *sheet) note(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == "" {
		s.why = firstLine(why)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// The ways to fail, which note the reason.

func (s *sheet) Error(args ...any) { s.Helper(); s.note(fmt.Sprint(args...)); s.B.Error(args...) }
func (s *sheet) Errorf(format string, args ...any) {
	s.Helper()
	s.note(fmt.Sprintf(format, args...))
	s.B.Errorf(format, args...)
}
func (s *sheet) Fatal(args ...any) { s.Helper(); s.note(fmt.Sprint(args...)); s.B.Fatal(args...) }
func (s *sheet) Fatalf(format string, args ...any) {
	s.Helper()
	s.note(fmt.Sprintf(format, args...))
	s.B.Fatalf(format, args...)
}

// commit is what was measured, with a + where the tree differs from it.
var commit = sync.OnceValue(func() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(out))
	changed, _ := exec.Command("git", "status", "--porcelain", "-uno", "--", "../..", ":!../../docs").Output()
	if len(changed) > 0 {
		name += "+"
	}
	return name
})

// ms is a duration in the unit of most figures.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// temp is a directory for all of a run; TestMain removes it.
var temp string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sunya-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	temp = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// scratch makes a directory that programs of other users may enter.
func scratch(tb testing.TB, name string) string {
	tb.Helper()
	if err := os.Chmod(temp, 0o755); err != nil {
		tb.Fatal(err)
	}
	dir, err := os.MkdirTemp(temp, name+"-")
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// installed makes a directory of programs once a run.
func installed(tb testing.TB, name string, fill func(dir string) error) string {
	tb.Helper()
	dir := filepath.Join(temp, name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := fill(dir); err != nil {
		_ = os.RemoveAll(dir)
		tb.Fatal(err)
	}
	return dir
}
