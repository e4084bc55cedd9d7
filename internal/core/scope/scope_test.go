package scope_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

func TestCheck(t *testing.T) {
	free := t.Context()
	for _, c := range []struct {
		name, own, project string
		limited, ok        bool
	}{
		{"without a scope", "", "p", false, true},
		{"its own project", "p", "p", true, true},
		{"another project", "p", "q", true, false},
		{"nobody", "", "p", true, false},
		{"nobody's", "", "", true, false},
	} {
		ctx := free
		if c.limited {
			ctx = scope.With(ctx, c.own)
		}
		err := scope.Check(ctx, c.project, "r")
		if c.ok && err != nil || !c.ok && sunya.CodeOf(err) != sunya.PermissionDenied {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
