package detect

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

const rubyLock = "GEM\n  remote: https://rubygems.org/\n  specs:\n    functions_framework (1.5.1)\n"

func TestRubyFunction(t *testing.T) {
	const app = "require \"functions_framework\"\nFunctionsFramework.http \"hello\" do |request|\nend\nFunctionsFramework.cloud_event('on_event') do |e|\nend\n"
	gems := []string{"Gemfile", "gem 'functions_framework'", "Gemfile.lock", rubyLock}
	for _, tt := range []struct {
		rule, target string
		files        []string
		want         string // "TARGET LINE", or the error
	}{
		{"named", "hello", append(gems, "app.rb", app), "hello exec bundle exec functions-framework-ruby --source='app.rb'"},
		{"in parentheses", "on_event", append(gems, "app.rb", app), "on_event exec"},
		{"one without a name", "x", append(gems, "app.rb", "FunctionsFramework.http do |r|\nend\n"), "function exec"},
		{"not there", "nope", append(gems, "app.rb", app), "function nope is not in app.rb; found: hello, on_event"},
		{"none", "nope", append(gems, "app.rb", ""), "found: none"},
		{"a computed name", "nope", append(gems, "app.rb", "FunctionsFramework.http name do |r|\nend\n"), "nope exec"},
		{"in another file", "nope", append(gems, "app.rb", "require_relative \"more\"\n"), "nope exec"},
		{"no file", "hello", gems, "the source has no app.rb"},
		{"no Gemfile", "hello", []string{"app.rb", app}, "no Gemfile with functions_framework"},
		{"no framework", "hello", []string{"app.rb", app, "Gemfile", "", "Gemfile.lock", "GEM\n"}, "Gemfile.lock does not have functions_framework, which serves the function: write gem \"functions_framework\""},
	} {
		got := ""
		p, err := Ruby(files(tt.files...), sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: tt.target, Fallback: "function"}})
		if err != nil {
			got = err.Error()
		} else {
			got = p.Function + " " + p.Line
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestPHPFunction(t *testing.T) {
	const app = "<?php\nuse Google\\CloudFunctions\\FunctionsFramework;\nFunctionsFramework::http('hello', 'helloHttp');\nfunction helloHttp($request): string\n{\n    return 'x';\n}\n"
	asked := []string{"composer.json", `{"require": {"google/cloud-functions-framework": "^1.1"}}`}
	vendored := []string{"vendor/autoload.php", "", "vendor/google/cloud-functions-framework/router.php", ""}
	for _, tt := range []struct {
		rule, target string
		files        []string
		want         string // "TARGET SOURCE FRONT", or the error
	}{
		{"registered", "hello", append(asked, "index.php", app), "hello index.php vendor/google/cloud-functions-framework/router.php"},
		{"by its own name", "helloHttp", append(vendored, "index.php", app), "helloHttp index.php"},
		{"not there", "nope", append(vendored, "index.php", app), "function nope is not in index.php; found: hello, helloHttp"},
		{"a method", "A::hello", append(vendored, "index.php", app), "A::hello index.php"},
		{"in another file", "nope", append(vendored, "index.php", "<?php\nrequire 'more.php';\n"), "nope index.php"},
		{"no file", "hello", asked, "the source has no index.php"},
		{"not asked for", "hello", []string{"index.php", app}, "composer.json does not ask for google/cloud-functions-framework, which serves the function: run composer require"},
		{"another vendor folder", "hello", []string{"index.php", app, "vendor/autoload.php", ""}, "the vendor folder does not have google/cloud-functions-framework"},
	} {
		got := ""
		p, err := PHP(files(tt.files...), sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: tt.target, Fallback: "function"}})
		if err != nil {
			got = err.Error()
		} else {
			got = p.Function + " " + p.Source + " " + p.Front
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func FuzzScriptFunctions(f *testing.F) {
	f.Add("FunctionsFramework.http \"a\" do |r|\nend\n", "<?php\nFunctionsFramework::http('a', 'b');\nfunction b() {}")
	f.Fuzz(func(t *testing.T, ruby, php string) {
		spec := sunya.BuildSpec{Function: &sunya.FunctionSpec{Target: "a", Fallback: "function"}}
		if p, err := Ruby(files("app.rb", ruby, "Gemfile", "", "Gemfile.lock", rubyLock), spec); err == nil && p.Function == "" {
			t.Errorf("%q: no function", ruby)
		}
		if p, err := PHP(files("index.php", php, "vendor/autoload.php", "", "vendor/google/cloud-functions-framework/router.php", ""), spec); err == nil && p.Function == "" {
			t.Errorf("%q: no function", php)
		}
	})
}
