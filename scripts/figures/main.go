// Figures prints the shape of a Go module in numbers, to be looked at like a
// mirror: where a figure leaves its range, somebody looks at the place that
// causes it and decides.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// figures are the raw counts of a tree.
type figures struct {
	files, funcs, branches, methods []int
	code, test                      int
	exported, documented            int
	inits, panics                   int
	packages, packageDocs           map[string]bool
	longest                         string
	longestLen                      int
}

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	f := &figures{packages: map[string]bool{}, packageDocs: map[string]bool{}}
	if err := filepath.WalkDir(root, f.visit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f.print()
}

func (f *figures) visit(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
		return filepath.SkipDir
	}
	if d.IsDir() || !strings.HasSuffix(path, ".go") {
		return nil
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	lines := set.Position(file.End()).Line
	if strings.HasSuffix(path, "_test.go") {
		f.test += lines
		return nil
	}
	f.code += lines
	f.files = append(f.files, lines)
	dir := filepath.Dir(path)
	f.packages[dir] = true
	f.packageDocs[dir] = f.packageDocs[dir] || file.Doc != nil
	for _, decl := range file.Decls {
		f.declaration(set, decl)
	}
	return nil
}

func (f *figures) declaration(set *token.FileSet, decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		f.function(set, d)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			f.spec(d, spec)
		}
	}
}

func (f *figures) function(set *token.FileSet, d *ast.FuncDecl) {
	n := set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1
	f.funcs = append(f.funcs, n)
	if n > f.longestLen {
		f.longestLen, f.longest = n, fmt.Sprintf("%s (%s)", d.Name.Name, set.Position(d.Pos()))
	}
	if d.Name.Name == "init" && d.Recv == nil {
		f.inits++
	}
	f.export(d.Name, d.Doc)
	f.branches = append(f.branches, 1+f.count(d))
}

// count returns the branches of a function and notes its panics.
func (f *figures) count(d *ast.FuncDecl) int {
	n := 0
	ast.Inspect(d, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.CaseClause, *ast.CommClause:
			n++
		case *ast.BinaryExpr:
			if x.Op == token.LAND || x.Op == token.LOR {
				n++
			}
		case *ast.CallExpr:
			if id, ok := x.Fun.(*ast.Ident); ok && id.Name == "panic" {
				f.panics++
			}
		}
		return true
	})
	return n
}

func (f *figures) spec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		doc := s.Doc
		if doc == nil {
			doc = d.Doc
		}
		f.export(s.Name, doc)
		if i, ok := s.Type.(*ast.InterfaceType); ok {
			f.methods = append(f.methods, len(i.Methods.List))
		}
	case *ast.ValueSpec:
		doc := s.Doc
		if doc == nil {
			doc = d.Doc
		}
		for _, name := range s.Names {
			f.export(name, doc)
		}
	}
}

func (f *figures) export(name *ast.Ident, doc *ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	f.exported++
	if doc != nil {
		f.documented++
	}
}

func (f *figures) print() {
	docs := 0
	for _, ok := range f.packageDocs {
		if ok {
			docs++
		}
	}
	over := func(list []int, limit int) float64 {
		n := 0
		for _, v := range list {
			if v > limit {
				n++
			}
		}
		return 100 * float64(n) / float64(max(len(list), 1))
	}
	rows := [][3]string{
		{"measure", "here", "wanted"},
		{"lines of code, of tests, ratio", fmt.Sprintf("%d, %d, %.2f", f.code, f.test, float64(f.test)/float64(max(f.code, 1))), "1.0"},
		{"packages, with package comment", fmt.Sprintf("%d, %d", len(f.packages), docs), "all"},
		{"exported names, documented", fmt.Sprintf("%d, %.0f %%", f.exported, 100*float64(f.documented)/float64(max(f.exported, 1))), "nearly all"},
		{"lines a file, median / p90", quantiles(f.files, 50, 90), "110 / 320"},
		{"lines a function, median / p90 / p99", quantiles(f.funcs, 50, 90, 99), "9 / 35 / 70"},
		{"functions over 60 lines", fmt.Sprintf("%.1f %%", over(f.funcs, 60)), "2 %"},
		{"branches a function, p90; over 15", fmt.Sprintf("%s; %.1f %%", quantiles(f.branches, 90), over(f.branches, 15)), "6; 1 %"},
		{"methods an interface, median / p90", quantiles(f.methods, 50, 90), "2 / 4"},
		{"init functions, panics", fmt.Sprintf("%d, %d", f.inits, f.panics), "0, next to none"},
		{"longest function", fmt.Sprintf("%d: %s", f.longestLen, f.longest), ""},
	}
	for _, r := range rows {
		fmt.Printf("%-38s %-30s %s\n", r[0], r[1], r[2])
	}
}

// quantiles formats percentiles of a list.
func quantiles(list []int, percent ...int) string {
	sorted := slices.Sorted(slices.Values(list))
	var out []string
	for _, p := range percent {
		v := 0
		if len(sorted) > 0 {
			v = sorted[min(len(sorted)-1, len(sorted)*p/100)]
		}
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, " / ")
}
