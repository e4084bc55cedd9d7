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

	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// language is a program of one language and the same without Sunya.
type language struct {
	name, title string
	needs       string // a program without which the row is left out; empty: none
	dir         string // a source that answers at /
	main        string // the file that says Hello World!, which a redeploy changes
	// bare makes the argument vector of the program, with the arguments that an
	// instance has. It is started in dir, a copy of the source of its own;
	// $PORT stands for the port.
	bare  func(tb testing.TB, dir string) []string
	goals []results.Goal // of its cold start
	note  string         // on where its time goes
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

// most is a goal: the cold start at most this often the bare boot.
func most(limit float64) []results.Goal {
	return []results.Goal{{Subject: "Sunya", As: results.AsRatio, Over: "bare boot", Limit: limit}}
}

func (l language) require(s *sheet) {
	if _, err := exec.LookPath(l.needs); l.needs != "" && err != nil {
		s.Skipf("SKIP: no %s on this machine", l.needs)
	}
}

func (l language) copy(s *sheet) string {
	s.Helper()
	dir := s.TempDir()
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		s.Fatal(err)
	}
	return dir
}

// change makes the program say something that it has not said before.
func (l language) change(s *sheet, dir string, round int) {
	s.Helper()
	main := filepath.Join(dir, filepath.FromSlash(l.main))
	text, err := os.ReadFile(main)
	if err != nil {
		s.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "Hello World!", fmt.Sprintf("Hello World! %d", round))
	if err := os.WriteFile(main, []byte(changed), 0o644); err != nil {
		s.Fatal(err)
	}
}
