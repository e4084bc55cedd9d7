package detect

import (
	"cmp"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// gunicornLine is the default way to serve: one worker, because a second one
// doubles the start, and no timeout, because its heartbeat does not survive a
// freeze.
const gunicornLine = "exec gunicorn -b :$PORT --workers 1 --threads 8 --timeout 0 "

// asgiSince is the minor version from which Google also looks for ASGI servers
// when nothing else says how to start.
const asgiSince = 13

// entrypoint sets how the program starts: the user's line, else what the
// source and its packages ask for.
func (p *PythonPlan) entrypoint(fsys fs.FS, spec sunya.BuildSpec, v Version, names map[string]bool) error {
	if spec.Function != nil {
		return p.function(fsys, spec, names)
	}
	line, err := userLine(fsys, spec)
	if err != nil {
		return err
	}
	if line != "" {
		p.Command = []string{"/bin/bash", "-c", execLine(line)}
		p.Entry = entryFiles(fsys, line)
		return nil
	}
	p.Default = true
	main := slices.IndexFunc([]string{"main.py", "app.py"}, func(f string) bool { return exists(fsys, f) })
	if main < 0 {
		return badSource("the source has neither main.py nor app.py and no entrypoint: add main.py with a WSGI application named app, or set entrypoint in app.yaml")
	}
	module := []string{"main", "app"}[main]
	p.Entry = []string{module + ".py"}
	p.Command = []string{"/bin/sh", "-c", p.serve(module, v, names)}
	return nil
}

// frameworkPy serves one function of a Python source.
const frameworkPy = "functions-framework"

// function sets how a function is served: by its framework, which is told by its
// environment which function of which kind it is.
func (p *PythonPlan) function(fsys fs.FS, spec sunya.BuildSpec, names map[string]bool) error {
	file := cmp.Or(spec.Env["GOOGLE_FUNCTION_SOURCE"], "main.py")
	if !fs.ValidPath(file) || !exists(fsys, file) {
		return badSource("the source has no %s: a function in Python is there, or in the file that the build variable GOOGLE_FUNCTION_SOURCE names", file)
	}
	if !names[frameworkPy] {
		p.Extra = []string{frameworkPy}
	}
	p.Default, p.Entry, p.Function = true, []string{file}, pythonTarget(fsys, file, spec.Function)
	p.Signature = pythonSignature(fsys, file, p.Function)
	p.Command = []string{"/bin/sh", "-c", "exec " + frameworkPy + " --source='" + strings.ReplaceAll(file, "'", `'\''`) + "'"}
	return nil
}

// pythonTarget is the function that a file is to have: the one that was asked
// for, else, where its name is nowhere in the file, the one that takes its place.
func pythonTarget(fsys fs.FS, file string, f *sunya.FunctionSpec) string {
	data, err := readManifest(fsys, file)
	if err != nil || f.Fallback == "" || starImportRE.Match(data) {
		return f.Target
	}
	has := func(format, name string) bool {
		return regexp.MustCompile(fmt.Sprintf(format, regexp.QuoteMeta(name))).Match(data)
	}
	if has(`\b%s\b`, f.Target) || !has(`(?m)^(?:async +)?def +%s\b`, f.Fallback) {
		return f.Target
	}
	return f.Fallback
}

var starImportRE = regexp.MustCompile(`(?m)^\s*from\s.*import\s+\*`)

// serve is the default line for a module whose application is named app.
func (p *PythonPlan) serve(module string, v Version, names map[string]bool) string {
	if v.Minor >= asgiSince && !names["gunicorn"] {
		switch {
		case names["uvicorn"], names["fastapi[standard]"]:
			return "exec uvicorn " + module + ":app --port $PORT --host 0.0.0.0"
		case names["gradio"]:
			return "exec python " + module + ".py"
		case names["streamlit"]:
			return "exec streamlit run " + module + ".py --server.address 0.0.0.0 --server.port $PORT"
		}
	}
	if !names["gunicorn"] {
		p.Extra = []string{"gunicorn"}
	}
	return gunicornLine + module + ":app"
}

// userLine is the line that the user gave: app.yaml's, the build variable's,
// or the Procfile's.
func userLine(fsys fs.FS, spec sunya.BuildSpec) (string, error) {
	for _, line := range []string{spec.Entrypoint, spec.Env["GOOGLE_ENTRYPOINT"]} {
		if line = strings.TrimSpace(line); line != "" {
			return line, nil
		}
	}
	if !exists(fsys, "Procfile") {
		return "", nil
	}
	data, err := readManifest(fsys, "Procfile")
	if err != nil {
		return "", badSource("Procfile cannot be read: %v", plain(err))
	}
	for l := range strings.Lines(string(data)) {
		if cmd, ok := strings.CutPrefix(strings.TrimSpace(l), "web:"); ok && strings.TrimSpace(cmd) != "" {
			return strings.TrimSpace(cmd), nil
		}
	}
	return "", badSource("the Procfile has no web: line: add one, or remove the file")
}

var (
	shellRE   = regexp.MustCompile("[;&|<>(){}`\n]")
	assignRE  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\+?=`)
	simpleRE  = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_]*=[^\s'"]*\s+)+([^\s=]+.*)$`)
	builtinRE = regexp.MustCompile(`^(?:exec|cd|export|source|\.|set|unset|ulimit|umask|eval|if|for|while|until|case|!|time|\[\[?|:|trap|readonly|declare|local|test)(?:\s|$)`)
)

// execLine puts exec before a simple command, so that the shell makes room for
// the program and signals reach it. Any other line stays as it is.
func execLine(line string) string {
	switch m := simpleRE.FindStringSubmatch(line); {
	case shellRE.MatchString(line), builtinRE.MatchString(line):
		return line
	case m != nil && !builtinRE.MatchString(m[1]): // variables for this program alone
		return "exec env " + line
	case assignRE.MatchString(line):
		return line
	}
	return "exec " + line
}

var (
	moduleRE = regexp.MustCompile(`(?:^|\s)([A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*(?:\(\))?(?:\s|$)`)
	scriptRE = regexp.MustCompile(`(?:^|\s)([\w./-]+\.py)(?:\s|$)`)
)

// entryFiles returns the files of the source that a line starts.
func entryFiles(fsys fs.FS, line string) []string {
	var files []string
	for _, m := range moduleRE.FindAllStringSubmatch(line, -1) {
		base := strings.ReplaceAll(m[1], ".", "/")
		files = append(files, base+".py", base+"/__init__.py")
	}
	for _, m := range scriptRE.FindAllStringSubmatch(line, -1) {
		files = append(files, strings.TrimPrefix(m[1], "./"))
	}
	return slices.DeleteFunc(files, func(f string) bool { return !fs.ValidPath(f) || !exists(fsys, f) })
}
