package detect

import (
	gobuild "go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path"
	"strings"
)

// goContext says which files count: those that a build for this machine's
// kind would compile.
func goContext(fsys fs.FS) *gobuild.Context {
	c := gobuild.Default
	c.GOOS, c.CgoEnabled = "linux", true
	c.JoinPath = path.Join
	c.OpenFile = func(name string) (io.ReadCloser, error) { return fsys.Open(name) }
	return &c
}

// packageName is the name of the package in a folder, "" where no file of it
// would be compiled. A file that does not parse is the compiler's to explain.
func packageName(fsys fs.FS, dir string) (string, error) {
	files, err := goFiles(fsys, dir)
	for _, name := range files {
		if pkg := packageClause(fsys, name); pkg != "" && pkg != "documentation" {
			return pkg, nil
		}
	}
	return "", err
}

// goFiles are the files of a folder that would be compiled.
func goFiles(fsys fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, badSource("%s cannot be read: %v", dir, plain(err))
	}
	c := goContext(fsys)
	var files []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || !e.Type().IsRegular() {
			continue
		}
		if ok, err := c.MatchFile(dir, name); err == nil && ok {
			files = append(files, path.Join(dir, name))
		}
	}
	return files, nil
}

// packageClause reads the package clause of a file, "" where it has none.
func packageClause(fsys fs.FS, name string) string {
	data, err := readManifest(fsys, name)
	if err != nil {
		return ""
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.PackageClauseOnly)
	if err != nil {
		return ""
	}
	return f.Name.Name
}

// mainPackages returns the folders below the root with a package main, sorted,
// but for those that go build's "./..." leaves out: vendored ones, test data,
// names that begin with "." or "_", and modules of their own. any reports
// whether there is any Go file at all.
func mainPackages(fsys fs.FS) (mains []string, any bool, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return badSource("%s cannot be read: %v", name, plain(err))
		}
		if !d.IsDir() || name == "." {
			return nil
		}
		base := d.Name()
		if base == goVendor || base == "testdata" || base[0] == '.' || base[0] == '_' || exists(fsys, path.Join(name, "go.mod")) {
			return fs.SkipDir
		}
		pkg, err := packageName(fsys, name)
		any = any || pkg != ""
		if pkg == "main" {
			mains = append(mains, name)
		}
		return err
	})
	return mains, any, err
}

func isDir(fsys fs.FS, name string) bool {
	fi, err := fs.Stat(fsys, name)
	return err == nil && fi.IsDir()
}
