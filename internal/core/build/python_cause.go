package build

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// What uv and pip print when they give up, most telling first. The first group
// is a package, or empty.
var causes = []struct {
	re   *regexp.Regexp
	text string // %s: the package
}{
	{regexp.MustCompile(`Because ([A-Za-z0-9._-]+) was not found in the (?:package registry|provided package locations)`), "no package `%s` found"},
	{regexp.MustCompile(`No matching distribution found for ([A-Za-z0-9._-]+)\s*$`), "no package `%s` found"},
	{regexp.MustCompile(`[Bb]ecause (?:there is|there are) no versions? of ([A-Za-z0-9._-]+)`), "no version of `%s` fits"},
	{regexp.MustCompile(`No matching distribution found for ([A-Za-z0-9._-]+)`), "no version of `%s` fits"},
	{regexp.MustCompile("(?:Failed to build|Failed to download and build|Building wheel for|Could not build wheels for) `?([A-Za-z0-9._-]+)"), "package `%s` could not be built"},
	{regexp.MustCompile(`build backend returned an error|metadata-generation-failed|subprocess-exited-with-error`), "a package could not be built"},
	{regexp.MustCompile(`No solution found when resolving|ResolutionImpossible|conflicting dependencies`), "the packages contradict each other"},
	{regexp.MustCompile("(?i)failed to fetch|connection (?:refused|reset|timed out)|dns error|name resolution|NewConnectionError|Read timed out"), "the package index cannot be reached"},
	{regexp.MustCompile(`(?i)hash(?:es)? (?:mismatch|did not match|do not match)|THESE PACKAGES DO NOT MATCH`), "a package's hash is not the one in the manifest"},
	{regexp.MustCompile(`(?i)No space left on device`), "the disk is full"},
	{regexp.MustCompile("(?i)couldn't parse requirement|invalid requirement|Couldn't parse"), "the manifest has a line that is not a requirement"},
	{regexp.MustCompile(`uv\.lock.*(?:needs to be updated|parse)|lock ?file.*(?:out of date|not up to date)|pyproject\.toml changed significantly`), "the lock file does not fit the manifest"},
}

// installCause is one sentence about why an installer gave up, from the last
// lines that it printed.
func installCause(lines []string, plan *detect.PythonPlan) string {
	text := joinWrapped(lines)
	for _, c := range causes {
		m := c.re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		if len(m) == 1 {
			return fmt.Sprintf("%s: check %s", c.text, manifestName(plan.Manager))
		}
		return fmt.Sprintf(c.text+": check %s", m[1], place(m[1], plan))
	}
	if l := lastError(lines); l != "" {
		return "installing dependencies failed: " + l
	}
	return "installing dependencies failed: see the build log"
}

// joinWrapped undoes the line breaks and the tree drawing of uv's messages.
func joinWrapped(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		trimmed := strings.TrimLeft(l, " │╰─▶×")
		if l != "" && trimmed != l && b.Len() > 0 {
			b.WriteString(" " + trimmed)
			continue
		}
		b.WriteString("\n" + trimmed)
	}
	return b.String()
}

// place is where a manifest names a package: "requirements.txt line 3".
func place(name string, plan *detect.PythonPlan) string {
	if at, ok := plan.Lines[detect.Normal(name)]; ok {
		return at
	}
	return manifestName(plan.Manager)
}

// lastError is the last line that says error, else the last line.
func lastError(lines []string) string {
	last := ""
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l == "" {
			continue
		}
		if low := strings.ToLower(l); strings.HasPrefix(low, "error") || !strings.HasPrefix(strings.ToLower(last), "error") {
			last = l
		}
	}
	return last
}
