// Package build turns source into an image: it picks the language's builder,
// runs the steps in sandboxes and assembles layers.
package build

import (
	"context"
	"io"

	"github.com/sunya-cloud/sunya"
)

// Request is one build.
type Request struct {
	ID       string // also the log's name
	Project  string
	Service  string // sandboxes of a build run in the service's uid range
	UIDRange int
	Spec     sunya.BuildSpec
	// Dir holds the source, writable by the build. Whoever asks owns it.
	Dir string
	Log io.Writer // gets what the user should see, line by line
}

// Result is a finished build.
type Result struct {
	Image    sunya.Image
	Command  []string // the user's entrypoint, or the runtime's default
	Env      []sunya.EnvVar
	Dir      string // working directory inside the sandbox
	Warnings []string
}

// Builder builds. An error that the user's source caused is FailedPrecondition
// with Reason BUILD_FAILED and says in one sentence what to change; every other
// error is Sunya's own.
type Builder interface {
	Build(ctx context.Context, r Request) (*Result, error)
}
