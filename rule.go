package sunya

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"
)

// Rule is one line of the table by which the gateway decides what answers a
// request. The rules of a revision are in order and the first that matches
// wins; a path that none matches is not found. A revision without rules sends
// everything to its program.
type Rule struct {
	// Path is a regular expression (RE2) that matches the whole URL path, with
	// escapes resolved and without query.
	Path string
	// Static, when set, says which file answers; nil stands for the program.
	Static *StaticRule

	Secure         Secure
	RedirectStatus int // of the redirect that Secure asks for: 301, 302, 303 or 307; 0 is 302
}

// maxProgram is how many instructions a compiled pattern may have: some hundred
// kilobytes. A few counted repetitions make many thousands out of a short text.
const maxProgram = 5000

// CompilePattern compiles a pattern of a Rule or a StaticSource, which matches
// a whole path. The error quotes what the user wrote.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxProgram {
		return nil, fmt.Errorf("its repetitions make it too large: %d steps, more than %d", len(program.Inst), maxProgram)
	}
	return regexp.Compile(`^(?:` + pattern + `)$`)
}

// StaticRule is how a file answers a request.
type StaticRule struct {
	File     string // path in the revision's site; \1 to \9 stand for the groups of Rule.Path
	MIMEType string // empty: by the file's name
	MaxAge   time.Duration
	Headers  []Header // added to the response, over the platform's own
	Optional bool     // a file that is not there makes the rule not match, instead of 404
}

// Header is one field of an HTTP header.
type Header struct {
	Name  string
	Value string
}

// Secure says which scheme a path is served under.
type Secure string

// The schemes that a rule asks for. The other one is redirected.
const (
	SecureOptional Secure = ""       // both
	SecureAlways   Secure = "always" // https
	SecureNever    Secure = "never"  // http
)

// StaticSource says which files of a source belong to the revision's site.
type StaticSource struct {
	Pattern  string // regular expression (RE2) that matches the whole path of a file
	Readable bool   // the program sees these files too
}

// ErrorPage is the file of the site that is shown instead of the platform's own
// page.
type ErrorPage struct {
	On       ErrorKind
	File     string
	MIMEType string // empty: text/html
}

// ErrorKind is the kind of error an ErrorPage is for.
type ErrorKind string

// The kinds of error: what the platform answers when the program did not.
const (
	ErrorDefault   ErrorKind = "default"    // whatever has no page of its own
	ErrorOverQuota ErrorKind = "over_quota" // 429: all instances are busy and there may be no more
	ErrorDenied    ErrorKind = "denied"     // the client is kept out
	ErrorTimeout   ErrorKind = "timeout"    // 504: the program did not answer in time
)

// DispatchRule sends requests to another service by their host and path. The
// first that matches wins.
type DispatchRule struct {
	Domain  string // host without port; a leading * stands for anything
	Path    string // begins with /; a trailing * stands for anything
	Service string // Service.Name
}
