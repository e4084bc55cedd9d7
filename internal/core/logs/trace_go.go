package logs

import (
	"regexp"
	"strings"
)

// goTrace follows what the Go runtime prints on a panic or a fatal error: the
// message, goroutines with their frames, and the exit status of "go run".
type goTrace struct {
	inStack bool
}

// goServing is what net/http prints, behind the log's own date, when a handler
// panics.
const goServing = "http: panic serving "

var (
	goStackRE     = regexp.MustCompile(`^goroutine \d+ .*\[.+\]:$`)
	goGoroutineRE = regexp.MustCompile(`^(goroutine|runtime stack:|rax|eax) ?`)
	goFrameRE     = regexp.MustCompile(`^(\S.*\)|created by .+|\.\.\.(additional|\d+) frames elided\.\.\.|\.\.\.additional frames elided\.\.\.|exit status \d+|[a-z]\w{1,6} +0x[0-9a-f]+)$`)
)

func startGo(line string) (trace, verdict) {
	switch {
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "), strings.HasPrefix(line, "runtime: goroutine stack exceeds "):
		return &goTrace{}, sure
	case strings.HasPrefix(line, "goroutine ") && goStackRE.MatchString(line):
		return &goTrace{inStack: true}, sure
	case strings.Contains(line, goServing):
		return &goTrace{}, maybe
	}
	return nil, over
}

func (g *goTrace) next(line string) verdict {
	switch {
	case line == "":
		return maybe
	case goGoroutineRE.MatchString(line):
		g.inStack = true
		return sure
	case strings.Contains(line, goServing):
		return restart
	case indented(line), strings.HasPrefix(line, "[signal "), strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "[recovered]"):
		return sure
	case g.inStack && goFrameRE.MatchString(line):
		return sure
	case !g.inStack && strings.HasPrefix(line, "fatal error: "):
		return sure
	}
	return over
}
