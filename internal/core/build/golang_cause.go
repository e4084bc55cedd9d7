package build

import (
	"regexp"
	"strings"
)

var (
	goPlaceRE = regexp.MustCompile(`^\S+\.(?:go|s|c|h|mod):[0-9]+(?::[0-9]+)?: \S`)
	goPathRE  = regexp.MustCompile(`cannot find package "([^"]+)" in any of:`)
	goNetRE   = regexp.MustCompile(`(?i)dial tcp|no such host|connection (?:refused|reset|timed out)|i/o timeout|TLS handshake|server misbehaving`)
)

// goCause is one sentence about why the go command gave up, from the last
// lines that it printed: the first with a place in a file, else the last that
// the command itself says.
func goCause(lines []string, module bool) string {
	const failed = "go build failed: "
	for i, l := range lines {
		if !goPlaceRE.MatchString(l) {
			continue
		}
		l = strings.TrimPrefix(l, "./")
		if m := goPathRE.FindStringSubmatchIndex(l); m != nil && !module {
			return failed + l[:m[0]] + "the package " + l[m[2]:m[3]] + " is not in the source, which has no go.mod: run go mod init and go mod tidy"
		}
		return failed + joinAdvice(l, lines[i+1:])
	}
	for i := len(lines) - 1; i >= 0; i-- {
		text, ok := strings.CutPrefix(lines[i], "go: ")
		if !ok || strings.HasPrefix(text, "downloading ") || strings.HasPrefix(text, "finding ") {
			continue
		}
		text = joinAdvice(text, lines[i+1:])
		if goNetRE.MatchString(text) {
			return "the Go modules could not be fetched: " + text
		}
		return failed + text
	}
	if l := lastError(lines); l != "" {
		return failed + l
	}
	return failed + "see the build log"
}

// joinAdvice puts behind a line that ends with a colon what the go command
// says below it, indented.
func joinAdvice(line string, below []string) string {
	for _, l := range below {
		if !strings.HasPrefix(l, "\t") {
			break
		}
		line += " " + strings.TrimSpace(l)
	}
	return line
}
