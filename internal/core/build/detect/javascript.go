package detect

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// JSFunctions is what a JavaScript file says about its functions.
type JSFunctions struct {
	Names []string // exported, or registered with the functions framework; in order
	// Sure says that everything the file exports is in Names. Where it is not,
	// functions are made in a way that only running the file shows, or by a package
	// for a file that makes none itself.
	Sure bool
	// Typed says that a function is registered as a typed one, which version 3 of
	// the framework knows, and no later one.
	Typed bool
	said  map[string]bool // every name and word of the file
}

// What is read to know one file is bounded: the server itself reads.
const (
	maxJSFiles   = 100
	maxJSReading = 4 << 20 // bytes
)

// ReadJSFunctions reads the file of a function in Node.js, and of the files that
// it loads as much as to know whether they register functions of their own.
func ReadJSFunctions(fsys fs.FS, file string) JSFunctions {
	tokens, ok := jsFile(fsys, file)
	s := jsScan{tokens: tokens, sure: ok}
	s.framework = s.says(frameworkNode)
	s.run()
	if s.sure {
		s.sure = (len(s.names) > 0 || !slices.ContainsFunc(tokens, loading)) && registersNothing(fsys, file, tokens)
	}
	f := JSFunctions{Names: s.names, Sure: s.sure, Typed: s.typed, said: map[string]bool{}}
	for _, t := range tokens {
		f.said[t.text] = true
	}
	return f
}

// Lacks reports whether a function is surely not there. Targets may have dots:
// their first part is what counts.
func (f JSFunctions) Lacks(target string) bool {
	first, _, _ := strings.Cut(target, ".")
	return f.Sure && !f.said[first] && !f.said[target]
}

// jsFile splits a file of the source; not ok where it cannot be read whole.
func jsFile(fsys fs.FS, file string) ([]jsToken, bool) {
	if !fs.ValidPath(file) || !exists(fsys, file) {
		return nil, false
	}
	data, err := readManifest(fsys, file)
	if err != nil {
		return nil, false
	}
	return jsTokens(string(data))
}

// registersNothing reports whether no other file of the source that a file
// loads, or those load, speaks of the functions framework.
func registersNothing(fsys fs.FS, file string, tokens []jsToken) bool {
	seen, todo, left := map[string]bool{file: true}, jsLoads(file, tokens), maxJSReading
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		found := slices.IndexFunc([]string{"", ".js", ".cjs", ".mjs", ".json", "/index.js"}, func(end string) bool { return exists(fsys, name+end) })
		if found < 0 {
			return false
		}
		name += []string{"", ".js", ".cjs", ".mjs", ".json", "/index.js"}[found]
		if seen[name] || path.Ext(name) == ".json" {
			continue
		}
		fi, err := fs.Stat(fsys, name)
		if err != nil {
			return false
		}
		seen[name], left = true, left-int(fi.Size())
		if len(seen) > maxJSFiles || left < 0 {
			return false
		}
		tokens, ok := jsFile(fsys, name)
		if s := (jsScan{tokens: tokens}); !ok || s.says(frameworkNode) {
			return false
		}
		todo = append(todo, jsLoads(name, tokens)...)
	}
	return true
}

// jsLoads are the files of the source that a file names, as far as they begin
// with "./" or "../".
func jsLoads(file string, tokens []jsToken) []string {
	var files []string
	for _, t := range tokens {
		if loading(t) && (strings.HasPrefix(t.text, "./") || strings.HasPrefix(t.text, "../")) {
			files = append(files, path.Join(path.Dir(file), t.text))
		}
	}
	return files
}

// loading reports whether a string stands where a module is named.
func loading(t jsToken) bool {
	switch t.after {
	case "from", "import", "require(", "import(":
		return t.kind == jsString
	}
	return false
}
