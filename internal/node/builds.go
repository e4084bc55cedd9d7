package node

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit"
	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/program"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/build/source"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/wire/registryv2"
)

// contextLimits bound what a build of an image is made from.
var contextLimits = source.Limits{Files: 200_000, Bytes: 8 << 30}

// newBuilds makes what builds images.
func (n *Node) newBuilds() (*cloudbuild.Service, error) {
	dir, p := n.machine.dir, n.products
	env, files := stepSettings(n.machine.host.Machine().Client)
	engine, err := buildkit.New(buildkit.Options{
		Sandboxes: n.machine.engine,
		StateDir:  dir.Join("buildcache"),
		WorkDir:   dir.Join("run", "images"),
		Builder:   program.Write,
		Launcher:  linuxns.WriteHelper,
		Filter:    linuxns.StepFilter,
		Registry:  n.buildRegistry,
		StepEnv:   env,
		StepFiles: files,
		Log:       n.log.With("component", "buildkit"),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare image builds: %w", err)
	}
	return cloudbuild.New(cloudbuild.Parts{
		Store:        n.storage.state,
		Operations:   p.operations,
		Engine:       engine,
		Builder:      p.builder,
		Images:       p.images,
		Sources:      source.New(sourceObjects{p.objects}, contextLimits),
		Objects:      p.objects,
		EnsureBucket: p.ensureBucket,
		Workspace:    dir,
		Journal: func(project, id string) cloudbuild.Journal {
			return n.serve.journal("build", project, id)
		},
		Now:   time.Now,
		NewID: uuid.NewString,
		Log:   n.log.With("component", "cloudbuild"),
	}), nil
}

// buildRegistry is what the builds of a project see of the registry: images of
// their own project, and what others may read.
func (n *Node) buildRegistry(project string) http.Handler {
	return registryv2.New(registryv2.Deps{
		Registry: n.products.registry,
		Names:    n.machine.ownRegistry(n.cfg.Domain),
		Upstream: images.Upstream{Service: n.products.images, Project: project},
		Confine: func(*http.Request) func(string) bool {
			return func(asked string) bool { return asked == project }
		},
		Log: n.log,
	})
}

// stepSettings are what steps of builds get of the owner's settings for
// installers: those that name folders of this machine are of no use in an image.
func stepSettings(c build.Client) (env map[string]string, files map[string][]byte) {
	env, files = map[string]string{}, map[string][]byte{}
	for name, value := range c.Env {
		if !slices.ContainsFunc(c.Paths, func(p string) bool { return strings.Contains(value, p) }) {
			env[name] = value
		}
	}
	for _, f := range c.Files {
		files[f.Name] = f.Content
		for _, name := range f.Vars {
			env[name] = path.Join(buildkit.StepFilesDir, f.Name)
		}
	}
	return env, files
}
