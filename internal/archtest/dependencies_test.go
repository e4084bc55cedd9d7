package archtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryDirectDependencyHasItsReason fails when go.mod requires a module
// that docs/dependencies.md does not name, and when the page names one that
// go.mod no longer requires.
func TestEveryDirectDependencyHasItsReason(t *testing.T) {
	page, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9.-]+\\.[a-z]+/[^` ]+)`").FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
	}
	direct := map[string]bool{}
	inTools := false
	for _, line := range strings.Split(string(mod), "\n") {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(f[1], "v") && !strings.HasSuffix(line, "// indirect") {
			direct[f[0]] = true
		}
		switch {
		case line == "tool (":
			inTools = true
		case line == ")":
			inTools = false
		case inTools && len(f) == 1:
			direct[strings.Split(f[0], "/cmd/")[0]] = true
		case len(f) == 2 && f[0] == "tool":
			direct[strings.Split(f[1], "/cmd/")[0]] = true
		}
	}
	if len(direct) == 0 {
		t.Fatal("no direct requirement found in go.mod")
	}
	for m := range direct {
		if !named[m] {
			t.Errorf("go.mod requires %s: docs/dependencies.md does not say what for", m)
		}
	}
	for m := range named {
		if !direct[m] {
			t.Errorf("docs/dependencies.md names %s: go.mod does not require it", m)
		}
	}
}
