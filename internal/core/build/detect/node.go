package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// NodeManager is what installs the packages of a Node.js program.
type NodeManager string

// The package managers, and NoNode for a program without packages.
const (
	NoNode NodeManager = ""
	NPM    NodeManager = "npm"
	Yarn   NodeManager = "yarn"       // 1.x, classic
	Berry  NodeManager = "yarn berry" // 2 and newer
	PNPM   NodeManager = "pnpm"
)

// NodePlan is how a Node.js program is built and started.
type NodePlan struct {
	Manager   NodeManager
	Version   string   // of the manager, as a range of the registry; empty: the machine's own
	Lock      string   // the lock file; empty: none
	Manifests []string // what the installed packages follow from, sorted
	WholeTree bool     // the source takes part in the install, or is changed by it
	Why       string   // what makes it so: "a postinstall script"
	PnP       bool     // berry without node_modules
	Vendored  bool     // node_modules comes with the source
	Scripts   []string // of package.json, to be run during the build
	Default   bool     // Scripts were not asked for: the source has a build script
	Dev       bool     // development packages are installed for Scripts
	Prune     bool     // and removed again
	Requires  Semver   // of Node.js

	Function  string // the function that is asked for; empty: the source is a program
	Framework bool   // its framework is not among the dependencies

	Line     string            // how the program starts, for a shell
	Shell    string            // which shell
	Env      map[string]string // of the program, besides what all have
	Entry    []string          // files that the line starts; they may be made by Scripts
	Warnings []string
}

// locks are the lock files in the order in which they count.
var locks = []struct {
	file    string
	manager NodeManager
}{
	{"pnpm-lock.yaml", PNPM}, {"yarn.lock", Yarn}, {"npm-shrinkwrap.json", NPM}, {"package-lock.json", NPM},
}

// Node reads the source of a Node.js program. An error is FailedPrecondition,
// and the source's fault.
func Node(fsys fs.FS, spec sunya.BuildSpec) (*NodePlan, error) {
	pkg, err := readPackage(fsys)
	if err != nil {
		return nil, err
	}
	p := &NodePlan{}
	p.requires(pkg)
	if pkg != nil {
		p.scripts(pkg, spec)
		p.manager(fsys, pkg, spec)
		p.install(fsys, pkg)
	}
	if err := p.start(fsys, pkg, spec); err != nil {
		return nil, err
	}
	slices.Sort(p.Manifests)
	return p, nil
}

func (p *NodePlan) requires(pkg *packageJSON) {
	if pkg == nil {
		return
	}
	var err error
	if p.Requires, err = ParseSemver(pkg.engine("node")); err != nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("package.json: engines.node: %v; it is ignored", err))
	}
}

// scripts decides what is run during the build, by Google's rules: what
// GOOGLE_NODE_RUN_SCRIPTS names (nothing when it is empty), else gcp-build,
// else build. Development packages are there while they run.
func (p *NodePlan) scripts(pkg *packageJSON, spec sunya.BuildSpec) {
	list, set := spec.Env["GOOGLE_NODE_RUN_SCRIPTS"]
	switch {
	case set:
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				p.Scripts = append(p.Scripts, name)
			}
		}
	case pkg.has("gcp-build"):
		if pkg.Scripts["gcp-build"] != "" {
			p.Scripts = []string{"gcp-build"}
		}
	case pkg.Scripts["build"] != "":
		p.Scripts, p.Default = []string{"build"}, true
	}
	env := spec.Env["NODE_ENV"]
	p.Dev = len(p.Scripts) > 0 && env == "" || env != "" && env != "production"
	p.Prune = p.Dev && env == "" && len(pkg.DevDependencies) > 0
}

