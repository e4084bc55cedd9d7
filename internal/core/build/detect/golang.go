package detect

import (
	"fmt"
	"go/version"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/sunya-cloud/sunya"
)

// GoPlan is how a Go program is built and started.
type GoPlan struct {
	Module  bool      // there is a go.mod; else the source is one package of a GOPATH
	Package string    // what go build is told: ".", "./cmd/web", or an import path
	Found   bool      // Package was looked for, not named
	Staged  bool      // the source itself belongs into the GOPATH, as Package
	Needs   GoVersion // the oldest Go that may build the module; empty: any
	Wants   GoVersion // the Go that the module would like, never older than Needs
	Vendor  bool      // the dependencies are in vendor, as go build sees it
	Ignored bool      // there is a vendor folder that go build does not look at
	Tidy    bool      // there is no go.sum: go mod tidy makes one
	Command []string  // the user's argument vector; nil: the binary itself

	Function *GoFunction // nil: the source is a program
}

// GoVersion is a Go version as go.mod writes it: 1.22, 1.22.3, 1.23rc1.
type GoVersion string

// Compare orders versions as the go command does; the empty one is the oldest.
func (v GoVersion) Compare(w GoVersion) int { return version.Compare("go"+string(v), "go"+string(w)) }

// Holds reports whether w is a Go that can stand for v, which may have been
// given without a patch.
func (v GoVersion) Holds(w GoVersion) bool { return v == "" || w.Compare(v) >= 0 }

// Language is v without its patch: 1.22 of 1.22.3.
func (v GoVersion) Language() GoVersion {
	return GoVersion(strings.TrimPrefix(version.Lang("go"+string(v)), "go"))
}

// Exact reports whether v names one release: 1.22 is a language, 1.22.0 and
// 1.23rc1 are releases.
func (v GoVersion) Exact() bool { return v != v.Language() }

const goVendor = "vendor"

// Version is v without what marks it as a candidate for a release.
func (v GoVersion) Version() Version {
	text := string(v)
	if i := strings.IndexFunc(text, func(r rune) bool { return r >= 'a' && r <= 'z' }); i >= 0 {
		text = text[:i]
	}
	parsed, err := ParseVersion(text)
	if err != nil {
		return Version{Patch: -1}
	}
	return parsed
}

// autoVendor is the go line from which go build uses vendor by itself; under
// an older one vendor is ignored, as at Google.
const autoVendor GoVersion = "1.14"

// Go reads the source of a Go program. An error is FailedPrecondition, and the
// source's fault.
func Go(fsys fs.FS, spec sunya.BuildSpec) (*GoPlan, error) {
	p := &GoPlan{Module: exists(fsys, "go.mod")}
	if spec.Function != nil {
		p.Function = &GoFunction{}
	}
	if p.Module {
		if err := p.readMod(fsys); err != nil {
			return nil, err
		}
		p.Tidy = !exists(fsys, "go.sum") && !p.Vendor
	}
	if spec.Function != nil {
		return p, p.function(fsys, spec)
	}
	if err := p.choosePackage(fsys, spec); err != nil {
		return nil, err
	}
	line, err := userLine(fsys, spec)
	if err == nil && line != "" {
		p.Command = []string{"/bin/bash", "-c", execLine(line)}
	}
	return p, err
}

// readMod reads go.mod: the versions that it asks for, and whether vendor
// counts.
func (p *GoPlan) readMod(fsys fs.FS) error {
	data, err := readManifest(fsys, "go.mod")
	if err != nil {
		return badSource("go.mod cannot be read: %v", plain(err))
	}
	f, err := parseMod(data)
	if err != nil {
		return badSource("%s", modError(err))
	}
	if f.Module == nil || f.Module.Mod.Path == "" {
		return badSource("go.mod has no module line: write for example: module example.com/app")
	}
	if p.Function != nil {
		p.Function.readMod(f)
	}
	if f.Go != nil {
		p.Needs = GoVersion(f.Go.Version)
	}
	p.Wants = p.Needs
	if f.Toolchain != nil {
		// "go1.22.3", "go1.22.3-suffix", or "default", which asks for nothing.
		name, _, _ := strings.Cut(f.Toolchain.Name, "-")
		if v := GoVersion(strings.TrimPrefix(name, "go")); version.IsValid(name) && v.Compare(p.Needs) > 0 {
			p.Wants = v
		}
	}
	vendor, counts := isDir(fsys, goVendor), autoVendor.Holds(p.Needs)
	p.Vendor, p.Ignored = vendor && counts, vendor && !counts
	return nil
}

