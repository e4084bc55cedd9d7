package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Where things are inside the sandbox of a build, and most of them in that of
// an instance too: scripts carry these paths in their first line.
const (
	Workspace  = "/workspace" // the source
	LayersDir  = "/layers"    // what is installed
	cacheMount = "/cache"     // downloads, shared by the builds of a project
	buildMount = "/build"     // home, temporary files and client files of one build
)

// Job is one build under way, as a Language sees it.
type Job struct {
	Request
	Machine Machine

	engine      sandbox.Engine
	layers      layers.Store
	now         func() time.Time
	log         *slog.Logger
	out         *output
	memoryBytes int64
	pids        int
	cache       string // host path
	scratch     string // host path
	client      map[string]string
	warnings    []string
	sum         string // of the whole source, once asked for
}

// open makes the folders of the job and lays out the client settings.
func (j *Job) open(scratches string) error {
	if err := os.MkdirAll(j.cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(scratches, "b-")
	if err != nil {
		return err
	}
	j.scratch = dir
	j.client = maps.Clone(j.Machine.Client.Env)
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "home"), 0o755),
		os.Mkdir(filepath.Join(dir, "tmp"), 0o755), os.Mkdir(filepath.Join(dir, "client"), 0o755))
	for _, f := range j.Machine.Client.Files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "client", f.Name), f.Content, 0o644))
		for _, v := range f.Vars {
			j.client[v] = buildMount + "/client/" + f.Name
		}
	}
	if err != nil {
		return errors.Join(err, j.close())
	}
	return nil
}

// close removes the job's temporary files.
func (j *Job) close() error { return tree.Remove(j.scratch) }

// Printf writes a line to the build's log.
func (j *Job) Printf(format string, args ...any) { j.out.printf(format, args...) }

// Warn tells the user something, in the log and with the result.
func (j *Job) Warn(lines ...string) {
	for _, l := range lines {
		j.warnings = append(j.warnings, l)
		j.Printf("Warning: %s", l)
	}
}

// took is how long something has taken, for the log.
func (j *Job) took(start time.Time) time.Duration {
	return j.now().Sub(start).Round(time.Millisecond)
}

// Last returns the last lines that the latest step printed.
func (j *Job) Last() []string { return j.out.last() }

// Telling returns the lines of the latest step from which its cause can be
// read: its errors and its last lines.
func (j *Job) Telling() []string { return j.out.telling() }

// Env returns the environment of a step: the owner's client settings, the
// user's build variables, and above them what the builder needs.
func (j *Job) Env(own map[string]string) map[string]string {
	env := maps.Clone(j.client)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, j.Spec.Env)
	env["HOME"] = buildMount + "/home"
	env["TMPDIR"] = buildMount + "/tmp"
	env["LANG"] = "C.UTF-8"
	maps.Copy(env, own)
	return env
}

// Mounts returns what every step sees besides the machine's standard
// directories: the runtime, the owner's package folders, the temporary files.
func (j *Job) Mounts(rt Runtime, more ...sandbox.Mount) []sandbox.Mount {
	ms := []sandbox.Mount{{Source: j.scratch, Target: buildMount, Writable: true}}
	for _, p := range append(append([]string{}, rt.Prefixes...), j.Machine.Client.Paths...) {
		ms = append(ms, sandbox.Mount{Source: p, Target: p})
	}
	return append(ms, more...)
}

// Cache is the mount of the project's download cache.
func (j *Job) Cache() sandbox.Mount {
	return sandbox.Mount{Source: j.cache, Target: cacheMount, Writable: true}
}

// Layer returns the layer that key stands for: the one built before, or what
// make leaves in an empty directory. made says which.
func (j *Job) Layer(ctx context.Context, key, target string, make func(dir string) error) (l sunya.Layer, made bool, err error) {
	l, made, err = layers.Make(ctx, j.layers, key, func(dir string) error {
		if err := make(dir); err != nil {
			return err
		}
		if err := tidy(ctx, dir); err != nil {
			return fmt.Errorf("tidy layer: %w", err)
		}
		return nil
	})
	l.Target = target
	return l, made, err
}

// LayerMount shows a layer read-only.
func (j *Job) LayerMount(l sunya.Layer) (sandbox.Mount, error) {
	dir, err := j.layers.Path(l.Digest)
	return sandbox.Mount{Source: dir, Target: l.Target}, err
}

// key hashes what a layer is made from. It begins with a version: another
// recipe is another key.
func key(parts any) (string, error) {
	data, err := json.Marshal(parts)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