// manager finds what installs the packages, by the lock file.
func (p *NodePlan) manager(fsys fs.FS, pkg *packageJSON, spec sunya.BuildSpec) {
	p.Manager = NPM
	for _, l := range locks {
		if exists(fsys, l.file) {
			p.Manager, p.Lock = l.manager, l.file
			break
		}
	}
	name, version := pkg.manager()
	if p.Lock == "" && (name == "yarn" || name == "pnpm") {
		p.Manager = NodeManager(name)
	}
	if p.Manager == Yarn && isBerry(fsys, name, version) {
		p.Manager = Berry
	}
	if name == strings.Fields(string(p.Manager))[0] && version != "" {
		p.Version = version
	} else {
		p.Version = p.usualVersion(fsys)
	}
	p.Vendored = strings.EqualFold(spec.Env["GOOGLE_VENDOR_NPM_DEPENDENCIES"], "true") && isFolder(fsys, "node_modules")
}

// isBerry tells the two kinds of yarn apart, which share a lock file.
func isBerry(fsys fs.FS, name, version string) bool {
	if name == "yarn" && version != "" {
		return !strings.HasPrefix(version, "1.")
	}
	if exists(fsys, ".yarnrc.yml") {
		return true
	}
	lock, err := readManifest(fsys, "yarn.lock")
	return err == nil && bytes.Contains(lock, []byte("\n__metadata:"))
}

var (
	pnpmLockRE = regexp.MustCompile(`(?m)^lockfileVersion: *'?([0-9]+)`)
	// What reads a lock file as its author's did: the newest that writes this
	// format.
	pnpmByLock = map[string]string{"5": "7", "6": "8", "9": "10"}
)

// usualVersion is the manager's version where package.json names none.
func (p *NodePlan) usualVersion(fsys fs.FS) string {
	switch p.Manager {
	case Yarn:
		return "1"
	case Berry:
		return "4"
	case PNPM:
		lock, _ := readManifest(fsys, "pnpm-lock.yaml") // missing or odd: the usual one
		if m := pnpmLockRE.FindSubmatch(lock); m != nil && pnpmByLock[string(m[1])] != "" {
			return pnpmByLock[string(m[1])]
		}
		return "10"
	}
	return ""
}

