package build

import (
	"cmp"
	"context"
	"maps"
	"path"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// managerDir is where a package manager that was fetched is mounted.
const managerDir = LayersDir + "/manager"

// npmQuiet keeps npm to its work.
var npmQuiet = map[string]string{
	"npm_config_update_notifier": "false", "npm_config_audit": "false", "npm_config_fund": "false", "npm_config_progress": "false",
	"NO_COLOR": "1", "COREPACK_ENABLE_STRICT": "0",
}

// fetchEnv is what npm is told when it fetches a tool.
func fetchEnv(host Runtime) map[string]string {
	env := maps.Clone(npmQuiet)
	env["PATH"] = path.Dir(host.Path) + ":/usr/local/bin:/usr/bin:/bin"
	env["npm_config_cache"] = buildMount + "/tmp/npm"
	env["npm_config_fetch_retries"] = "1" // where it cannot be had, say so soon
	env["npm_config_fetch_retry_mintimeout"] = "1000"
	return env
}

// managerEnvs are what each package manager is told besides.
var managerEnvs = map[detect.NodeManager]map[string]string{
	detect.Yarn:  {"YARN_CACHE_FOLDER": cacheMount + "/yarn"},
	detect.Berry: {"YARN_GLOBAL_FOLDER": cacheMount + "/berry", "YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_COLORS": "0", "YARN_ENABLE_PROGRESS_BARS": "0"},
	detect.PNPM:  {"npm_config_store_dir": cacheMount + "/pnpm", "npm_config_manage_package_manager_versions": "false"},
}

// managerEnv is what the package manager is told.
func (b *nodeBuild) managerEnv() map[string]string {
	env := maps.Clone(npmQuiet)
	env["npm_config_cache"] = cacheMount + "/npm"
	maps.Copy(env, managerEnvs[b.plan.Manager])
	return env
}

// managerPackage is what the registry calls the manager.
var managerPackage = map[detect.NodeManager]string{detect.NPM: "npm", detect.Yarn: "yarn", detect.Berry: "@yarnpkg/cli-dist", detect.PNPM: "pnpm"}

// managerMount is the package manager, fetched once for the machine; nothing
// where the machine's npm does.
func (b *nodeBuild) managerMount(ctx context.Context, host Runtime) ([]sandbox.Mount, error) {
	name, version := cmp.Or(b.plan.Manager, detect.NPM), b.plan.Version
	if name == detect.NPM && version == "" {
		version = b.fittingNPM()
	}
	if version == "" {
		return nil, nil
	}
	env := fetchEnv(host)
	env["SUNYA_PACKAGE"] = managerPackage[name] + "@" + version
	m, err := b.toolMount(ctx, tool{name: string(name) + " " + version, target: managerDir, rt: host, env: env,
		script: `exec npm install --global --prefix ` + managerDir + ` "$SUNYA_PACKAGE"`})
	if isStep(err) {
		return nil, failed(b.Last(), "%s %s cannot be fetched from the npm registry: check packageManager in package.json, and the registry", name, version)
	}
	return []sandbox.Mount{m}, err
}

// npmByNode says from which Node.js on a major version of npm runs, newest
// first.
var npmByNode = []struct {
	since detect.Version
	npm   string
}{
	{detect.Version{Major: 22, Minor: 9}, "11"}, {detect.Version{Major: 18, Minor: 17}, "10"},
	{detect.Version{Major: 14, Minor: 17}, "9"}, {detect.Version{Major: 12, Minor: 13}, "8"},
}

// fittingNPM is the npm for a Node.js that comes without one: the machine's is
// made for another.
func (b *nodeBuild) fittingNPM() string {
	v, err := detect.ParseVersion(b.rt.Version)
	if err != nil || b.rt.Has("npm") {
		return ""
	}
	for _, n := range npmByNode {
		if v.Compare(n.since) >= 0 {
			return n.npm
		}
	}
	return "6"
}

// runner is the manager's program.
func (b *nodeBuild) runner() string {
	switch b.plan.Manager {
	case detect.Yarn, detect.Berry:
		return "yarn"
	case detect.PNPM:
		return "pnpm"
	}
	return "npm"
}

// installLines install as the lock file says; NODE_ENV says whether with
// development packages.
func (b *nodeBuild) installLines() []string {
	switch b.plan.Manager {
	case detect.Yarn:
		return []string{"yarn install --non-interactive --prefer-offline" + b.frozen(" --frozen-lockfile")}
	case detect.Berry:
		return b.berryLines()
	case detect.PNPM:
		return []string{"CI=true pnpm install" + b.frozen(" --frozen-lockfile")}
	}
	if b.plan.Lock == "" {
		return []string{"npm install"}
	}
	return []string{"npm ci"}
}

func (b *nodeBuild) frozen(flag string) string {
	if b.plan.Lock == "" {
		return ""
	}
	return flag
}

// berryLines install with yarn 2 and newer. Its packages lie in node_modules
// unless the source asks for Plug'n'Play; then they lie in the source's own
// cache, because a program reads them from there.
func (b *nodeBuild) berryLines() []string {
	var lines []string
	if b.plan.PnP {
		lines = append(lines, "export YARN_ENABLE_GLOBAL_CACHE=false")
	}
	lines = append(lines, "yarn install"+b.frozen(" --immutable"))
	if !b.plan.Dev {
		lines = append(lines, b.pruneLines()...)
	}
	return lines
}

// pruneLines remove development packages; none where the manager cannot.
func (b *nodeBuild) pruneLines() []string {
	switch b.plan.Manager {
	case detect.NPM:
		return []string{"npm prune --omit=dev"}
	case detect.Yarn:
		return []string{"yarn install --ignore-scripts --non-interactive --prefer-offline --production=true" + b.frozen(" --frozen-lockfile")}
	case detect.PNPM:
		return []string{"CI=true pnpm prune --prod"}
	case detect.Berry:
		major, _, _ := strings.Cut(b.plan.Version, ".")
		if n, err := strconv.Atoi(major); err == nil && n >= 4 && !b.plan.PnP { // a plugin before
			return []string{"yarn workspaces focus --all --production"}
		}
	}
	return nil
}
