package detect

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/sunya-cloud/sunya"
)

// GoFramework is the module that serves functions in Go; functions register
// with its package functions.
const GoFramework = "github.com/GoogleCloudPlatform/functions-framework-go"

// GoMainDir is where the build puts the main package around a function, in the
// function's module.
const GoMainDir = "functions.local/app"

const (
	goRegistry = GoFramework + "/functions"
	goServer   = GoFramework + "/funcframework"
)

// oldestFramework is the first version that knows CloudEvents.
const oldestFramework = "v1.1.0"

// GoFunction is how a function in Go is built and called.
type GoFunction struct {
	Target    string
	Signature string // http, cloudevent, event or typed; empty: not known
	Declared  bool   // it registers itself with the framework
	Import    string // the import path of its package
	Version   string // of the framework in go.mod; empty: go.mod does not name it
}

func (f *GoFunction) readMod(mod *modfile.File) {
	f.Import = mod.Module.Mod.Path
	for _, r := range mod.Require {
		if r.Mod.Path == GoFramework {
			f.Version = r.Mod.Version
		}
	}
}

// function reads a module whose root package is a function.
func (p *GoPlan) function(fsys fs.FS, spec sunya.BuildSpec) error {
	if v := spec.Env["GOOGLE_FUNCTION_SOURCE"]; v != "" {
		return badSource("GOOGLE_FUNCTION_SOURCE is not for Go: the function is in the package at the root of its module")
	}
	name, err := packageName(fsys, ".")
	switch {
	case err != nil:
		return err
	case name == "":
		return badSource("the source has no Go files in its first folder: a function in Go is in the package at the root of its module")
	case name == "main":
		return badSource("a function in Go cannot be in a package main, which nothing can import: name the package in its first line, for example package function")
	case !p.Module:
		return badSource("the source has no go.mod: run go mod init example.com/%s and go mod tidy", name)
	}
	if err := p.framework(fsys); err != nil {
		return err
	}
	// The build's own main package may need what the module does not name yet.
	p.Package, p.Tidy = "./"+GoMainDir, !p.Vendor
	return p.target(fsys, name, spec.Function)
}

// framework checks the framework that the module brings.
func (p *GoPlan) framework(fsys fs.FS) error {
	f := p.Function
	switch {
	case p.Vendor && (f.Version == "" || !isDir(fsys, path.Join(goVendor, goServer))):
		return badSource("the vendor folder does not have %s, which serves the function: add to a file of the function import _ %q, then run go get %s, go mod tidy and go mod vendor", goServer, goServer, GoFramework)
	case f.Version != "" && semver.Compare(f.Version, oldestFramework) < 0:
		return badSource("go.mod asks for %s %s, which is too old: run go get %s@latest", GoFramework, f.Version, GoFramework)
	}
	return nil
}

// target finds the function that was asked for, or the one that takes its
// place.
func (p *GoPlan) target(fsys fs.FS, pkg string, want *sunya.FunctionSpec) error {
	found, err := readGoFunctions(fsys)
	if err != nil {
		return err
	}
	f := p.Function
	for _, name := range []string{want.Target, want.Fallback} {
		if d, ok := found.byName[name]; ok && name != "" {
			f.Target, f.Signature, f.Declared = name, d.signature, d.declared
			return nil
		}
	}
	f.Target = want.Target
	switch {
	case found.others[want.Target]: // the compiler and the framework decide
		return nil
	case found.unsure:
		f.Declared = true
		return nil
	}
	list := "none"
	if len(found.names) > 0 {
		list = strings.Join(found.names, ", ")
	}
	return badSource("function %s is not in package %s; found: %s (exported functions with the parameters of a function, and registered ones)", want.Target, pkg, list)
}

// goFunctions is what a package says about its functions.
type goFunctions struct {
	names  []string // in order
	byName map[string]goDeclared
	others map[string]bool // exported names that may be functions
	unsure bool            // there may be more than reading can tell
}

type goDeclared struct {
	signature string
	declared  bool
}

func (g *goFunctions) add(name string, d goDeclared) {
	if _, ok := g.byName[name]; !ok {
		g.names = append(g.names, name)
	}
	if !g.byName[name].declared { // what is registered wins
		g.byName[name] = d
	}
}

