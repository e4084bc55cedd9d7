package logs

import (
	"strings"
	"time"
)

// Limits of one grouped entry; Cloud Logging's own is 256 KiB.
const (
	maxGroupBytes = 192 << 10
	maxGroupLines = 4000
	maxTentative  = 10
)

// grouper joins the lines of a traceback into one. Lines arrive one by one; a
// trace is recognised by its beginning and ends with the first line that
// cannot belong to it, or when nothing came for a while (the caller's timer).
//
//	        line that may begin a trace            proof that it is one
//	plain ------------------------------> tentative ------------------> sure
//	  ^                                       |                           |
//	  +------ disproved: lines go out singly -+   trace over: one entry --+
type grouper struct {
	emit func(text string, at time.Time, trace bool)

	trace trace    // nil: plain
	lines []string // of the trace so far
	at    time.Time
	bytes int
	sure  bool
}

// trace recognises the lines of one language's stack traces.
type trace interface {
	// next says what a line that follows means for the trace. blank lines come
	// as "".
	next(line string) verdict
}

type verdict int

const (
	over    verdict = iota // the line is not part of the trace
	maybe                  // it is, if the next ones prove it
	sure                   // it is
	restart                // it is the beginning of another trace
)

// starters try a line as a trace's first, in this order.
var starters = []func(line string) (trace, verdict){startPython, startGo, startNodeSource, startFrames}

// feed takes one line without its line end.
func (g *grouper) feed(line string, now time.Time) {
	for g.trace != nil {
		if g.follow(line) {
			return
		}
	}
	if strings.TrimSpace(line) == "" {
		return
	}
	for _, start := range starters {
		if t, v := start(line); v != over {
			g.trace, g.at, g.sure = t, now, v == sure
			g.keep(line)
			return
		}
	}
	g.emit(line, now, false)
}

// follow offers a line to the trace at hand and says whether it was taken.
func (g *grouper) follow(line string) bool {
	if strings.TrimSpace(line) == "" {
		line = ""
	}
	switch g.trace.next(line) {
	case over, restart:
		g.end()
		return false
	case sure:
		g.sure = true
	case maybe:
		if !g.sure && len(g.lines) >= maxTentative {
			g.end()
			return false
		}
	}
	g.keep(line)
	return true
}

func (g *grouper) keep(line string) {
	if g.sure && (g.bytes+len(line) > maxGroupBytes || len(g.lines) >= maxGroupLines) {
		g.emit(strings.Join(g.lines, "\n"), g.at, true)
		g.lines, g.bytes = g.lines[:0], 0
	}
	g.lines = append(g.lines, line)
	g.bytes += len(line) + 1
}

// holding says whether a flush would emit something.
func (g *grouper) holding() bool { return g.trace != nil }

// flush writes everything that is held back.
func (g *grouper) flush() {
	for g.trace != nil {
		g.end()
	}
}

// end ends the trace at hand. If it was one, it is one entry; else its first
// line is an ordinary one, and the others may be the beginning of another.
func (g *grouper) end() {
	lines, at, trace := g.lines, g.at, g.sure
	g.trace, g.lines, g.bytes, g.sure = nil, nil, 0, false
	if trace {
		g.emit(strings.TrimRight(strings.Join(lines, "\n"), "\n"), at, true)
		return
	}
	g.emit(lines[0], at, false)
	for _, l := range lines[1:] {
		g.feed(l, at)
	}
}

func indented(line string) bool {
	return line != "" && (line[0] == ' ' || line[0] == '\t')
}