// parseMod reads go.mod, and one with lines that only a newer Go knows as far
// as it is understood.
func parseMod(data []byte) (*modfile.File, error) {
	f, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		if lax, laxErr := modfile.ParseLax("go.mod", data, nil); laxErr == nil {
			return lax, nil
		}
	}
	return f, err
}

// modError is the first complaint about go.mod, in one line.
func modError(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Where the main package is named, Google's names: a build variable, main: of
// app.yaml, and a file that gcloud's stager writes.
const (
	buildableVar = "GOOGLE_BUILDABLE"
	mainVar      = "GAE_YAML_MAIN"
	stagedModule = "_main-package-path"
	stagedGopath = "_gopath/main-package-path"
)

// choosePackage decides what is built: what the user names, else the root,
// else the only main package there is.
func (p *GoPlan) choosePackage(fsys fs.FS, spec sunya.BuildSpec) error {
	if v := strings.TrimSpace(spec.Env[buildableVar]); v != "" {
		return p.named(fsys, buildableVar, v)
	}
	if v := strings.TrimSpace(spec.Env[mainVar]); v != "" {
		return p.named(fsys, "main", v)
	}
	if p.Module {
		v, err := stagedName(fsys, stagedModule)
		switch {
		case err != nil:
			return err
		case v != "":
			return p.named(fsys, stagedModule, v)
		}
		return p.search(fsys)
	}
	v, err := stagedName(fsys, stagedGopath)
	switch {
	case err != nil:
		return err
	case v != "":
		p.Staged = true
		return p.importPath(stagedGopath, v)
	}
	return p.search(fsys)
}

// stagedName is what a file of gcloud's stager holds; "" where there is none.
func stagedName(fsys fs.FS, name string) (string, error) {
	if !exists(fsys, name) {
		return "", nil
	}
	data, err := readManifest(fsys, name)
	if err != nil {
		return "", badSource("%s cannot be read: %v", name, plain(err))
	}
	return strings.TrimSpace(string(data)), nil
}

// named takes a package or a file of the source, or an import path.
func (p *GoPlan) named(fsys fs.FS, by, value string) error {
	clean := path.Clean(value)
	switch {
	case path.IsAbs(clean):
		return badSource("%s: %q must not be an absolute path: write it from the folder of app.yaml, for example ./cmd/web", by, value)
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return badSource("%s: %q is outside of the source: write it from the folder of app.yaml, for example ./cmd/web", by, value)
	case clean == ".":
		p.Package = "."
	case exists(fsys, clean):
		p.Package = "./" + clean
		return nil
	case isDir(fsys, clean):
		p.Package = "./" + clean
	default:
		return p.importPath(by, clean)
	}
	name, err := packageName(fsys, clean)
	switch {
	case err != nil:
		return err
	case name == "":
		return badSource("%s: %q has no Go files", by, value)
	case name != "main":
		return badSource("%s: %q is package %s: name a folder with package main", by, value, name)
	}
	return nil
}

// importPath takes a package that is not a folder of the source.
func (p *GoPlan) importPath(by, value string) error {
	if strings.HasPrefix(value, "-") || strings.ContainsAny(value, " \t\n\\\"'") || strings.Contains(value, "...") {
		return badSource("%s: %q is neither a folder of the source nor an import path", by, value)
	}
	p.Package = value
	return nil
}

// search looks for the main package: the root, else the only one below it.
func (p *GoPlan) search(fsys fs.FS) error {
	root, err := packageName(fsys, ".")
	if err != nil {
		return err
	}
	p.Package = "."
	if root == "main" {
		return nil
	}
	mains, any, err := mainPackages(fsys)
	switch {
	case err != nil:
		return err
	case len(mains) == 1:
		p.Package, p.Found = "./"+mains[0], true
		return nil
	case len(mains) > 1:
		return badSource("the source has %s: write in app.yaml which one serves, for example main: ./%s", several(mains), mains[0])
	case !any && root == "":
		return badSource("the source has no Go files: app.yaml and the program's folder belong together, or main: names the folder")
	}
	return badSource("the source has no package main: add one, or name it with main: in app.yaml")
}

// several lists main packages, at most a few.
func several(mains []string) string {
	const shown = 6
	list := strings.Join(mains[:min(shown, len(mains))], ", ")
	if n := len(mains) - shown; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%d main packages (%s)", len(mains), list)
}