// readGoFunctions reads the package at the root.
func readGoFunctions(fsys fs.FS) (*goFunctions, error) {
	g := &goFunctions{byName: map[string]goDeclared{}, others: map[string]bool{}}
	files, err := goFiles(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		data, err := readManifest(fsys, name)
		if err != nil {
			g.unsure = true
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
		if err != nil {
			g.unsure = true // the compiler says more
			continue
		}
		g.file(f)
	}
	if !g.unsure {
		g.unsure, err = registersElsewhere(fsys)
	}
	return g, err
}

func (g *goFunctions) file(f *ast.File) {
	imports := goImports(f)
	if imports["."] != "" { // names without their package
		g.unsure = true
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil || !d.Name.IsExported() {
				continue
			}
			if sig := goSignature(d.Type, imports); sig != "" {
				g.add(d.Name.Name, goDeclared{signature: sig})
			} else {
				g.others[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR {
					for _, n := range v.Names {
						g.others[n.Name] = n.IsExported()
					}
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			g.call(c, imports)
		}
		return true
	})
}

// goRegister are the functions of the framework's package functions, and the
// signatures of what they register.
var goRegister = map[string]string{"HTTP": "http", "CloudEvent": "cloudevent", "Typed": "typed"}

// call looks for functions.HTTP("name", …) and its like.
func (g *goFunctions) call(c *ast.CallExpr, imports map[string]string) {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	x, ok := sel.X.(*ast.Ident)
	signature := goRegister[sel.Sel.Name]
	if !ok || signature == "" || imports[x.Name] != goRegistry || len(c.Args) == 0 {
		return
	}
	if lit, ok := c.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if name, err := strconv.Unquote(lit.Value); err == nil {
			g.add(name, goDeclared{signature, true})
			return
		}
	}
	g.unsure = true
}

// goImports are the packages of a file by the names that it gives them.
func goImports(f *ast.File) map[string]string {
	imports := map[string]string{}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if strings.HasSuffix(p, "/sdk-go/v2") {
			name = "cloudevents"
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = p
	}
	return imports
}

// goSignature tells by its parameters how a function is called; "" for one that
// the framework cannot call.
func goSignature(t *ast.FuncType, imports map[string]string) string {
	params, results := goFields(t.Params), goFields(t.Results)
	if t.TypeParams != nil || len(params) != 2 {
		return ""
	}
	first, second := goType(params[0], imports), goType(params[1], imports)
	switch {
	case len(results) == 0 && first == "net/http.ResponseWriter" && second == "*net/http.Request":
		return "http"
	case len(results) != 1 || goType(results[0], imports) != "error" || first != "context.Context":
		return ""
	case second == "github.com/cloudevents/sdk-go/v2.Event", second == "github.com/cloudevents/sdk-go/v2/event.Event":
		return "cloudevent"
	}
	return "event"
}

// goFields are the types of a list, one for each value.
func goFields(l *ast.FieldList) []ast.Expr {
	var types []ast.Expr
	if l == nil {
		return nil
	}
	for _, f := range l.List {
		for range max(1, len(f.Names)) {
			types = append(types, f.Type)
		}
	}
	return types
}

// goType writes a type with the path of its package.
func goType(e ast.Expr, imports map[string]string) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + goType(e.X, imports)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return imports[x.Name] + "." + e.Sel.Name
		}
	}
	return fmt.Sprintf("%T", e)
}

// registersElsewhere reports whether a package below the root may register
// functions.
func registersElsewhere(fsys fs.FS) (bool, error) {
	found := false
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return badSource("%s cannot be read: %v", name, plain(err))
		case d.IsDir() && name != "." && (d.Name() == goVendor || d.Name() == "testdata" || d.Name()[0] == '.' || d.Name()[0] == '_'):
			return fs.SkipDir
		case d.Type().IsRegular() && path.Dir(name) != "." && path.Ext(name) == ".go":
			data, err := readManifest(fsys, name)
			if found = err != nil || strings.Contains(string(data), goRegistry); found {
				return fs.SkipAll
			}
		}
		return nil
	})
	return found, err
}
