package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/internal/core/dev"
)

// devOptions are the flags of dev.
type devOptions struct {
	version string
	port    int
	poll    bool
	data    string
}

const (
	devVersion = "dev"
	devPort    = 8081
)

func newDevCommand(env *Env) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev [DIR|app.yaml ...]",
		Short: "Work on an app: deploy what is saved, show what is wrong.",
		Long: "Watches the source and deploys a service when it changes. While the newest\n" +
			"source is broken the last good version serves; pages show what is wrong, and\n" +
			"so does the terminal. Uses the server that runs, or one of its own until the\n" +
			"end. Keys: o open, r restart, l clear, q quit. See docs/dev.md.",
		Args:    cobra.ArbitraryArgs,
		Example: "sunya dev hello\nsunya dev app.yaml worker/app.yaml --port 9000",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDev(cmd.Context(), env, args, o)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.version, "version", "v", devVersion, "id of the version that is deployed over and over")
	fs.IntVar(&o.port, "port", devPort, "port of the pages on 127.0.0.1; 0, or one that is taken: any free one")
	fs.BoolVar(&o.poll, "poll", false, "look at the files twice a second instead of asking the kernel")
	fs.StringVar(&o.data, "data", "", "data directory of the session's own server (default: one for each DIR in the cache)")
	return cmd
}

// errQuit ends a session that the user has had enough of.
var errQuit = errors.New("quit")

// runDev reads what is to be worked on, finds a server, and works until the
// user ends it.
func runDev(ctx context.Context, env *Env, args []string, o devOptions) error {
	if _, err := versionID(env, o.version); err != nil {
		return err
	}
	if o.port < 0 || o.port > 65535 {
		return usagef("--port: %d is not a port: use 0 to 65535", o.port)
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	targets, err := devTargets(env, args)
	if err != nil {
		return err
	}
	server, err := findServer(ctx, env, o.data, targets[0].dir)
	if err != nil {
		return err
	}
	s := &devSession{env: env, opts: o, server: server}
	err = s.run(ctx, targets)
	err = errors.Join(err, s.leave(ctx), server.stop())
	var sig Signal
	switch {
	case errors.As(context.Cause(ctx), &sig):
		return silent{exitSignalOffset + sig.Number}
	case errors.Is(err, errQuit):
		return nil
	}
	return err
}

// devTargets reads each app.yaml. The default service comes first, as App
// Engine wants it.
func devTargets(env *Env, args []string) ([]target, error) {
	var targets []target
	for _, arg := range args {
		t, err := readTarget(env, arg)
		if err != nil {
			return nil, err
		}
		if t.cfg == nil {
			return nil, usagef("%s does not describe a service: deploy it with sunya app deploy", arg)
		}
		if err := t.resolve(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(targets, func(o target) bool { return o.cfg.Service == t.cfg.Service }) {
			return nil, usagef("%s: the service %q was named already", arg, t.cfg.Service)
		}
		targets = append(targets, t)
	}
	slices.SortStableFunc(targets, func(a, b target) int { return rank(a) - rank(b) })
	return targets, nil
}

// resolve names the source by its true path, as events do.
func (t *target) resolve() error {
	inside, err := filepath.Rel(t.dir, t.yaml)
	if err == nil {
		t.dir, err = filepath.EvalSymlinks(t.dir)
	}
	if err != nil {
		return fmt.Errorf("open source directory: %w", err)
	}
	t.yaml = filepath.Join(t.dir, inside)
	return nil
}

func rank(t target) int {
	if t.cfg.Service == "default" {
		return 0
	}
	return 1
}

// devSession is one sunya dev.
type devSession struct {
	env      *Env
	opts     devOptions
	server   *devServer
	admin    *admin
	services []*devService
	log      *devLog
	url      string // of the first service's pages
}

// run works until ctx ends, whose cause it returns, or until the user quits.
func (s *devSession) run(ctx context.Context, targets []target) error {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	var err error
	if s.admin, err = s.server.client.admin(ctx); err != nil {
		return err
	}
	app, err := s.admin.application(ctx)
	if err != nil {
		return err
	}
	if s.log, err = s.follow(ctx, targets); err != nil {
		return err
	}
	for _, t := range targets {
		s.services = append(s.services, newDevService(s, t, withoutPort(serviceHost(app, t.cfg.Service))))
	}
	watchers, err := s.watch()
	if err != nil {
		return err
	}
	proxy, err := newDevProxy(s)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.server.wait(ctx) })
	group.Go(func() error { return s.log.run(ctx) })
	group.Go(func() error { return proxy.run(ctx) })
	for _, w := range watchers {
		group.Go(func() error { return w.Run(ctx, s.changed) })
	}
	group.Go(func() error { return s.work(ctx) })
	group.Go(func() error { return keys(ctx, s.env, func(key byte) { s.press(key, quit) }) })
	err = group.Wait()
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, errQuit) {
		return errQuit
	}
	return err
}

// work makes the first deploys, one after the other, says where the app is, and
// then keeps every service up to date.
func (s *devSession) work(ctx context.Context) error {
	for _, svc := range s.services {
		svc.loop.Deploy(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.greet(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, svc := range s.services {
		group.Go(func() error { return svc.loop.Run(ctx) })
	}
	return group.Wait()
}

// greet says where to look: the addresses on stdout, the rest on stderr.
func (s *devSession) greet() error {
	for _, svc := range s.services {
		line := svc.url + "\n"
		if len(s.services) > 1 {
			line = fmt.Sprintf("%-12s %s\n", svc.name, svc.url)
		}
		out := s.env.Stdout
		if s.env.output().kind != "table" {
			out = s.env.Stderr // stdout is for the log's JSON alone
		}
		if err := write(out, []byte(line)); err != nil {
			return err
		}
	}
	help := "Ctrl-C ends it."
	if s.env.StdinTTY {
		help = "Keys: o open, r restart, l clear, q quit."
	}
	fmt.Fprintf(s.env.Stderr, "Watching %s. %s\n", strings.Join(dev.Roots(s.sources()), ", "), help)
	return nil
}

func (s *devSession) press(key byte, quit context.CancelCauseFunc) {
	switch key {
	case 'o':
		if err := openBrowser(s.env, s.url); err != nil {
			s.env.warnf("the browser did not start: %v", err)
		}
	case 'r':
		for _, svc := range s.services {
			svc.loop.Restart()
		}
	case 'l':
		fmt.Fprint(s.env.Stderr, "\x1b[H\x1b[2J\x1b[3J")
	case 'q':
		quit(errQuit)
	}
}

// served tells the services that have never been good that one is now: the
// first service of an application must be the default one.
func (s *devSession) served(one *devService) {
	for _, svc := range s.services {
		if st := svc.loop.State(); svc != one && !st.Good && st.Failure != nil {
			svc.loop.Restart()
		}
	}
}
