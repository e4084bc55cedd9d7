package pid1

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/snapshot"
)

func TestShellWords(t *testing.T) {
	env := []string{"PORT=8080", "EMPTY=", "TWO=a b"}
	for _, c := range []struct {
		line string
		want string // words with | between; or a part of the error after "!"
	}{
		{"gunicorn -b :$PORT main:app", "gunicorn|-b|:8080|main:app"},
		{"gunicorn -b :${PORT}  'main:create()'", "gunicorn|-b|:8080|main:create()"},
		{`uvicorn "main:app" --port "${PORT:-9000}" --x ${NONE:-y}`, "uvicorn|main:app|--port|8080|--x|y"},
		{`python main.py '' "$TWO" a\ b "q\"" "\n"`, `python|main.py||a b|a b|q"|\n`},
		{"a && b", "!shell (&)"}, {"a; b", "!shell (;)"}, {"a > f", "!shell (>)"}, {"a $(b)", "!shell ($)"},
		{"a `b`", "!shell (`)"}, {"a *.py", "!shell (*)"}, {"a 'b", "!open quote"}, {"a $EMPTY", "!not one word"},
		{"a $TWO", "!not one word"}, {"a ${PORT", "!shell ($)"}, {"a ${PORT:?x}", "!shell ($)"}, {"a $1", "!shell ($)"},
		{"a #b", "!shell (#)"}, {"a ~", "!shell (~)"}, {"a \\", "!shell (\\)"},
	} {
		words, err := shellWords(c.line, env)
		if part, bad := strings.CutPrefix(c.want, "!"); bad {
			var r snapshot.Refusal
			if !errors.As(err, &r) || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q, %v; want an error with %q", c.line, words, err, part)
			}
			continue
		}
		if got := strings.Join(words, "|"); err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.line, got, err, c.want)
		}
	}
}

func FuzzShellWords(f *testing.F) {
	f.Add("exec gunicorn -b :$PORT ${A:-b} 'c' \"d\\\"\" \\e main:app")
	f.Fuzz(func(t *testing.T, line string) {
		if words, err := shellWords(line, []string{"PORT=1"}); err != nil && words != nil {
			t.Errorf("%q: %q with %v", line, words, err)
		}
	})
}

func TestReadCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := write("gunicorn", "#!/layers/python/bin/python\nimport x\n")
	byEnv := write("serve", "#!/usr/bin/env python3\n")
	optioned := write("flagged", "#!/usr/bin/python3 -sP\n")
	other := write("run.sh", "#!/bin/sh\n")
	look := func(name string) (string, error) {
		if strings.HasPrefix(name, "python") {
			return "/usr/bin/" + name, nil
		}
		return filepath.Join(dir, filepath.Base(name)), nil
	}
	for _, c := range []struct {
		args []string
		want pythonStart
		err  string
	}{
		{args: []string{"/bin/sh", "-c", "exec gunicorn -b :$PORT main:app"},
			want: pythonStart{interpreter: "/layers/python/bin/python", target: script, args: []string{"-b", ":8080", "main:app"}}},
		{args: []string{"/bin/bash", "-c", "exec env A=b C=d gunicorn main:app"},
			want: pythonStart{interpreter: "/layers/python/bin/python", target: script, args: []string{"main:app"}, env: []string{"A=b", "C=d"}}},
		{args: []string{"serve"}, want: pythonStart{interpreter: "/usr/bin/python3", target: byEnv}},
		{args: []string{"python3", "-u", "main.py", "-x"},
			want: pythonStart{interpreter: "/usr/bin/python3", flags: []string{"-u"}, target: "main.py", args: []string{"-x"}}},
		{args: []string{"python3.11", "-m", "uvicorn", "main:app"},
			want: pythonStart{interpreter: "/usr/bin/python3.11", module: true, target: "uvicorn", args: []string{"main:app"}}},
		{args: []string{"python3", "-c", "x"}, err: "not a file or -m"},
		{args: []string{"python3"}, err: "not a file or -m"},
		{args: []string{other}, err: "not a Python program"},
		{args: []string{optioned}, err: "has the option -sP"},
		{args: []string{"/bin/sh", "-c", "cd x && y"}, err: "needs a shell"},
		{args: []string{"/bin/sh", "-c", "exec"}, err: "names no program"},
	} {
		got, err := readCommand(c.args, []string{"PORT=8080"}, look)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v; want %q", c.args, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		w := c.want
		if got.interpreter != w.interpreter || got.module != w.module || got.target != w.target ||
			!slices.Equal(got.args, w.args) || !slices.Equal(got.env, w.env) || !slices.Equal(got.flags, w.flags) {
			t.Errorf("%q: %+v; want %+v", c.args, *got, w)
		}
	}
}
