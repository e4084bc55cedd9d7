package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/snapshot"
)

// pythonStart is how a Python program is started, as its template must be.
type pythonStart struct {
	interpreter string   // path
	flags       []string // of the interpreter
	module      bool     // whether target is a module (-m) or a file
	target      string
	args        []string
	env         []string // variables for this program alone, NAME=value
}

// isPython reports whether a program is called python, or python3.11.
func isPython(path string) bool {
	version, ok := strings.CutPrefix(filepath.Base(path), "python")
	return ok && strings.Trim(version, "0123456789.") == ""
}

// isAssignment reports whether a word is NAME=value.
func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && variableName(name) == name
}

// variableName returns the name that a text begins with.
func variableName(text string) string {
	n := strings.IndexFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if n >= 0 {
		text = text[:n]
	}
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		return ""
	}
	return text
}

func notKnown(format string, args ...any) error {
	return snapshot.Refusal(fmt.Sprintf(format, args...))
}

// readCommand reads a command line. look finds a program by its name, as a path.
func readCommand(args, env []string, look func(string) (string, error)) (*pythonStart, error) {
	e := &pythonStart{}
	words, err := unwrapShell(args, env)
	if err != nil {
		return nil, err
	}
	if len(words) > 0 && words[0] == "env" {
		words = words[1:]
		for len(words) > 0 && isAssignment(words[0]) {
			e.env = append(e.env, words[0])
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return nil, notKnown("the entrypoint names no program")
	}
	path, err := look(words[0])
	if err != nil {
		return nil, err
	}
	if isPython(path) {
		e.interpreter = path
		return e, e.python(words[1:])
	}
	e.target, e.args = path, words[1:]
	return e, e.script(look)
}

// plainFlags are those of the interpreter that change nothing about where it
// gets its program from.
var plainFlags = []string{"-u", "-B", "-O", "-OO", "-E", "-s", "-S", "-b", "-bb"}

// python reads the arguments of the interpreter.
func (e *pythonStart) python(words []string) error {
	for len(words) > 0 && slices.Contains(plainFlags, words[0]) {
		e.flags, words = append(e.flags, words[0]), words[1:]
	}
	switch {
	case len(words) > 1 && words[0] == "-m":
		e.module, e.target, e.args = true, words[1], words[2:]
	case len(words) > 0 && !strings.HasPrefix(words[0], "-"):
		e.target, e.args = words[0], words[1:]
	default:
		return notKnown("the arguments of Python are not a file or -m MODULE")
	}
	return nil
}

// script finds the interpreter that a file names in its first line.
func (e *pythonStart) script(look func(string) (string, error)) error {
	line, isScript := strings.CutPrefix(trimLine(beginning(e.target)), "#!")
	words := strings.Fields(line)
	if !isScript || len(words) == 0 {
		return notKnown("%s is not a Python program", e.target)
	}
	if filepath.Base(words[0]) == "env" && len(words) == 2 {
		path, err := look(words[1])
		if err != nil {
			return err
		}
		words = []string{path}
	}
	if !isPython(words[0]) || len(words) > 2 {
		return notKnown("%s is not a Python program", e.target)
	}
	e.interpreter = words[0]
	for _, f := range words[1:] {
		if !slices.Contains(plainFlags, f) {
			return notKnown("the first line of %s has the option %s", e.target, f)
		}
		e.flags = append(e.flags, f)
	}
	return nil
}

// unwrapShell takes a simple command out of "sh -c LINE", as the shell would
// start it. What needs a shell is refused.
func unwrapShell(args, env []string) ([]string, error) {
	if len(args) != 3 || args[1] != "-c" {
		return args, nil
	}
	switch filepath.Base(args[0]) {
	case "sh", "bash", "dash":
	default:
		return args, nil
	}
	words, err := shellWords(args[2], env)
	if err != nil {
		return nil, err
	}
	if len(words) > 0 && words[0] == "exec" {
		words = words[1:]
	}
	return words, nil
}

// shellWords splits a line as a shell does (POSIX, Shell Command Language, 2.2 to
// 2.6): quotes, backslashes, variables. It refuses lines of several commands,
// redirections, substitutions and patterns.
func shellWords(line string, env []string) ([]string, error) {
	s := splitter{rest: line, env: env}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 {
		return nil, notKnown("the entrypoint has an open quote")
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	rest  string
	env   []string
	quote byte
	word  strings.Builder
	begun bool // a word, which may be empty
	words []string
}

func (s *splitter) end() {
	if s.begun {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.begun = false
}

func (s *splitter) put(text string) {
	s.word.WriteString(text)
	s.begun = true
}

func (s *splitter) step() error {
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch {
	case s.quote == '\'' && c != '\'':
		s.put(string(c))
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote == 0 && (c == '\'' || c == '"'):
		s.quote, s.begun = c, true
	case c == '\\':
		return s.escape()
	case c == '$':
		return s.variable()
	case c == '`':
		return notKnown("the entrypoint needs a shell (`)")
	case s.quote == '"':
		s.put(string(c))
	case c == ' ' || c == '\t':
		s.end()
	case strings.IndexByte(";&|<>(){}*?[]~#!\n", c) >= 0:
		return notKnown("the entrypoint needs a shell (%c)", c)
	default:
		s.put(string(c))
	}
	return nil
}

func (s *splitter) escape() error {
	if s.rest == "" || s.rest[0] == '\n' {
		return notKnown("the entrypoint needs a shell (\\)")
	}
	if s.quote == '"' && strings.IndexByte("$`\"\\", s.rest[0]) < 0 {
		s.put("\\")
		return nil
	}
	s.put(s.rest[:1])
	s.rest = s.rest[1:]
	return nil
}

// variable puts the value of $NAME, ${NAME} or ${NAME:-DEFAULT}.
func (s *splitter) variable() error {
	name, fallback, rest, ok := cutVariable(s.rest)
	if !ok {
		return notKnown("the entrypoint needs a shell ($)")
	}
	s.rest = rest
	value := envOf(s.env, name)
	if value == "" {
		value = fallback
	}
	if s.quote == 0 && (value == "" || strings.ContainsAny(value, " \t\n*?[")) {
		return notKnown("the entrypoint has a variable outside of quotes that is not one word (%s)", name)
	}
	s.put(value)
	return nil
}

// cutVariable takes the variable off that comes after a dollar sign.
func cutVariable(text string) (name, fallback, rest string, ok bool) {
	inner, braced := strings.CutPrefix(text, "{")
	if braced {
		inner, rest, ok = strings.Cut(inner, "}")
		if !ok {
			return "", "", "", false
		}
	}
	name = variableName(inner)
	after := inner[len(name):]
	if !braced {
		return name, "", after, name != ""
	}
	fallback, hasFallback := strings.CutPrefix(after, ":-")
	return name, fallback, rest, name != "" && (after == "" || hasFallback && !strings.ContainsAny(fallback, "$`\"'\\{"))
}

// lookProgram finds a program as the shell would, with the environment that it
// has.
func (p *process) lookProgram(name string) (string, error) {
	q := *p
	own := *p.doc
	own.Process.Args = []string{name}
	q.doc = &own
	path, err := q.lookPath()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return path, nil
}
