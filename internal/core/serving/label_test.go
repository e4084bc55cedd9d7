package serving_test

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// TestLabel: whoever cannot have the name that he wants gets one that can be a
// host and is his own.
func TestLabel(t *testing.T) {
	table := newCatalog(t, &instancetest.Store{}).Table()
	if got := table.Label("hello", "a/services/hello", "other"); got != "hello" {
		t.Errorf("a vacant name became %q", got)
	}
	long := strings.Repeat("a", 54) + "-" + strings.Repeat("b", 8) // cut at the dash
	for _, want := range []string{"demo", "api", long, strings.Repeat("a", 63)} {
		project := "other"
		if len(want) == 63 {
			project = want // whose own host it is
		}
		one, two := table.Label(want, "a/services/x", project), table.Label(want, "b/services/x", project)
		if one == want || one == two || strings.Contains(one, "--") || one != table.Label(want, "a/services/x", project) {
			t.Errorf("%s: the hosts are %q and %q", want, one, two)
		}
		if err := serving.CheckLabel(one); err != nil {
			t.Error(err)
		}
	}
}
