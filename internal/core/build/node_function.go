package build

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// FunctionRuntimes implements FunctionLanguage: those of Google, which are the
// versions with long support.
func (Node) FunctionRuntimes() []string { return nodes.known(func(n int) bool { return n%2 == 0 }) }

// target is the function that is served: the one that was asked for, or the one
// that takes its place where the source surely does not have it.
func (b *nodeBuild) target(app sunya.Layer) (string, error) {
	want := b.Spec.Function
	if want == nil {
		return "", nil
	}
	dir, err := b.LayerMount(app)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir.Source)
	if err != nil {
		return "", fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	file := b.plan.Entry[0]
	found := detect.ReadJSFunctions(root.FS(), file)
	b.typed = found.Typed
	switch {
	case !found.Lacks(want.Target):
		return want.Target, nil
	case want.Fallback != "" && !found.Lacks(want.Fallback):
		return want.Fallback, nil
	}
	return "", failed(nil, "%s", notThere(want.Target, file, found.Names))
}

// notThere says that a function is not where it should be, and what is.
func notThere(target, place string, found []string) string {
	const shown = 12
	list := "none"
	if len(found) > 0 {
		list = strings.Join(found[:min(shown, len(found))], ", ")
	}
	if more := len(found) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("function %s is not in %s; found: %s", target, place, list)
}

// functionEnv is what the framework is told. Functions that are registered with
// it decide by themselves how they are called.
func (b *nodeBuild) functionEnv(target string) []sunya.EnvVar {
	env := functionEnv(b.Spec.Function, target, "")
	if env != nil {
		env = append(env, sunya.EnvVar{Name: memoryVar, Field: sunya.FieldMemoryMB})
	}
	return env
}

// framework is the layer of the functions framework, where the source does not
// list it: fetched once for the machine and each Node.js.
func (b *nodeBuild) framework(ctx context.Context) ([]sunya.Layer, error) {
	if !b.plan.Framework {
		return nil, nil
	}
	host, err := b.withNPM()
	if err != nil {
		return nil, err
	}
	v, err := detect.ParseVersion(b.rt.Version)
	if err != nil {
		return nil, fmt.Errorf("version of Node.js: %w", err)
	}
	version := "5"
	if v.Major < 18 || b.typed {
		version = "3" // the last that Express 4 serves, and that has typed functions
	}
	env := fetchEnv(host)
	env["SUNYA_PACKAGE"] = "@google-cloud/functions-framework@" + version
	l, err := b.toolLayer(ctx, tool{name: "the functions framework " + version + " for Node.js", target: detect.FrameworkModules, rt: host, env: env,
		script: `set -e
npm install --prefix /build/tmp/framework --ignore-scripts --omit=dev "$SUNYA_PACKAGE"
cp -R /build/tmp/framework/node_modules/. ` + detect.FrameworkModules})
	if isStep(err) {
		return nil, failed(b.Last(), "Google's functions framework cannot be fetched from the npm registry: %s; a source that lists @google-cloud/functions-framework among its dependencies brings its own", nodeInstallCause(b.Telling(), &detect.NodePlan{Manager: detect.NPM}))
	}
	return []sunya.Layer{l}, err
}
