package detect

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// start sets how the program starts: the user's line; else, as Google does,
// scripts.start, server.js, main, index.js.
func (p *NodePlan) start(fsys fs.FS, pkg *packageJSON, spec sunya.BuildSpec) error {
	if spec.Function != nil {
		return p.function(fsys, pkg, spec)
	}
	line, err := userLine(fsys, spec)
	if err != nil {
		return err
	}
	switch {
	case line != "":
		p.Line, p.Shell = execLine(line), "/bin/bash"
	case pkg != nil && pkg.Scripts["start"] != "":
		p.Line, p.Shell = startScript(pkg), "/bin/sh"
		p.Env = scriptEnv(pkg)
	default:
		file := p.mainFile(fsys, pkg)
		if file == "" {
			return badSource("%s", nothingToStart(fsys, pkg))
		}
		p.Line, p.Shell = "exec node "+shellWord(file), "/bin/sh"
	}
	p.Entry = nodeFiles(p.Line)
	return nil
}

// mainFile is what is started without a start script, or nothing. Scripts may
// yet make the file that package.json names.
func (p *NodePlan) mainFile(fsys fs.FS, pkg *packageJSON) string {
	if exists(fsys, "server.js") {
		return "server.js"
	}
	if main := p.namedMain(fsys, pkg); main != "" {
		return main
	}
	if exists(fsys, "index.js") {
		return "index.js"
	}
	return ""
}

// namedMain is the file that package.json names as main, if it is there or may
// yet be made.
func (p *NodePlan) namedMain(fsys fs.FS, pkg *packageJSON) string {
	if pkg == nil || pkg.Main == "" {
		return ""
	}
	main := path.Clean(strings.TrimPrefix(pkg.Main, "./"))
	for _, name := range []string{main, main + ".js", main + "/index.js"} {
		if fs.ValidPath(name) && exists(fsys, name) {
			return name
		}
	}
	if len(p.Scripts) > 0 {
		return main
	}
	return ""
}

// nothingToStart says what is missing and what to write.
func nothingToStart(fsys fs.FS, pkg *packageJSON) string {
	file := "server.js"
	if found, err := fs.Glob(fsys, "*.js"); err == nil && len(found) == 1 {
		file = found[0]
	}
	if pkg == nil {
		return "the source has neither package.json nor server.js or index.js: add a package.json with \"scripts\": {\"start\": \"node " + file + "\"}, or set entrypoint in app.yaml"
	}
	if pkg.Main != "" {
		return "package.json names " + pkg.Main + " as main, which is not in the source, and has no start script: add \"start\": \"node " + file + "\" to its scripts, or set entrypoint in app.yaml"
	}
	return "package.json has no start script, and the source has neither server.js nor index.js: add \"start\": \"node " + file + "\" to its scripts, or set entrypoint in app.yaml"
}

// runScriptRE is a script that does nothing but run another one.
var runScriptRE = regexp.MustCompile(`^(?:(?:npm|yarn|pnpm) run|npm run-script|yarn|pnpm) ([A-Za-z0-9:._-]+)$`)

// maxHops bounds scripts that run each other in a circle.
const maxHops = 8

// startScript is what npm start comes to: the start script with its prestart,
// run by the shell itself. npm would stay in memory beside the program, cost a
// fifth of a second of every start, and keep SIGTERM to itself.
func startScript(pkg *packageJSON) string {
	name := "start"
	var before []string
	for range maxHops {
		if pre := pkg.Scripts["pre"+name]; pre != "" {
			before = append(before, "( "+pre+"\n) || exit $?\n")
		}
		m := runScriptRE.FindStringSubmatch(strings.TrimSpace(pkg.Scripts[name]))
		if m == nil || pkg.Scripts[m[1]] == "" {
			break
		}
		name = m[1]
	}
	return strings.Join(before, "") + execLine(strings.TrimSpace(pkg.Scripts[name]))
}

// scriptEnv is what npm tells a script about its package.
func scriptEnv(pkg *packageJSON) map[string]string {
	env := map[string]string{"npm_lifecycle_event": "start", "npm_lifecycle_script": pkg.Scripts["start"], "npm_package_json": "/workspace/package.json", "INIT_CWD": "/workspace"}
	for name, value := range map[string]string{"npm_package_name": pkg.Name, "npm_package_version": pkg.Version} {
		if value != "" {
			env[name] = value
		}
	}
	for name, value := range pkg.Config {
		if envNameRE.MatchString(name) {
			env["npm_package_config_"+name] = value
		}
	}
	return env
}

var envNameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var (
	// nodeCallRE is a call of node: its options, which take no further word,
	// and its file.
	nodeCallRE = regexp.MustCompile(`(?:^|[\s;&|(])node((?:\s+-[^\s]+)*)\s+([\w./-]+)(?:\s|$)`)
	// elsewhereRE is a line that leaves the source's folder.
	elsewhereRE = regexp.MustCompile(`(?:^|[\s;&|(])(?:cd|pushd)\s`)
	wordRE      = regexp.MustCompile(`^[\w./@%+=:,-]+$`)
)

// nodeFiles returns the files that a line gives to node, in the source's own
// folder.
func nodeFiles(line string) []string {
	if elsewhereRE.MatchString(line) {
		return nil
	}
	var files []string
	for _, m := range nodeCallRE.FindAllStringSubmatch(line, -1) {
		file := path.Clean(m[2])
		if slices.ContainsFunc(strings.Fields(m[1]), takesWord) || !fs.ValidPath(file) {
			continue
		}
		files = append(files, file)
	}
	return files
}

// takesWord reports whether an option of node has its value in the next word:
// what follows is no file to start.
func takesWord(option string) bool {
	switch option {
	case "-r", "--require", "--import", "--loader", "--experimental-loader", "-e", "--eval", "-p", "--print", "-C", "--conditions":
		return true
	}
	return false
}

// shellWord quotes a word where the shell would take it apart.
func shellWord(s string) string {
	if wordRE.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
