package instancetest

import (
	"context"
	"slices"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Programs is an Engine for what does not serve: its programs do what their
// arguments say, which is fail or hang, or else end well at once.
type Programs struct{ Engine }

// Start implements sandbox.Engine.
func (p *Programs) Start(_ context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	b := p.New(spec)
	switch {
	case slices.Contains(spec.Args, "hang"):
	case slices.Contains(spec.Args, "fail"):
		b.End(sandbox.Exit{Code: 3})
	default:
		b.End(sandbox.Exit{})
	}
	return b, nil
}
