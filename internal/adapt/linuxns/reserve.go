package linuxns

import (
	"context"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Prepared is how many sandboxes of a kind a server has ready: as many programs
// as two cores can boot at once, and as many again.
const Prepared = 4

// keepReady asks the launcher to have sandboxes ready for the kind of program
// that most are, before the first comes; it finds out about others by itself. An
// older launcher knows nothing of it.
func (e *Engine) keepReady(ctx context.Context) {
	if e.cfg.Prepared == 0 {
		return
	}
	doc, err := e.document(sandbox.Spec{
		ID: "any", Profile: sandbox.App, Args: []string{"any"}, Network: e.cfg.Network != nil,
	})
	if err == nil {
		_, _, err = e.call(ctx, &ipc.Message{Verb: ipc.Keep, Document: doc})
	}
	if err != nil {
		e.cfg.Log.DebugContext(ctx, "no sandboxes are kept ready", "err", err)
	}
}
