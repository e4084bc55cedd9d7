package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

func TestRuby(t *testing.T) {
	tests := []struct {
		rule       string
		fsys       fstest.MapFS
		entrypoint string
		want       RubyPlan
	}{
		{"a program", files("app.rb", ""), "ruby app.rb", RubyPlan{Line: "exec ruby app.rb", Entry: []string{"app.rb"}}},
		{"Rack", files("config.ru", ""), "", RubyPlan{Line: "exec rackup --port $PORT", Entry: []string{"config.ru"}}},
		{"Rack with gems", files("config.ru", "", "Gemfile", "", "Gemfile.lock", ""), "", RubyPlan{Line: "exec bundle exec rackup --port $PORT", Entry: []string{"config.ru"}, Gemfile: "Gemfile", Lock: "Gemfile.lock"}},
		{"Rails", files("bin/rails", "", "config.ru", "", "Gemfile", "", "Gemfile.lock", ""), "", RubyPlan{Line: "exec bundle exec ruby bin/rails server", Gemfile: "Gemfile", Lock: "Gemfile.lock"}},
		{"the other names", files("gems.rb", "", "gems.locked", ""), "x", RubyPlan{Line: "exec x", Gemfile: "gems.rb", Lock: "gems.locked"}},
		{"gems in the source", files("Gemfile", "", "Gemfile.lock", "", "vendor/cache/rack-1.gem", ""), "x", RubyPlan{Line: "exec x", Gemfile: "Gemfile", Lock: "Gemfile.lock", Cache: true}},
		{"installed gems in the source", files("Gemfile", "", "Gemfile.lock", "", "vendor/bundle/ruby/3.1.0/x", ""), "x", RubyPlan{Line: "exec x", Gemfile: "Gemfile", Lock: "Gemfile.lock", Bundle: "vendor/bundle"}},
	}
	for _, tt := range tests {
		p, err := Ruby(tt.fsys, sunya.BuildSpec{Entrypoint: tt.entrypoint})
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if (tt.entrypoint == "") != (len(p.Warnings) > 0) {
			t.Errorf("%s: warnings %q", tt.rule, p.Warnings)
		}
		p.Requires, p.Warnings = Range{}, nil
		if diff := cmp.Diff(&tt.want, p, cmp.AllowUnexported(Range{})); diff != "" {
			t.Errorf("%s:\n%s", tt.rule, diff)
		}
	}
}

func TestRubyVersion(t *testing.T) {
	tests := []struct {
		gemfile, version string
		want             bool
	}{
		{"gem 'x'\n", "2.7.0", true}, {"ruby '3.1.2'\n", "3.1.2", true}, {"ruby '3.1.2'\n", "3.1.3", false}, {"ruby \"~> 3.1\"\n", "3.4.0", true}, {"ruby \"~> 3.1.0\"\n", "3.2.0", false},
		{"ruby '>= 3.0', '< 3.3' # both\n", "3.3.0", false}, {"ruby(\"3.1.2\")\n", "3.1.2", true}, {"ruby file: '.ruby-version'\n", "3.2.1", true}, {"ruby file: '.ruby-version'\n", "3.1.2", false},
	}
	for _, tt := range tests {
		p, err := Ruby(files("Gemfile", tt.gemfile, "Gemfile.lock", "", ".ruby-version", "ruby-3.2.1\n"), sunya.BuildSpec{Entrypoint: "x"})
		v, verr := ParseVersion(tt.version)
		if err != nil || verr != nil || p.Requires.Holds(v) != tt.want {
			t.Errorf("%q holds %s: want %v; %v %v", tt.gemfile, tt.version, tt.want, err, verr)
		}
	}
}

func TestBadRubySource(t *testing.T) {
	tests := []struct {
		rule string
		fsys fstest.MapFS
		want string
	}{
		{"nothing to start", files("app.rb", ""), "set entrypoint in app.yaml"},
		{"no lock", files("Gemfile", "", "config.ru", ""), "a Gemfile and no Gemfile.lock: run bundle lock"},
		{"an odd version", files("Gemfile", "ruby 'three'\n", "Gemfile.lock", "", "config.ru", ""), "Gemfile: ruby:"},
		{"a version file that is missing", files("Gemfile", "ruby file: 'v'\n", "Gemfile.lock", "", "config.ru", ""), "takes the version of Ruby from v"},
	}
	for _, tt := range tests {
		_, err := Ruby(tt.fsys, sunya.BuildSpec{})
		var e *sunya.Error
		if !errors.As(err, &e) || e.Reason != sunya.ReasonBuildFailed || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v, want BUILD_FAILED with %q", tt.rule, err, tt.want)
		}
	}
}

func FuzzRuby(f *testing.F) {
	f.Add("source 'https://rubygems.org'\nruby '~> 3.1', '< 3.3'\ngem 'rack'\n", "3.1.2", "ruby app.rb")
	f.Add("ruby file: '.ruby-version'\n", "ruby-3.1.2", "")
	f.Fuzz(func(t *testing.T, gemfile, version, entry string) {
		p, err := Ruby(files("config.ru", "", "Gemfile", gemfile, "Gemfile.lock", "", ".ruby-version", version), sunya.BuildSpec{Entrypoint: entry})
		var e *sunya.Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Errorf("%v has no code", err)
		case err == nil && p.Line == "":
			t.Error("nothing is started")
		}
	})
}
