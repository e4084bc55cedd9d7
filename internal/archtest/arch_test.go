package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/sunya-cloud/sunya"
)

// may lists the layers that each layer imports besides itself.
var may = map[string][]string{
	"sunya": {},
	"core":  {"sunya"},
	"adapt": {"sunya", "core"},
	"wire":  {"sunya", "core"},
	"node":  {"sunya", "core", "adapt", "wire"},
	"cli":   {"sunya", "core", "node"},
	"cmd":   {"cli"},
}

// wireShared are the packages of wire that the others may import.
var wireShared = []string{"transcode", "page", "fieldmask", "lro", "iamv1", "status", "runmodel", "media"}

// suites are packages of adapt that hold the contracts as tests.
var suites = []string{"storetest", "logtest"}

// only says where an import may stand: prefix of the import path to prefixes
// of the packages allowed to have it.
var only = []struct {
	imported string
	allowed  []string
	why      string
}{
	{"database/sql", []string{"internal/adapt/sqlite", "internal/adapt/logdb"}, "SQL belongs to the stores"},
	{"os/exec", []string{"internal/adapt", "internal/cli"}, "programs are started by adapters"},
	{"syscall", []string{"internal/adapt", "internal/node", "internal/cli", "cmd"}, "system calls belong to adapters"},
	{"golang.org/x/sys", []string{"internal/adapt", "internal/node", "internal/cli"}, "system calls belong to adapters"},
	{"google.golang.org/protobuf", []string{"internal/wire", "internal/cli", "internal/node", "internal/adapt/protoschema"}, "protobuf is how it is asked, not what it does"},
	{"google.golang.org/grpc", []string{"internal/wire", "internal/cli", "internal/node", "internal/adapt/buildkit/builder"}, "gRPC is how it is asked"},
	{"github.com/moby/buildkit", []string{"internal/adapt/buildkit/builder"}, "BuildKit is in a program of its own: it is as large as the server"},
	{"github.com/containerd/containerd", []string{"internal/adapt/buildkit/builder"}, "it comes with BuildKit"},
	{"cloud.google.com/go", []string{"internal/wire", "internal/cli"}, "Google's messages are how it is asked"},
	{"google.golang.org/api", []string{"internal/wire", "internal/cli"}, "Google's messages are how it is asked"},
}

// source is one non-test Go file.
type source struct {
	pkg     string // directory relative to the module root, slash-separated; "." is the root
	file    string
	imports []string
	doc     string
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "examples" || name == "e2e" || name == "scripts") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		out = append(out, parse(t, p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parse(t *testing.T, p string) source {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(root, p)
	if err != nil {
		t.Fatal(err)
	}
	s := source{pkg: path.Dir(filepath.ToSlash(rel)), file: rel, doc: f.Doc.Text()}
	for _, i := range f.Imports {
		v, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		s.imports = append(s.imports, v)
	}
	return s
}

// layer returns the layer and the rest of a package directory.
func layer(pkg string) (name, rest string) {
	if pkg == "." {
		return "sunya", ""
	}
	parts := strings.SplitN(strings.TrimPrefix(pkg, "internal/"), "/", 2)
	if len(parts) == 2 {
		rest = parts[1]
	}
	return parts[0], rest
}

// inModule returns the package directory of an import of this module.
func inModule(imported string) (pkg string, ok bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func TestLayers(t *testing.T) {
	for _, s := range sources(t) {
		from, _ := layer(s.pkg)
		for _, imported := range s.imports {
			pkg, ok := inModule(imported)
			if !ok {
				continue
			}
			to, _ := layer(pkg)
			if to != from && !slices.Contains(may[from], to) && from != "archtest" {
				t.Errorf("%s imports %s: %s may not see %s", s.file, imported, from, to)
			}
		}
	}
}

func TestRootImportsStandardLibraryOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg != "." {
			continue
		}
		for _, imported := range s.imports {
			if strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("%s imports %s: the nouns depend on the standard library alone", s.file, imported)
			}
		}
	}
}

func TestSiblings(t *testing.T) {
	for _, s := range sources(t) {
		from, self := layer(s.pkg)
		for _, imported := range s.imports {
			pkg, ok := inModule(imported)
			if !ok {
				continue
			}
			to, other := layer(pkg)
			if to != from || top(other) == top(self) {
				continue
			}
			switch {
			case from == "adapt" && !slices.Contains(suites, top(other)):
				t.Errorf("%s imports %s: adapters do not see each other", s.file, imported)
			case from == "wire" && !slices.Contains(wireShared, top(other)):
				t.Errorf("%s imports %s: APIs share only %v", s.file, imported, wireShared)
			}
		}
	}
}

func top(rest string) string { return strings.SplitN(rest, "/", 2)[0] }

func TestArrowsInsideCore(t *testing.T) {
	allowed := arrows(t)
	walked := map[[2]string]bool{}
	for _, s := range sources(t) {
		from, self := layer(s.pkg)
		if from != "core" {
			continue
		}
		for _, imported := range s.imports {
			pkg, ok := inModule(imported)
			if !ok {
				continue
			}
			to, other := layer(pkg)
			if to != "core" || top(other) == top(self) {
				continue
			}
			common, own := [2]string{"*", top(other)}, [2]string{top(self), top(other)}
			walked[common], walked[own] = true, true
			if !allowed[common] && !allowed[own] {
				t.Errorf("%s imports %s: core/%s -> core/%s is not in arrows.txt", s.file, imported, own[0], own[1])
			}
		}
	}
	for a := range allowed {
		if !walked[a] {
			t.Errorf("arrows.txt: no import needs %s -> %s: remove it", a[0], a[1])
		}
	}
}

// arrows reads arrows.txt.
func arrows(t *testing.T) map[[2]string]bool {
	t.Helper()
	b, err := os.ReadFile("arrows.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[[2]string]bool{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		from, to, ok := strings.Cut(line, " -> ")
		if !ok {
			t.Fatalf("arrows.txt: %q is not an arrow", line)
		}
		out[[2]string{from, to}] = true
	}
	return out
}

func TestDangerousImportsStayInTheirPlace(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for _, rule := range only {
				if imported != rule.imported && !strings.HasPrefix(imported, rule.imported+"/") {
					continue
				}
				ok := slices.ContainsFunc(rule.allowed, func(p string) bool {
					return s.pkg == p || strings.HasPrefix(s.pkg, p+"/")
				})
				if !ok {
					t.Errorf("%s imports %s: %s", s.file, imported, rule.why)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	docs := map[string]bool{}
	for _, s := range sources(t) {
		docs[s.pkg] = docs[s.pkg] || s.doc != ""
	}
	for pkg, ok := range docs {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}
