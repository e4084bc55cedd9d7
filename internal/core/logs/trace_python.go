package logs

import (
	"regexp"
	"strings"
)

// pythonTrace follows what Python's traceback module prints: the header,
// indented frames, the exception's own line, and chained exceptions behind a
// blank line and a fixed sentence.
type pythonTrace struct {
	state pythonState
}

type pythonState int

const (
	pythonThread    pythonState = iota // "Exception in thread": a header must follow
	pythonFrames                       // in the frames; an unindented line is the exception
	pythonException                    // behind the exception's line
	pythonChain                        // behind a chaining sentence: a header must follow
	pythonNested                       // in an exception group, all of it indented
)

const (
	pythonHeader = "Traceback (most recent call last):"
	pythonFile   = `  File "`
	pythonGroup  = "  + Exception Group " + pythonHeader
)

var (
	pythonFileRE      = regexp.MustCompile(`^  File ".+", line \d+`)
	pythonExceptionRE = regexp.MustCompile(`^[A-Za-z_][\w.]*(: |:$|$)`)
)

func startPython(line string) (trace, verdict) {
	switch {
	case strings.HasPrefix(line, pythonHeader), strings.HasPrefix(line, pythonFile) && pythonFileRE.MatchString(line):
		return &pythonTrace{state: pythonFrames}, sure
	case strings.HasPrefix(line, pythonGroup):
		return &pythonTrace{state: pythonNested}, sure
	case strings.HasPrefix(line, "Exception ignored in: "), strings.HasPrefix(line, "Exception in thread ") && !strings.Contains(line, `"`):
		return &pythonTrace{state: pythonThread}, maybe
	}
	return nil, over
}

func (p *pythonTrace) next(line string) verdict {
	switch p.state {
	case pythonThread:
		return p.header(line, over)
	case pythonFrames:
		return p.frame(line)
	case pythonException:
		return p.behind(line)
	case pythonChain:
		return p.header(line, maybe)
	}
	if indented(line) {
		return sure
	}
	return over
}

// header wants a traceback's header; blank lines before it are as given.
func (p *pythonTrace) header(line string, blank verdict) verdict {
	if line == "" {
		return blank
	}
	switch {
	case strings.HasPrefix(line, pythonHeader):
		p.state = pythonFrames
	case strings.HasPrefix(line, pythonGroup):
		p.state = pythonNested
	default:
		return over
	}
	return sure
}

func (p *pythonTrace) frame(line string) verdict {
	switch {
	case indented(line):
		return sure
	case pythonExceptionRE.MatchString(line):
		p.state = pythonException
		return sure
	}
	return over
}

// behind takes what may follow an exception's line: its notes and causes.
func (p *pythonTrace) behind(line string) verdict {
	switch {
	case line == "":
		return maybe
	case strings.HasPrefix(line, "During handling of the above exception"),
		strings.HasPrefix(line, "The above exception was the direct cause"):
		p.state = pythonChain
		return sure
	case indented(line) && !pythonFileRE.MatchString(line) && !strings.HasPrefix(line, pythonGroup):
		return sure
	}
	return over
}
