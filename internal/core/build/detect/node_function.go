package detect

import (
	"io/fs"

	"github.com/sunya-cloud/sunya"
)

// frameworkNode serves one function of a Node.js source.
const frameworkNode = "@google-cloud/functions-framework"

// FrameworkModules is where the builder puts a framework that the source does
// not bring: where Node.js looks after the source's own node_modules.
const FrameworkModules = "/node_modules"

// function sets how a function is served: by its framework. The function's file
// is main of package.json, else index.js, else function.js.
func (p *NodePlan) function(fsys fs.FS, pkg *packageJSON, spec sunya.BuildSpec) error {
	if v := spec.Env["GOOGLE_FUNCTION_SOURCE"]; v != "" {
		return badSource("GOOGLE_FUNCTION_SOURCE is not for Node.js: name %s as main in package.json", v)
	}
	if p.PnP {
		return badSource("functions do not start under yarn's Plug'n'Play: write nodeLinker: node-modules into .yarnrc.yml")
	}
	file := p.namedMain(fsys, pkg)
	switch {
	case file != "":
	case pkg != nil && pkg.Main != "":
		return badSource("package.json names %s as main, which is not in the source: the function is in the file that main names", pkg.Main)
	case exists(fsys, "index.js"):
		file = "index.js"
	case exists(fsys, "function.js"):
		file = "function.js"
	default:
		return badSource("the source has neither index.js nor function.js: a function in Node.js is there, or in the file that package.json names as main")
	}
	modules := "/workspace/node_modules"
	if p.Framework = !pkg.needs(frameworkNode); p.Framework {
		modules = FrameworkModules
	}
	p.Function, p.Entry = spec.Function.Target, []string{file}
	p.Line, p.Shell = "exec "+modules+"/.bin/functions-framework", "/bin/sh"
	return nil
}

// needs reports whether a package is among those that are there at run time.
func (pkg *packageJSON) needs(name string) bool {
	if pkg == nil {
		return false
	}
	_, here := pkg.Dependencies[name]
	_, maybe := pkg.Optional[name]
	return here || maybe
}
