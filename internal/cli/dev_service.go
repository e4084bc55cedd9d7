package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/dev"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// devService is one service of a session: what a loop deploys, and who says so.
type devService struct {
	session *devSession
	name    string
	source  dev.Source
	host    string // under which the platform serves it, without port
	url     string // of its pages
	loop    *dev.Loop
	rules   atomic.Pointer[ignore.Rules]
	files   atomic.Pointer[[]ignore.File] // of the newest source

	// For the loop alone:
	target   target
	begun    bool               // a first deploy was tried
	promoted bool               // the version has the traffic
	before   map[string]float64 // the split that was found; nil: no service
}

func newDevService(s *devSession, t target, host string) *devService {
	d := &devService{
		session: s,
		name:    t.cfg.Service,
		source:  dev.Source{Dir: t.dir, Descriptor: t.yaml},
		host:    host,
		target:  t,
	}
	d.loop = dev.New(d, d, s.env.Now)
	return d
}

// changed hands on a change, named as the user names the file.
func (d *devService) changed(path string) {
	if name, err := filepath.Rel(d.source.Dir, path); err == nil {
		d.loop.Changed(name)
	}
}

// ignored reports whether the newest rules leave a path of this source out.
func (d *devService) ignored(path string, dir bool) bool {
	rel, err := filepath.Rel(d.source.Dir, path)
	rules := d.rules.Load()
	return err == nil && rules != nil && rules.Ignored(filepath.ToSlash(rel), dir)
}

// load reads the rules; editors' own files are never deployed.
func (d *devService) load(dir, runtime string) (*ignore.Rules, error) {
	rules, err := ignore.Load(dir, runtime)
	if err != nil {
		return nil, err
	}
	rules = rules.Without(dev.Scratch)
	d.rules.Store(rules)
	return rules, nil
}

// Fingerprint implements dev.Deployer: a hash of every file that is deployed.
func (d *devService) Fingerprint(ctx context.Context) (string, error) {
	t, err := parseTarget(d.source.Descriptor)
	if err != nil {
		return "", &failure{stage: stageValidating, err: err}
	}
	t.dir = d.source.Dir
	if t.cfg.Service != d.name {
		return "", usagef("%s: the service is now %q and was %q: end sunya dev and start it again", t.yaml, t.cfg.Service, d.name)
	}
	rules, err := d.load(t.dir, t.cfg.Runtime)
	if err != nil {
		return "", err
	}
	files, err := rules.List(ctx, t.dir)
	if err != nil {
		return "", err
	}
	d.target = t
	d.files.Store(&files)
	descriptor, err := os.ReadFile(t.yaml)
	if err != nil {
		return "", fmt.Errorf("read app.yaml: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q\n", descriptor)
	for _, f := range files {
		fmt.Fprintf(sum, "%q %s\n", f.Path, f.SHA1)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

const (
	busyTries = 50
	busyPause = 200 * time.Millisecond
)

// Deploy implements dev.Deployer. A deploy of the same version that somebody
// has left behind is waited for.
func (d *devService) Deploy(ctx context.Context) error {
	if err := d.remember(ctx); err != nil {
		return err
	}
	env := d.session.env
	if d.begun {
		env = env.muted()
	}
	d.begun = true
	for try := 0; ; try++ {
		err := d.deploy(ctx, env)
		if err == nil {
			d.promoted = true
		}
		if codeOf(err) != sunya.Aborted || try == busyTries {
			return err
		}
		if err := sleep(ctx, busyPause); err != nil {
			return err
		}
	}
}

func (d *devService) deploy(ctx context.Context, env *Env) error {
	p := newProgress(env)
	defer p.close()
	one := &deployment{
		buildWatch: &buildWatch{env: env, client: d.session.server.client, progress: p, ownRouting: !d.promoted},
		admin:      d.session.admin,
		opts:       deployOptions{version: d.session.opts.version, promote: !d.promoted},
		target:     d.target,
		rules:      d.load,
	}
	_, err := one.run(ctx)
	return err
}

// remember keeps how the traffic was, before it is changed.
func (d *devService) remember(ctx context.Context) error {
	if d.begun {
		return nil
	}
	svc, err := d.session.admin.service(ctx, d.name)
	if codeOf(err) == sunya.NotFound {
		return nil
	}
	d.before = svc.GetSplit().GetAllocations()
	return err
}

// Deploying implements dev.Reporter.
func (d *devService) Deploying(changed []string) {
	d.session.log.begin()
	restart := len(changed) == 0
	if there := slices.DeleteFunc(slices.Clone(changed), d.gone); len(there) > 0 {
		changed = there // tools write a file anew under another name first
	}
	switch n := len(changed); {
	case restart && d.begun:
		d.say("restarting")
	case n == 1:
		d.say("%s changed", changed[0])
	case n > 1:
		slices.Sort(changed)
		d.say("%s and %d more changed", changed[0], n-1)
	}
}

// Serving implements dev.Reporter.
func (d *devService) Serving(took time.Duration) {
	d.say("serves the new source after %s", seconds(took))
	d.session.served(d)
}

// Restored implements dev.Reporter.
func (d *devService) Restored() { d.say("the source is again the one that serves") }

// Failed implements dev.Reporter: the terminal shows it once, whatever the
// app's log brings too.
func (d *devService) Failed(err error) {
	said := plainly(err)
	fmt.Fprintf(d.session.env.Stderr, "ERROR: %s: %s\n", d.name, printable(said))
	for _, line := range d.session.log.blame(asFailure(err).logs) {
		if line == "" || !strings.HasSuffix(said, strings.TrimPrefix(line, "error: ")) {
			fmt.Fprintf(d.session.env.Stderr, "  | %s\n", printable(line))
		}
	}
	if d.loop.State().Good {
		d.say("the last good version serves on; pages show the error")
		return
	}
	d.say("nothing serves yet; save a file or press r to try again")
}

// revisionRE matches the name of the revision that the platform puts before
// what is wrong with it: in a session there is only one.
var revisionRE = regexp.MustCompile(`apps/[^ :]+/versions/[^ :]+: `)

// plainly is an error without the platform's names.
func plainly(err error) string { return revisionRE.ReplaceAllString(message(err), "") }

// asFailure returns the failure in err, or one made of it.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{err: err}
}

func (d *devService) say(format string, args ...any) {
	at := d.session.env.Now().Local().Format("15:04:05")
	fmt.Fprintf(d.session.env.Stderr, "%s %s: %s\n", at, d.name, printable(fmt.Sprintf(format, args...)))
}

// gone reports whether a path of the source no longer exists.
func (d *devService) gone(path string) bool {
	_, err := os.Lstat(filepath.Join(d.source.Dir, path))
	return err != nil
}

// has reports whether the newest source has a file.
func (d *devService) has(path string) bool {
	files := d.files.Load()
	if files == nil {
		return false
	}
	_, found := slices.BinarySearchFunc(*files, path, func(f ignore.File, path string) int { return strings.Compare(f.Path, path) })
	return found
}

// muted is this Env without a voice on stderr.
func (e *Env) muted() *Env {
	quiet := *e
	quiet.Stderr, quiet.StderrTTY = io.Discard, false
	return &quiet
}
