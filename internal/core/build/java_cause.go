package build

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// What javac says through Maven and Gradle: file, line, message.
var (
	mavenPlaceRE  = regexp.MustCompile(`^(?:\[ERROR\] )?(?:/workspace/)?(\S+\.(?:java|kt|scala|groovy)):\[([0-9]+),[0-9]+\] (?:error: )?(.+)$`)
	gradlePlaceRE = regexp.MustCompile(`^(?:e: )?(?:file://)?(?:/workspace/)?(\S+\.(?:java|kt|scala|groovy)):([0-9]+)(?::[0-9]+)?:? (?:error: )?(.+)$`)
	javaNetRE     = regexp.MustCompile(`(?i)unknown host|could not resolve host|name or service not known|UnknownHostException|connection refused|connect timed out|connection reset|temporary failure in name resolution|SSLHandshakeException|PKIX path`)
)

// wrapperRE is where Gradle's wrapper is that cannot get its Gradle, thrownRE what
// it says then.
var (
	wrapperRE = regexp.MustCompile(`^\s*at org\.gradle\.wrapper\.(?:Download|Install)\.`)
	thrownRE  = regexp.MustCompile(`^Exception in thread "main" `)
)

// What Maven and Gradle print when they give up, most telling first.
var javaCauses = []*regexp.Regexp{
	regexp.MustCompile(`Non-parseable POM (?:/workspace/)?(.+)`),
	regexp.MustCompile(`Fatal error compiling: (?:error: )?(.+?)(?: -> \[Help 1\])?$`),
	regexp.MustCompile(`(Could not find artifact .+?)(?: -> \[Help 1\])?$`),
	regexp.MustCompile(`(Could not (?:resolve|find) .+?)(?: -> \[Help 1\])?$`),
	regexp.MustCompile(`(Plugin \S+ or one of its dependencies could not be resolved.*?)(?: -> \[Help 1\])?$`),
	regexp.MustCompile(`Failed to execute goal \S+(?: \(\S+\))? on project \S+: (.+?)(?: -> \[Help 1\])?$`),
}

// javaCause is one sentence about why a build tool gave up.
func javaCause(lines []string, title string) string {
	for i, l := range lines {
		for _, re := range []*regexp.Regexp{mavenPlaceRE, gradlePlaceRE} {
			if m := re.FindStringSubmatch(strings.TrimSpace(l)); m != nil {
				return fmt.Sprintf("the program does not compile: %s:%s: %s%s", m[1], m[2], m[3], symbol(lines[i+1:]))
			}
		}
	}
	if matching(lines, wrapperRE) != "" {
		return fmt.Sprintf("the source's wrapper could not fetch Gradle (%s): name a distribution that can be reached in gradle/wrapper/gradle-wrapper.properties, or install Gradle on this machine and leave gradlew out",
			cmp.Or(matching(lines, thrownRE), "see the build log"))
	}
	text := strings.Join(lines, "\n")
	if l := matching(lines, javaNetRE); l != "" {
		return fmt.Sprintf("%s could not fetch what it needs: %s", title, l)
	}
	for _, re := range javaCauses {
		for l := range strings.Lines(text) {
			if m := re.FindStringSubmatch(strings.TrimSpace(l)); m != nil {
				return fmt.Sprintf("%s failed: %s", title, m[1])
			}
		}
	}
	if _, after, ok := strings.Cut(text, "* What went wrong:\n"); ok { // Gradle
		line, _, _ := strings.Cut(after, "\n")
		return title + " failed: " + line
	}
	if l := lastError(lines); l != "" {
		return title + " failed: " + l
	}
	return title + " failed: see the build log"
}

// symbol is what javac could not find, from the lines below its complaint:
// Gradle's show the source line and a mark first.
func symbol(below []string) string {
	for _, l := range below[:min(3, len(below))] {
		if _, name, ok := strings.Cut(l, "symbol:"); ok {
			return ": " + strings.TrimSpace(name)
		}
	}
	return ""
}

// matching returns the first line that matches, without the tool's mark.
func matching(lines []string, re *regexp.Regexp) string {
	for _, l := range lines {
		if re.MatchString(l) {
			return strings.TrimPrefix(strings.TrimSpace(l), "[ERROR] ")
		}
	}
	return ""
}
