package images

import (
	"context"
	"io"

	"github.com/sunya-cloud/sunya"
)

// Config is what an image says about how it wants to be run.
type Config struct {
	Entrypoint   []string
	Cmd          []string
	Env          []string // NAME=VALUE
	User         string
	WorkingDir   string
	Labels       map[string]string
	ExposedPorts []string // 8080/tcp; sorted
}

// Description is what a reference stands for at one moment.
type Description struct {
	Reference string // in its full form, as it was asked for
	Digest    string // sha256:<hex> of the manifest for this machine's platform
	Bytes     int64  // of configuration and layers, compressed
	Config    Config
}

// Fetched is an image that is ready to run.
type Fetched struct {
	Image  sunya.Image
	Config Config
	// Env are variables besides those of Config: an image that was built on the
	// host stack has some that are filled in per instance.
	Env []sunya.EnvVar
}

// Resolver says which image a reference stands for.
type Resolver interface {
	// Resolve looks a reference up; nothing of the layers is fetched. NotFound
	// when there is no such image, InvalidArgument when it is no reference.
	// Errors say what to do.
	Resolve(ctx context.Context, project, reference string) (*Description, error)
}

// Fetcher makes images ready to run.
type Fetcher interface {
	// Fetch pulls, verifies and unpacks what of an image is not here yet. log
	// gets what the user should see, line by line.
	Fetch(ctx context.Context, project, reference string, log io.Writer) (*Fetched, error)
}

// Vector is the argument vector of a container, by Kubernetes' rules: a command
// takes the place of ENTRYPOINT and drops CMD; arguments take that of CMD.
func Vector(c Config, spec sunya.ImageSpec) []string {
	entrypoint, cmd := c.Entrypoint, c.Cmd
	if len(spec.Command) > 0 {
		entrypoint, cmd = spec.Command, nil
	}
	if len(spec.Args) > 0 {
		cmd = spec.Args
	}
	out := make([]string, 0, len(entrypoint)+len(cmd))
	return append(append(out, entrypoint...), cmd...)
}

// Complete turns the container that an image is for into one that can be
// started. What the user has set wins over what the image says.
func Complete(c *sunya.Container, f *Fetched, spec sunya.ImageSpec) error {
	c.Image = f.Image
	c.Command = Vector(f.Config, spec)
	if len(c.Command) == 0 {
		return sunya.Errorf(sunya.FailedPrecondition, spec.Reference, "the image has neither ENTRYPOINT nor CMD: say which command to run")
	}
	if c.Dir == "" {
		c.Dir = f.Config.WorkingDir
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	if c.User == "" {
		c.User = f.Config.User
	}
	c.Env = below(c.Env, f.Env, f.Config.Env)
	return nil
}
