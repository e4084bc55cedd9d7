package builder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// Where a step of Cloud Build finds things.
const (
	workspaceDir = "/workspace"
	homeDir      = "/builder/home"
	scriptDir    = "/builder/script"
)

// container runs a step that is a container of its own: the workspace is at
// /workspace, and what the step leaves there is the next step's.
func (b *build) container(ctx context.Context, i int, r *plan.Run) error {
	opt := client.SolveOpt{Session: b.attachables()}
	if err := b.addSource(&opt); err != nil {
		return err
	}
	_, err := b.watch(func(status chan *client.SolveStatus) (*client.SolveResponse, error) {
		return b.client.Build(ctx, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
			return b.runContainer(ctx, c, i, r)
		}, status)
	})
	return err
}

func (b *build) runContainer(ctx context.Context, c gateway.Client, i int, r *plan.Run) (*gateway.Result, error) {
	name := r.Image
	if m, ok := b.made[canonical(name)]; ok {
		name = m.repository + "@" + m.digest
	}
	ref, _, data, err := c.ResolveImageConfig(ctx, canonical(name), sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{ResolveMode: llb.ResolveModeForcePull.String()},
	})
	if err != nil {
		return nil, fmt.Errorf("image %s of the step: %w", r.Image, err)
	}
	var image ocispecs.Image
	if err := json.Unmarshal(data, &image); err != nil {
		return nil, fmt.Errorf("image %s of the step: read its configuration: %w", r.Image, err)
	}
	workspace := b.runState(ref, image.Config, i, r)
	def, err := workspace.Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe step: %w", err)
	}
	if _, err := c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true}); err != nil {
		return nil, err
	}
	b.workspace = workspace
	return gateway.NewResult(), nil
}

// changed reports whether a step has worked in the workspace.
func (b *build) changed() bool { return b.worked }

// runState describes the step and returns the workspace after it. The host
// name is the build's and the step's own, so that no step is ever answered from
// the cache: it may do things that are not files.
func (b *build) runState(ref string, image ocispecs.ImageConfig, i int, r *plan.Run) llb.State {
	b.worked = true
	state := llb.Image(ref)
	for _, e := range image.Env {
		name, value, _ := strings.Cut(e, "=")
		state = state.AddEnv(name, value)
	}
	opts := []llb.RunOption{
		llb.Args(argsOf(image, r)),
		llb.Dir(path.Join(workspaceDir, path.Join("/", r.Dir))),
		llb.Hostname(fmt.Sprintf("step-%d-%s", i, shorten(b.job.ID))),
		llb.WithCustomName(fmt.Sprintf("Step #%d: %s", i, r.Image)),
		llb.AddEnv("HOME", homeDir),
	}
	for _, e := range r.Env {
		name, value, _ := strings.Cut(e, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	for _, name := range r.Secrets {
		opts = append(opts, llb.AddSecret(name, llb.SecretID(name), llb.SecretAsEnv(true)))
	}
	for target, volume := range r.Volumes {
		opts = append(opts, llb.AddMount(target, llb.Scratch(), llb.AsPersistentCacheDir(b.job.ID+"/"+volume, llb.CacheMountShared)))
	}
	opts = append(opts, llb.AddMount(homeDir, llb.Scratch(), llb.AsPersistentCacheDir(b.job.ID+"//home", llb.CacheMountShared)))
	if r.Script != "" {
		script := llb.Scratch().File(llb.Mkfile("/run", 0o755, []byte(scriptText(r.Script))), llb.WithCustomName("write the script of the step"))
		opts = append(opts, llb.AddMount(scriptDir, script, llb.Readonly))
	}
	run := state.User(image.User).Run(opts...)
	return run.AddMount(workspaceDir, b.workspace)
}

// argsOf is the argument vector by Cloud Build's rules: an entrypoint takes the
// image's place, and arguments that of its command.
func argsOf(image ocispecs.ImageConfig, r *plan.Run) []string {
	if r.Script != "" {
		return []string{scriptDir + "/run"}
	}
	entrypoint, args := image.Entrypoint, r.Args
	if r.Entrypoint != "" {
		entrypoint = []string{r.Entrypoint}
	}
	if len(args) == 0 && r.Entrypoint == "" {
		args = image.Cmd
	}
	return slices.Concat(entrypoint, args)
}

// scriptText gives a script the shell that Cloud Build's default is.
func scriptText(script string) string {
	if strings.HasPrefix(script, "#!") {
		return script
	}
	return "#!/bin/sh\n" + script
}

// shorten makes a part of a host name of an id.
func shorten(id string) string { return cmp.Or(id[:min(len(id), 8)], "build") }
