// Package cli is the command line: a client of the public APIs that has no
// powers of its own, one file per verb. Results go to stdout, everything else
// to stderr.
package cli

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// Env is everything a verb may touch, so that a test can hold all of it.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Dir            string // working directory; relative paths start here
	Now            func() time.Time
	Version        string // of this program
	// LookupHost returns the addresses of a name; nil: this machine's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)

	// What the streams are. Width is that of the terminal, 0 when unknown.
	StdinTTY, StdoutTTY, StderrTTY bool
	Width                          int

	flags globals
}

// OSEnv is the Env of this process.
func OSEnv() *Env {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	e := &Env{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Getenv:    os.Getenv,
		Dir:       dir,
		Now:       time.Now,
		Version:   buildVersion(),
		StdinTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		StdoutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		StderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		e.Width = width
	}
	return e
}

// lively reports whether stderr can show a line that changes.
func (e *Env) lively() bool {
	return e.StderrTTY && e.Getenv("TERM") != "dumb"
}

// colour reports whether a stream that is a terminal or not takes colours.
// https://no-color.org, https://bixense.com/clicolors
func (e *Env) colour(tty bool) bool {
	switch {
	case e.Getenv("NO_COLOR") != "":
		return false
	case e.Getenv("CLICOLOR_FORCE") != "" && e.Getenv("CLICOLOR_FORCE") != "0":
		return true
	}
	return tty && e.Getenv("TERM") != "dumb" && e.Getenv("CLICOLOR") != "0"
}
