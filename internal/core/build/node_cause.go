package build

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// What npm, yarn and pnpm print when they give up, most telling first. The
// groups go into the text in their order.
var nodeCauses = []struct {
	re   *regexp.Regexp
	text string
}{
	{regexp.MustCompile("can only install packages when your package.json and|frozen-lockfile`?\\. To update|ERR_PNPM_OUTDATED_LOCKFILE|YN0028|lockfile needs to be updated"), "the lock file does not fit package.json: run the package manager's install and commit the lock file"},
	{regexp.MustCompile(`404\s+(?:The requested resource )?'?((?:@[^/'\s]+/)?[^@'/\s]+)@[^'\s]*'? (?:is not in|could not be found)`), "there is no package `%s`: check package.json"},
	{regexp.MustCompile(`Couldn't find package "([^"]+)"|ERR_PNPM_FETCH_404\S* +GET \S+/([^/\s:]+): Not Found|YN0035: .*?([@\w./-]+)@.*: Package not found`), "there is no package `%s`: check package.json"},
	{regexp.MustCompile(`No matching version found for ((?:@[^/\s]+/)?[^@\s]+)@(\S+?)\.?(?:\s|$)`), "package `%s` has no version %s: check package.json"},
	{regexp.MustCompile(`Couldn't find any versions for "([^"]+)" that matches "([^"]+)"`), "package `%s` has no version %s: check package.json"},
	{regexp.MustCompile(`(?s)ERESOLVE.*?peer ([^\s]+?)@"([^"]+)" from ([^\s]+)`), "packages contradict each other: peer %s@%s is wanted by %s: change the versions in package.json, or allow it with legacy-peer-deps=true in .npmrc"},
	{regexp.MustCompile(`ERESOLVE|ERR_PNPM_PEER_DEP_ISSUES`), "the packages contradict each other: change the versions in package.json"},
	{regexp.MustCompile(`The engine "node" is incompatible with this module\. Expected version "([^"]+)"\. Got "([^"]+)"`), "a package needs Node.js %s, and this is %s: choose another runtime in app.yaml"},
	{regexp.MustCompile(`EBADENGINE|ERR_PNPM_UNSUPPORTED_ENGINE`), "a package needs another version of Node.js: choose another runtime in app.yaml"},
	{regexp.MustCompile(`(?s)gyp ERR!.*npm (?:error|ERR!) path \S*node_modules/((?:@[^/\s]+/)?[^/\s]+)`), "package `%s` has native code that could not be compiled: a compiler (Debian: apt install build-essential) or a newer version of the package may help"},
	{regexp.MustCompile(`gyp ERR!`), "a package has native code that could not be compiled: a compiler (Debian: apt install build-essential) or a newer version of the package may help"},
	{regexp.MustCompile(`EINTEGRITY|Integrity check failed|ERR_PNPM_TARBALL_INTEGRITY`), "a package is not the one that the lock file names: its hash differs"},
	{regexp.MustCompile(`ENOSPC|No space left on device`), "the disk is full"},
	{regexp.MustCompile(`E401|E403|ERR_PNPM_FETCH_40[13]`), "the registry refuses access: check the server's npm settings"},
	{regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|There appears to be trouble with your network`), "the npm registry cannot be reached"},
	{regexp.MustCompile(`sh: (?:\d+: )?(\S+): (?:command )?not found`), "a script that runs during the install needs `%s`, which is not installed: development packages are there for the scripts gcp-build and build alone"},
	{regexp.MustCompile(`(?s)npm (?:error|ERR!) path /workspace/node_modules/((?:@[^/\s]+/)?[^/\s]+).*npm (?:error|ERR!) command (?:sh|failed)`), "the install script of package `%s` failed"},
	{regexp.MustCompile(`npm (?:error|ERR!) command sh -c (.+)`), "the script `%s`, which npm runs when it installs, failed"},
}

// nodeInstallCause is one sentence about why a package manager gave up.
func nodeInstallCause(lines []string, plan *detect.NodePlan) string {
	text := strings.Join(lines, "\n")
	for _, c := range nodeCauses {
		m := c.re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		var args []any
		for _, group := range m[1:] {
			if group != "" {
				args = append(args, strings.ReplaceAll(group, "%2f", "/"))
			}
		}
		return fmt.Sprintf(c.text, args...)
	}
	return fmt.Sprintf("installing dependencies with %s failed: %s", plan.Manager, tellingLine(lines))
}

var (
	npmNoiseRE = regexp.MustCompile(`^(?:npm (?:error|ERR!|warn|WARN|notice)|error Command failed|info Visit| ?ELIFECYCLE|\s*>|\s*at )`)
	errorRE    = regexp.MustCompile(`(?i)\berror\b`)
	npmSaysRE  = regexp.MustCompile(`^npm (?:error|ERR!) (.+)`)
	npmFactRE  = regexp.MustCompile(`^(?:code|errno|path|command|syscall|signal|A complete log)\b`)
)

// tellingLine is the first line that says error and is not a manager's own
// noise, else the last line, else the first sentence of that noise.
func tellingLine(lines []string) string {
	last, npm := "", ""
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if m := npmSaysRE.FindStringSubmatch(l); m != nil && npm == "" && !npmFactRE.MatchString(m[1]) {
			npm = m[1]
		}
		if l == "" || npmNoiseRE.MatchString(l) {
			continue
		}
		if errorRE.MatchString(l) {
			return l
		}
		last = l
	}
	return cmp.Or(last, npm, "see the build log")
}

// scriptCause says why a script of package.json failed.
func scriptCause(name string, lines []string, byDefault bool) string {
	cause := fmt.Sprintf("the script %s of package.json failed: %s", name, tellingLine(lines))
	for _, l := range lines {
		if strings.Contains(l, "Missing script:") || strings.Contains(l, "ERR_PNPM_NO_SCRIPT") || strings.Contains(l, `" not found.`) {
			cause = fmt.Sprintf("package.json has no script %s, which GOOGLE_NODE_RUN_SCRIPTS names", name)
		}
	}
	if byDefault {
		cause += " (it is run because the source has it; build_env_variables: GOOGLE_NODE_RUN_SCRIPTS: '' leaves it out)"
	}
	return cause
}

var checkPlaceRE = regexp.MustCompile(`^(?:file://)?/workspace/(.+:[0-9]+)$`)

// checkCause is the sentence in what node --check prints: place, text, caret
// and error.
func checkCause(lines []string) string {
	place, cause := "", ""
	for _, l := range lines {
		if m := checkPlaceRE.FindStringSubmatch(strings.TrimSpace(l)); m != nil && place == "" {
			place = m[1] + ": "
		}
		if strings.Contains(l, "Error") && cause == "" {
			cause = strings.TrimSpace(l)
		}
	}
	if cause == "" {
		return "the source has a syntax error: see the build log"
	}
	return place + cause
}
