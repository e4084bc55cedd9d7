package build

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// image is what an instance of a program stands on: a runtime of this machine
// and layers, in the order in which they are mounted.
func (f family) image(rt Runtime, layers ...sunya.Layer) sunya.Image {
	return sunya.Image{
		Stack: sunya.HostStack, Layers: layers,
		HostPaths: rt.Prefixes, Fingerprint: rt.Fingerprint, Runtime: f.title + " " + rt.Version,
	}
}

// planOf reads the source and says how it is built; it runs nothing. What is
// wrong with the source is the user's failure.
func planOf[P any](j *Job, detector func(fs.FS, sunya.BuildSpec) (*P, error)) (*P, error) {
	root, err := os.OpenRoot(j.Dir)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	plan, err := detector(root.FS(), j.Spec)
	return plan, asFailed(err)
}

// use chooses the runtime of the build and says which it is.
func (j *Job) use(f family, w want, allowed versions) (Runtime, error) {
	rt, warning, err := f.choose(j.Machine, w, allowed)
	if err != nil {
		return rt, err
	}
	if warning != "" {
		j.Warn(warning)
	}
	j.Printf("%s %s (%s)", f.title, rt.Version, rt.Path)
	return rt, nil
}

// application is the layer of the source in Workspace: a copy of the tree and
// what finish makes of it (nil: nothing). parts are everything besides the
// source that decides the content; did says what was done, for the log
// ("compiled and checked"). Unchanged source is the layer of before: nothing
// runs.
func (j *Job) application(ctx context.Context, parts []any, did string, finish func(ctx context.Context, dir string) error) (sunya.Layer, error) {
	sum, err := j.sourceSum()
	if err != nil {
		return sunya.Layer{}, err
	}
	k, err := key([]any{"app 1", j.Project, sum, parts})
	if err != nil {
		return sunya.Layer{}, err
	}
	start := j.now()
	l, made, err := j.Layer(ctx, k, Workspace, func(dir string) error {
		if err := copyTree(j.Dir, dir); err != nil || finish == nil {
			return err
		}
		return finish(ctx, dir)
	})
	switch {
	case err != nil:
		return l, err
	case made:
		j.Printf("Source %s (%s)", did, j.took(start))
	default:
		j.Printf("Source unchanged: reused")
	}
	return l, nil
}

// installed is the layer of the dependencies that install puts below target. It
// says whether it had to.
func (j *Job) installed(ctx context.Context, key, target string, install func(ctx context.Context, dir string) error) (sunya.Layer, error) {
	start := j.now()
	l, made, err := j.Layer(ctx, key, target, func(dir string) error { return install(ctx, dir) })
	switch {
	case err != nil:
		return l, err
	case made:
		j.Printf("Dependencies installed: %.1f MB (%s)", float64(l.Bytes)/1e6, j.took(start))
	default:
		j.Printf("Dependencies unchanged: reused")
	}
	return l, nil
}

// sourceSum is the sum of the whole source as it was uploaded.
func (j *Job) sourceSum() (string, error) {
	if j.sum != "" {
		return j.sum, nil
	}
	var err error
	j.sum, err = treeSum(j.Dir)
	return j.sum, err
}

// tool is something that builds need and the machine lacks.
type tool struct {
	name   string // for the log
	target string // where its layer is mounted
	script string // of /bin/sh; leaves the tool in target
	rt     Runtime
	env    map[string]string
	with   []sandbox.Mount // what the script needs besides the runtime
}

// toolLayer fetches a tool once for the whole machine. No source and no
// project's cache is in sight, so that no user's code can reach into it.
func (j *Job) toolLayer(ctx context.Context, t tool) (sunya.Layer, error) {
	k, err := key([]any{"tool 1", t.name, t.target, t.script, t.rt.Fingerprint})
	if err != nil {
		return sunya.Layer{}, err
	}
	start := j.now()
	l, made, err := j.Layer(ctx, k, t.target, func(dir string) error {
		j.Printf("Fetching %s, once for this machine", t.name)
		mounts := append([]sandbox.Mount{}, t.with...)
		mounts = append(mounts, sandbox.Mount{Source: dir, Target: t.target, Writable: true})
		return j.Run(ctx, Step{Name: "Fetching " + t.name, Args: []string{"/bin/sh", "-c", t.script},
			Env: j.toolEnv(t.env), Dir: buildMount, Mounts: j.Mounts(t.rt, mounts...)})
	})
	if made && err == nil {
		j.Printf("Fetched %s (%s)", t.name, j.took(start))
	}
	return l, err
}

// toolMount is toolLayer for a step.
func (j *Job) toolMount(ctx context.Context, t tool) (sandbox.Mount, error) {
	l, err := j.toolLayer(ctx, t)
	if err != nil {
		return sandbox.Mount{}, err
	}
	return j.LayerMount(l)
}

// toolEnv is Env without the user's build variables: a tool that every project
// uses follows the owner's settings only.
func (j *Job) toolEnv(own map[string]string) map[string]string {
	c := *j
	c.Spec = sunya.BuildSpec{}
	return c.Env(own)
}

// cacheEnv is the part of the environment that decides what gets installed.
// Proxies and certificates only decide how it is fetched.
func (j *Job) cacheEnv() map[string]string {
	env := map[string]string{}
	for k, v := range j.client {
		if !transportVariable(k) {
			env[k] = v
		}
	}
	maps.Copy(env, j.Spec.Env)
	delete(env, "GOOGLE_ENTRYPOINT")
	return env
}

func transportVariable(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range []string{"PROXY", "CERT", "CA_BUNDLE", "CAFILE", "SSL", "TIMEOUT", "RETRIES"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
