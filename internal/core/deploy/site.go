package deploy

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// site takes the static files out of the source and keeps them where the
// gateway finds them.
func (r *run) site(ctx context.Context, dir string) error {
	if len(r.d.Static) == 0 {
		return nil
	}
	sel, err := static.Select(ctx, dir, r.d.Static)
	if err != nil {
		return err
	}
	if sel.Len() == 0 {
		r.say("Warning: the handlers for static files match no file of the source")
		return nil
	}
	r.checkPages(sel)
	begin := r.Now()
	l, made, err := layers.Make(ctx, r.Layers, sel.Key(), func(stage string) error { return sel.Write(ctx, stage) })
	if err != nil {
		return err
	}
	r.d.Revision.Site = l.Digest
	hidden, err := sel.Strip()
	if err != nil {
		return err
	}
	what := "unchanged: reused"
	if made {
		what = "compressed (" + r.Now().Sub(begin).Round(time.Millisecond).String() + ")"
	}
	r.say("Static files: %d, %v, %s; %d of them are not shown to the program", sel.Len(), sunya.Bytes(sel.Bytes()), what, hidden)
	return nil
}

// checkPages warns of error pages that will not be shown.
func (r *run) checkPages(sel *static.Selection) {
	for _, p := range r.d.Revision.ErrorPages {
		switch size := sel.Size(p.File); {
		case size < 0:
			r.say("Warning: the error page %s is not in the source: the platform's own is shown", p.File)
		case size > static.MaxWhole:
			r.say("Warning: the error page %s has %v, more than %v: the platform's own is shown", p.File, sunya.Bytes(size), sunya.Bytes(static.MaxWhole))
		}
	}
}

// say writes a line that the user reads beside the build's own.
func (r *run) say(format string, args ...any) {
	// The journal is the only place to complain to.
	_, _ = io.WriteString(r.journal, fmt.Sprintf(format, args...)+"\n")
}
