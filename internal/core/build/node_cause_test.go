package build

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

func TestNodeInstallCause(t *testing.T) {
	tests := map[string]struct{ output, want string }{
		"npm, unknown package":        {"npm error code E404\nnpm error 404 Not Found - GET https://r/@a%2fb - Not found\nnpm error 404  '@a/b@^1.0.0' is not in this registry.", "there is no package `@a/b`: check package.json"},
		"npm, unknown package, newer": {"npm error code E404\nnpm error 404  The requested resource 'nope@1' could not be found or you do not have permission to access it.", "there is no package `nope`: check package.json"},
		"npm, unknown version":        {"npm error code ETARGET\nnpm error notarget No matching version found for express@^99.0.0.", "package `express` has no version ^99.0.0: check package.json"},
		"npm, lock out of date":       {"npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.", "the lock file does not fit package.json"},
		"npm, peers":                  {"npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\nnpm error Found: react@18.2.0\nnpm error Could not resolve dependency:\nnpm error peer react@\"^16.8.0\" from old-thing@1.0.0", "packages contradict each other: peer react@^16.8.0 is wanted by old-thing@1.0.0"},
		"npm, engine":                 {"npm error code EBADENGINE\nnpm error engine Unsupported engine", "a package needs another version of Node.js"},
		"npm, native code":            {"npm error code 1\nnpm error path /workspace/node_modules/bcrypt\nnpm error gyp ERR! not ok", "a package has native code that could not be compiled"},
		"npm, a package's script":     {"npm error code 1\nnpm error path /workspace/node_modules/@a/b\nnpm error command failed\nnpm error command sh -c node x.js", "the install script of package `@a/b` failed"},
		"npm, a script of the app":    {"npm error code 127\nnpm error path /workspace\nnpm error command failed\nnpm error command sh -c node x.js", "the script `node x.js`, which npm runs when it installs, failed"},
		"npm, a development package":  {"sh: 1: husky: not found\nnpm error code 127\nnpm error path /workspace\nnpm error command failed\nnpm error command sh -c husky install", "a script that runs during the install needs `husky`, which is not installed"},
		"npm, no registry":            {"npm error code ECONNREFUSED\nnpm error network", "the npm registry cannot be reached"},
		"yarn, unknown package":       {"error Couldn't find package \"flaskk\" on the \"npm\" registry.", "there is no package `flaskk`: check package.json"},
		"yarn, unknown version":       {"error Couldn't find any versions for \"ms\" that matches \"^99\"", "package `ms` has no version ^99: check package.json"},
		"yarn, lock out of date":      {"error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.", "the lock file does not fit package.json"},
		"yarn, engine":                {"error x@1.0.0: The engine \"node\" is incompatible with this module. Expected version \">=22\". Got \"20.1.0\"", "a package needs Node.js >=22, and this is 20.1.0"},
		"berry, lock out of date":     {"➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.", "the lock file does not fit package.json"},
		"pnpm, lock out of date":      {" ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\"", "the lock file does not fit package.json"},
		"pnpm, unknown package":       {" ERR_PNPM_FETCH_404  GET https://r/flaskk: Not Found - 404", "there is no package `flaskk`: check package.json"},
		"pnpm, unknown version":       {" ERR_PNPM_NO_MATCHING_VERSION  No matching version found for ms@^99 while fetching it", "package `ms` has no version ^99: check package.json"},
		"something else":              {"npm warn x\nsomething broke: error 7\nnpm error code 1", "installing dependencies with npm failed: something broke: error 7"},
		"npm itself breaks":           {"npm error code X\nnpm error (0 , U.x) is not a function\nnpm error A complete log of this run can be found in: /x", "installing dependencies with npm failed: (0 , U.x) is not a function"},
		"nothing":                     {"", "installing dependencies with npm failed: see the build log"},
	}
	for name, tt := range tests {
		if got := nodeInstallCause(strings.Split(tt.output, "\n"), &detect.NodePlan{Manager: detect.NPM}); !strings.HasPrefix(got, tt.want) || strings.Contains(got, "%!") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestScriptCause(t *testing.T) {
	if got := scriptCause("a", []string{`npm error Missing script: "a"`}, false); got != "package.json has no script a, which GOOGLE_NODE_RUN_SCRIPTS names" {
		t.Error(got)
	}
	if got := scriptCause("build", []string{"x"}, true); !strings.Contains(got, "GOOGLE_NODE_RUN_SCRIPTS: ''") {
		t.Error(got)
	}
}
