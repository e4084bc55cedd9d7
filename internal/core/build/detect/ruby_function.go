package detect

import (
	"cmp"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// frameworkRuby serves one function of a Ruby source.
const frameworkRuby = "functions_framework"

var (
	rubyFrameworkRE  = regexp.MustCompile(`(?m)^    ` + frameworkRuby + ` \(`)
	rubyRegisterRE   = regexp.MustCompile(`FunctionsFramework\.(?:http|cloud_event|typed)\b`)
	rubyFunctionRE   = regexp.MustCompile(`FunctionsFramework\.(?:http|cloud_event|typed)[ \t]*(?:\(?[ \t]*(?:"([^"#\n]*)"|'([^'\n]*)')|do\b|\{)`)
	rubyOtherFilesRE = regexp.MustCompile(`(?m)^\s*(?:require_relative|load|require\s+["'][./])`)
)

// function sets how a function is served: by its framework, a gem that the source
// must name, as at Google.
func (p *RubyPlan) function(fsys fs.FS, spec sunya.BuildSpec) error {
	file := cmp.Or(spec.Env["GOOGLE_FUNCTION_SOURCE"], "app.rb")
	if !fs.ValidPath(file) || !exists(fsys, file) {
		return badSource("the source has no %s: a function in Ruby is there, or in the file that the build variable GOOGLE_FUNCTION_SOURCE names", file)
	}
	const how = "write gem \"" + frameworkRuby + "\" into the Gemfile and run bundle lock; where this server does not reach the gem's server, run bundle cache, too, and deploy vendor/cache with the source"
	if p.Gemfile == "" {
		return badSource("the source has no Gemfile with %s, which serves the function: %s", frameworkRuby, how)
	}
	lock, err := readManifest(fsys, p.Lock)
	if err != nil {
		return badSource("%s cannot be read: %v", p.Lock, plain(err))
	}
	if !rubyFrameworkRE.Match(lock) {
		return badSource("%s does not have %s, which serves the function: %s", p.Lock, frameworkRuby, how)
	}
	data, err := readManifest(fsys, file)
	if err != nil {
		return badSource("%s cannot be read: %v", file, plain(err))
	}
	p.Entry = []string{file}
	p.Line = "exec bundle exec functions-framework-ruby --source='" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	computed := len(rubyRegisterRE.FindAll(data, -1)) > len(rubyFunctionRE.FindAll(data, -1))
	p.Function, err = functionOf(string(data), file, spec.Function, rubyFunctionRE, computed || rubyOtherFilesRE.Match(data))
	return err
}

// functionOf is the function of a file that is served: the one that was asked
// for, or the one that takes its place. declared finds their names; one without
// is named function. Where it is unsure that they are all, the framework decides.
func functionOf(src, file string, want *sunya.FunctionSpec, declared *regexp.Regexp, unsure bool) (string, error) {
	var names []string
	for _, m := range declared.FindAllStringSubmatch(src, -1) {
		names = append(names, cmp.Or(slices.Concat(m[1:], []string{"function"})...))
	}
	for _, name := range []string{want.Target, want.Fallback} {
		if name != "" && slices.Contains(names, name) {
			return name, nil
		}
	}
	if unsure {
		return want.Target, nil
	}
	const shown = 12
	list := cmp.Or(strings.Join(names[:min(shown, len(names))], ", "), "none")
	return "", badSource("function %s is not in %s; found: %s", want.Target, file, list)
}
