package detect

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// RubyPlan is how a Ruby program is built and started.
type RubyPlan struct {
	Gemfile  string // Gemfile or gems.rb; empty: no gems
	Lock     string
	Bundle   string // a folder of installed gems in the source, else empty
	Cache    bool   // vendor/cache has the gems themselves
	Requires Range  // of Ruby

	Line     string // for bash
	Entry    []string
	Warnings []string
	Function string // that serves; empty: a program
}

// Ruby reads the source of a Ruby program. An error is FailedPrecondition, and
// the source's fault.
func Ruby(fsys fs.FS, spec sunya.BuildSpec) (*RubyPlan, error) {
	p := &RubyPlan{}
	if err := p.gems(fsys); err != nil {
		return nil, err
	}
	if spec.Function != nil {
		return p, p.function(fsys, spec)
	}
	line, err := userLine(fsys, spec)
	if err != nil {
		return nil, err
	}
	if line == "" {
		if line, err = p.usualLine(fsys); err != nil {
			return nil, err
		}
	}
	p.Line = execLine(line)
	p.Entry = append(p.Entry, rubyFiles(fsys, line)...)
	return p, nil
}

// gems reads the Gemfile. It needs a lock file, as at Google: without one the
// versions that are installed would be anybody's guess.
func (p *RubyPlan) gems(fsys fs.FS) error {
	switch {
	case exists(fsys, "Gemfile"):
		p.Gemfile, p.Lock = "Gemfile", "Gemfile.lock"
	case exists(fsys, "gems.rb"):
		p.Gemfile, p.Lock = "gems.rb", "gems.locked"
	default:
		return nil
	}
	if !exists(fsys, p.Lock) {
		return badSource("the source has a %s and no %s: run bundle lock, and deploy the file with it", p.Gemfile, p.Lock)
	}
	data, err := readManifest(fsys, p.Gemfile)
	if err != nil {
		return badSource("%s cannot be read: %v", p.Gemfile, plain(err))
	}
	if isFolder(fsys, "vendor/bundle/ruby") {
		p.Bundle = "vendor/bundle"
	}
	found, err := fs.Glob(fsys, "vendor/cache/*.gem")
	p.Cache = err == nil && len(found) > 0
	return p.requires(fsys, string(data))
}

var (
	rubyRE        = regexp.MustCompile(`(?m)^\s*ruby[ (]+((?:["'][^"'\n]*["']\s*,?\s*)+)`)
	rubyFileRE    = regexp.MustCompile(`(?m)^\s*ruby[ (]+file:\s*["']([^"'\n]+)["']`)
	quotedRE      = regexp.MustCompile(`["']([^"']*)["']`)
	rubyVersionRE = regexp.MustCompile(`^(?:ruby-)?([0-9]+(?:\.[0-9]+){0,2})`)
)

// requires reads the versions of Ruby that a Gemfile allows: bundler refuses
// to start on any other.
func (p *RubyPlan) requires(fsys fs.FS, gemfile string) error {
	var parts []string
	if m := rubyFileRE.FindStringSubmatch(gemfile); m != nil && fs.ValidPath(m[1]) {
		data, err := readManifest(fsys, m[1])
		if err != nil {
			return badSource("%s takes the version of Ruby from %s, which cannot be read: %v", p.Gemfile, m[1], plain(err))
		}
		if v := rubyVersionRE.FindStringSubmatch(strings.TrimSpace(string(data))); v != nil {
			parts = append(parts, v[1])
		}
	} else if m := rubyRE.FindStringSubmatch(gemfile); m != nil {
		for _, q := range quotedRE.FindAllStringSubmatch(m[1], -1) {
			parts = append(parts, q[1])
		}
	}
	for i, part := range parts {
		part = strings.TrimSpace(strings.ReplaceAll(part, "~>", "~="))
		if part != "" && part[0] >= '0' && part[0] <= '9' {
			part = pinned(part)
		}
		parts[i] = part
	}
	var err error
	if p.Requires, err = ParseRange(strings.Join(parts, ",")); err != nil {
		return badSource("%s: ruby: %v", p.Gemfile, err)
	}
	return nil
}

// usualLine is how Google starts what names no entrypoint: Rails, else Rack.
func (p *RubyPlan) usualLine(fsys fs.FS) (string, error) {
	line := ""
	switch {
	case exists(fsys, "bin/rails"):
		line = "ruby bin/rails server"
	case exists(fsys, "config.ru"):
		line = "rackup --port $PORT"
		p.Entry = []string{"config.ru"}
	default:
		return "", badSource("the source has no entrypoint, and neither bin/rails nor config.ru: set entrypoint in app.yaml, for example entrypoint: ruby app.rb")
	}
	p.Warnings = append(p.Warnings, "there is no entrypoint in app.yaml: "+line+" is used")
	if p.Gemfile != "" {
		line = "bundle exec " + line
	}
	return line, nil
}

var rubyScriptRE = regexp.MustCompile(`(?:^|\s)([\w./-]+\.r[bu])(?:\s|$)`)

// rubyFiles returns the files of the source that a line names.
func rubyFiles(fsys fs.FS, line string) []string {
	var files []string
	for _, m := range rubyScriptRE.FindAllStringSubmatch(line, -1) {
		if name := path.Clean(m[1]); fs.ValidPath(name) && exists(fsys, name) {
			files = append(files, name)
		}
	}
	return files
}