// settings are the files besides manifest and lock that decide what is
// installed.
var settings = []string{".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "pnpm-workspace.yaml"}

// install finds out what the installed packages follow from: manifests alone,
// or the whole source.
func (p *NodePlan) install(fsys fs.FS, pkg *packageJSON) {
	p.Manifests = []string{"package.json"}
	if p.Lock != "" {
		p.Manifests = append(p.Manifests, p.Lock)
	}
	for _, name := range settings {
		if exists(fsys, name) {
			p.Manifests = append(p.Manifests, name)
		}
	}
	if p.Manager == Berry {
		rc, _ := readManifest(fsys, ".yarnrc.yml") // missing: yarn's defaults
		p.PnP = !nodeLinkerRE.Match(rc)
	}
	p.Why = p.why(fsys, pkg)
	p.WholeTree = p.Why != ""
	if len(pkg.Dependencies)+len(pkg.DevDependencies)+len(pkg.Optional) == 0 && !p.WholeTree && p.Lock == "" {
		p.Manager, p.Manifests = NoNode, nil
	}
}

var nodeLinkerRE = regexp.MustCompile(`(?m)^nodeLinker: *["']?(?:node-modules|pnpm)\b`)

// lifecycle are the scripts that a package manager runs by itself when it
// installs.
var lifecycle = []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"}

// why says what makes the source take part in the install, or nothing.
func (p *NodePlan) why(fsys fs.FS, pkg *packageJSON) string {
	for _, name := range lifecycle {
		if pkg.Scripts[name] != "" {
			return "a " + name + " script"
		}
	}
	for _, deps := range []map[string]string{pkg.Dependencies, pkg.DevDependencies, pkg.Optional} {
		for name, spec := range deps {
			if localSpecRE.MatchString(spec) {
				return "a package in the source (" + name + ")"
			}
		}
	}
	switch {
	case pkg.Workspaces:
		return "workspaces"
	case p.Manager == PNPM && exists(fsys, "pnpm-workspace.yaml") && pnpmPackages(fsys):
		return "workspaces"
	case exists(fsys, "binding.gyp"):
		return "binding.gyp"
	case pkg.Patched:
		return "patched packages"
	case p.PnP:
		return "yarn's Plug'n'Play"
	case p.Manager == Berry && isFolder(fsys, ".yarn"):
		return "the .yarn folder"
	}
	return ""
}

var (
	localSpecRE    = regexp.MustCompile(`^(?:file:|link:|portal:|patch:|workspace:|\.{0,2}/|~/)`)
	pnpmPackagesRE = regexp.MustCompile(`(?m)^(?:packages|patchedDependencies):`)
)

func pnpmPackages(fsys fs.FS) bool {
	data, err := readManifest(fsys, "pnpm-workspace.yaml")
	return err != nil || pnpmPackagesRE.Match(data)
}

func isFolder(fsys fs.FS, name string) bool {
	fi, err := fs.Stat(fsys, name)
	return err == nil && fi.IsDir()
}

// packageJSON is the part of package.json that is ours to know. What has an
// unexpected type counts as missing: npm itself is as lenient.
type packageJSON struct {
	Name, Version, Main, Manager string
	Scripts                      map[string]string
	Engines                      map[string]string
	Dependencies                 map[string]string
	DevDependencies              map[string]string
	Optional                     map[string]string
	Config                       map[string]string
	Workspaces                   bool
	Patched                      bool
}

// readPackage returns nil where there is no package.json.
func readPackage(fsys fs.FS) (*packageJSON, error) {
	fields, err := readObject(fsys, "package.json")
	if fields == nil || err != nil {
		return nil, err
	}
	var patched struct{ PatchedDependencies map[string]any }
	_ = json.Unmarshal(fields["pnpm"], &patched) // an unexpected type has no patches
	return &packageJSON{
		Name: text(fields["name"]), Version: text(fields["version"]), Main: text(fields["main"]), Manager: text(fields["packageManager"]),
		Scripts: texts(fields["scripts"]), Engines: texts(fields["engines"]), Config: texts(fields["config"]),
		Dependencies: texts(fields["dependencies"]), DevDependencies: texts(fields["devDependencies"]),
		Optional:   texts(fields["optionalDependencies"]),
		Workspaces: len(fields["workspaces"]) > 0, Patched: len(patched.PatchedDependencies) > 0,
	}, nil
}

func (pkg *packageJSON) has(script string) bool { _, ok := pkg.Scripts[script]; return ok }

func (pkg *packageJSON) engine(name string) string {
	if pkg == nil {
		return ""
	}
	return pkg.Engines[name]
}

var packageManagerRE = regexp.MustCompile(`^(npm|yarn|pnpm)@([0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?)(?:\+.*)?$`)

// manager splits packageManager: yarn@4.1.0+sha224.… is yarn and 4.1.0.
func (pkg *packageJSON) manager() (name, version string) {
	if m := packageManagerRE.FindStringSubmatch(pkg.Manager); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// readObject reads a file with a JSON object; nil where there is none.
func readObject(fsys fs.FS, name string) (map[string]json.RawMessage, error) {
	if !exists(fsys, name) {
		return nil, nil
	}
	data, err := readManifest(fsys, name)
	if err != nil {
		return nil, badSource("%s cannot be read: %v", name, plain(err))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, badSource("%s%s is not valid JSON: %v", name, jsonLine(data, err), err)
	}
	if fields == nil { // the word null
		return nil, badSource("%s is not a JSON object", name)
	}
	return fields, nil
}

// jsonLine is where a JSON error is: " line 3".
func jsonLine(data []byte, err error) string {
	var e *json.SyntaxError
	if !errors.As(err, &e) {
		return ""
	}
	return fmt.Sprintf(" line %d", 1+bytes.Count(data[:min(int(e.Offset), len(data))], []byte("\n")))
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // another type counts as missing
	return s
}

// texts are the members of an object that are words or numbers.
func texts(raw json.RawMessage) map[string]string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields) // another type counts as missing
	m := map[string]string{}
	for k, v := range fields {
		switch {
		case len(v) > 0 && v[0] == '"':
			m[k] = text(v)
		case len(v) > 0 && v[0] != '{' && v[0] != '[' && v[0] != 'n':
			m[k] = string(v)
		}
	}
	return m
}
