package logs

import (
	"regexp"
	"strings"
)

// framesTrace follows the traces of the JVM and of V8, which look alike: a
// line that names the error, more lines of its message, frames that begin with
// "at", and causes nested in the same form.
type framesTrace struct {
	state  framesState
	source bool // begun by the source line that Node prints above an uncaught error
	named  bool // the error's name was seen
}

type framesState int

const (
	framesHead   framesState = iota // no frame seen yet
	framesStack                     // in the frames
	framesObject                    // in the fields that V8 prints in braces
	framesEnd                       // behind the braces
)

var (
	framesHeadRE = regexp.MustCompile(`^(Uncaught:? |Exception in thread ".*" )?(Error|[A-Za-z_$][\w$.]*(Error|Exception|Throwable|Rejection|Failure))( \[[\w-]+\])?(:|$| \{$)`)
	framesAtRE   = regexp.MustCompile(`^\s+at \S`)
	framesMoreRE = regexp.MustCompile(`^\s*(Caused by: |Suppressed: |\.\.\. \d+ (more|common frames omitted|lines matching)|\[cause\]: )`)
	// /app/index.js:5, file:///app/index.mjs:5, node:internal/modules/cjs/loader:1148, <anonymous_script>:1
	nodeSourceRE = regexp.MustCompile(`^(/|file://|node:|<|[A-Za-z]:\\)\S.*:\d+$`)
	nodeVersion  = "Node.js v"
)

func startFrames(line string) (trace, verdict) {
	if namesError(line) && framesHeadRE.MatchString(line) {
		return &framesTrace{named: true}, maybe
	}
	return nil, over
}

// namesError is a quick look that spares most lines the expression.
func namesError(line string) bool {
	for _, word := range []string{"Error", "Exception", "Throwable", "Rejection", "Failure"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

func startNodeSource(line string) (trace, verdict) {
	last := line[len(line)-1] // no starter is asked about a blank line
	if last >= '0' && last <= '9' && nodeSourceRE.MatchString(line) {
		return &framesTrace{source: true}, maybe
	}
	return nil, over
}

func (f *framesTrace) next(line string) verdict {
	if framesAtRE.MatchString(line) {
		f.state = framesStack
		f.openBrace(line)
		return sure
	}
	switch f.state {
	case framesHead:
		return f.head(line)
	case framesStack:
		return f.stack(line)
	case framesObject:
		return f.object(line)
	}
	return f.end(line)
}

// head takes the lines between the error's name and its first frame.
func (f *framesTrace) head(line string) verdict {
	named := framesHeadRE.MatchString(line)
	switch {
	case named && f.named:
		return restart
	case f.source && strings.HasPrefix(line, nodeVersion): // what was thrown is no Error
		f.state = framesEnd
		return sure
	}
	f.named = f.named || named
	return maybe
}

func (f *framesTrace) stack(line string) verdict {
	switch {
	case framesMoreRE.MatchString(line):
		f.openBrace(line)
		return sure
	case line == "":
		f.state = framesEnd
		return maybe
	case indented(line):
		return sure
	case line == "}":
		return sure
	}
	return over
}

func (f *framesTrace) openBrace(line string) {
	if strings.HasSuffix(line, " {") {
		f.state = framesObject
	}
}

func (f *framesTrace) object(line string) verdict {
	switch {
	case line == "}":
		f.state = framesEnd
		return sure
	case line == "", indented(line):
		return sure
	}
	return over
}

// end takes what Node prints last.
func (f *framesTrace) end(line string) verdict {
	if line == "" || strings.HasPrefix(line, nodeVersion) {
		return maybe
	}
	if framesMoreRE.MatchString(line) {
		f.state = framesStack
		return sure
	}
	return over
}
