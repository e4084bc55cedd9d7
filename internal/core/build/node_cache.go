package build

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// compileCache is where Node.js keeps, among the packages, what it has compiled
// of them. Instances see it read-only; Node.js checks each part against its
// source and itself, and does without where one does not fit.
const compileCache = ".compile-cache"

// warmJS loads the packages of a program.
//
//go:embed node_warm.js
var warmJS string

// keepsCompiled reports whether the Node.js of this build has a compile cache
// (since 22.1, nodejs.org/api/module.html#module-compile-cache).
func (b *nodeBuild) keepsCompiled() bool {
	v, err := detect.ParseVersion(b.rt.Version)
	return err == nil && v.Compare(detect.Version{Major: 22, Minor: 1}) >= 0 && !b.plan.PnP
}

// warm fills the compile cache of freshly installed packages. Only code of
// packages runs for it, as when they are installed; that it fails, or takes too
// long, changes nothing but the time of a start.
func (b *nodeBuild) warm(ctx context.Context, workspace ...sandbox.Mount) error {
	if !b.keepsCompiled() {
		return nil
	}
	err := b.step(ctx, "Compiling the packages", []string{`timeout -k 1 20 "$SUNYA_NODE" -e "$SUNYA_WARM" >/dev/null 2>&1 </dev/null || true`}, map[string]string{
		"NODE_ENV": b.installMode(), "SUNYA_NODE": b.rt.Path, "SUNYA_WARM": warmJS,
		"NODE_COMPILE_CACHE": modulesDir + "/" + compileCache,
	}, workspace...)
	if isStep(err) {
		b.Printf("The packages are not compiled ahead: %v", err)
		return nil
	}
	return err
}

// compileEnv shows instances the compile cache, if the packages have one.
func (b *nodeBuild) compileEnv(layers []sunya.Layer) map[string]string {
	for _, l := range layers {
		m, err := b.LayerMount(l)
		if err != nil {
			continue
		}
		for target, dir := range map[string]string{modulesDir: compileCache, Workspace: "node_modules/" + compileCache} {
			if fi, err := os.Stat(filepath.Join(m.Source, dir)); l.Target == target && err == nil && fi.IsDir() {
				return map[string]string{"NODE_COMPILE_CACHE": modulesDir + "/" + compileCache}
			}
		}
	}
	return nil
}
