package detect

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// PHPPlan is how a PHP program is built and started.
type PHPPlan struct {
	Packages bool   // composer.json asks for packages
	Vendored bool   // the source comes with them
	GCPBuild bool   // composer.json has a script gcp-build
	Requires Semver // of PHP

	Front    string // the file that answers every request; empty: Line starts a server
	Line     string // the user's own way to start, for bash
	Warnings []string

	Function string // that Front serves; empty: a program
	Source   string // the file with it
}

// PHP reads the source of a PHP program. An error is FailedPrecondition, and
// the source's fault.
func PHP(fsys fs.FS, spec sunya.BuildSpec) (*PHPPlan, error) {
	p := &PHPPlan{}
	if err := p.composer(fsys); err != nil {
		return nil, err
	}
	if spec.Function != nil {
		return p, p.function(fsys, spec)
	}
	line, err := userLine(fsys, spec)
	if err != nil {
		return nil, err
	}
	if err := p.start(fsys, line); err != nil {
		return nil, err
	}
	return p, nil
}

// composer reads composer.json.
func (p *PHPPlan) composer(fsys fs.FS) error {
	fields, err := readObject(fsys, "composer.json")
	if fields == nil || err != nil {
		return err
	}
	for name, versions := range texts(fields["require"]) {
		switch {
		case name == "php":
			if p.Requires, err = ParseSemver(composerRange(versions)); err != nil {
				p.Warnings = append(p.Warnings, fmt.Sprintf("composer.json: require php: %v; it is ignored", err))
			}
		case strings.Contains(name, "/"): // the rest are extensions of PHP
			p.Packages = true
		}
	}
	p.GCPBuild = texts(fields["scripts"])["gcp-build"] != ""
	p.Vendored = exists(fsys, "vendor/autoload.php")
	return nil
}

var orRE = regexp.MustCompile(`\s*\|{1,2}\s*`)

// composerRange writes Composer's ranges as npm would.
func composerRange(s string) string {
	return strings.ReplaceAll(orRE.ReplaceAllString(strings.TrimSpace(s), " || "), ",", " ")
}

// serveRE is Google's own word in entrypoint: serve, options, front controller.
var serveRE = regexp.MustCompile(`^serve(?:\s+-\S+)*\s+([\w./-]+\.php)$`)

// start sets how the program starts: the user's line, else the front
// controller that Google looks for.
func (p *PHPPlan) start(fsys fs.FS, line string) error {
	if m := serveRE.FindStringSubmatch(line); m != nil {
		p.Front = strings.TrimPrefix(m[1], "./")
		if !fs.ValidPath(p.Front) || !exists(fsys, p.Front) {
			return badSource("the entrypoint serves %s, which is not in the source", m[1])
		}
		return nil
	}
	if line != "" {
		p.Line = execLine(line)
		return nil
	}
	for _, name := range []string{"public/index.php", "index.php"} {
		if exists(fsys, name) {
			p.Front = name
			return nil
		}
	}
	return badSource("the source has neither public/index.php nor index.php: add one that answers every request, or set entrypoint in app.yaml to serve FILE.php")
}
