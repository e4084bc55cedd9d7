package sandbox

import "context"

// Keeper is what an Engine may be able to do besides: to keep the memory of a
// program that has come as far as it can without a socket, and to start others
// from there. Every one of them is a sandbox like any other.
type Keeper interface {
	// Keep starts the program of spec, keeps its memory under Spec.Template in place
	// of what was there, and ends it. watch is called with the sandbox while it
	// runs. A program that cannot be kept is FailedPrecondition, with a message for
	// its owner.
	Keep(ctx context.Context, spec Spec, watch func(Sandbox)) error
	// Discard forgets what was kept; nothing kept is not an error. What was started
	// from it goes on.
	Discard(ctx context.Context, key string) error
}

// Restored is what a Sandbox may know besides: how it came to its program.
type Restored interface {
	// Restored reports whether the program was started from its template. Where it
	// was not although there was one, problem says why.
	Restored() (yes bool, problem string)
}
