package node

import (
	"fmt"
	"log/slog"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/functionsv2"
	"github.com/sunya-cloud/sunya/internal/wire/runv1"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// addKnative adds Cloud Run's first API. What it is asked about the policies of
// functions goes to theirs.
func (a *api) addKnative(n *Node, log *slog.Logger) error {
	functions, err := transcode.New(a.grpc.Server, functionsv2.RunDescriptor(), log)
	if err != nil {
		return fmt.Errorf("serve policies of functions: %w", err)
	}
	knative := runv1.New(runv1.Deps{Admin: n.products.run, Jobs: n.products.jobs, URL: n.url, Location: "local", Functions: functions, Log: log})
	for _, r := range knative.Routes() {
		a.add(r.Method, "run.googleapis.com", r.Pattern, front.Local, r.Handler)
	}
	return nil
}
