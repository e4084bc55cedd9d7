package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/node"
)

// upFlags are the flags of sunya up, as they are written.
type upFlags struct {
	cfg       node.Config
	isolation string
	memory    string
	proxies   []string
	whileIn   bool
}

func newUpCommand(env *Env) *cobra.Command {
	f := &upFlags{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the platform in the foreground.",
		Long: "Everything is in this one process and one data directory. Ctrl-C drains\n" +
			"requests, stops all instances and leaves nothing behind.",
		Example: "sunya up\nsunya up --public :80 --domain apps.example.org",
		Args:    args(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runUp(cmd.Context(), env, f) },
	}
	f.register(cmd.Flags(), env)
	return cmd
}

func (f *upFlags) register(fs *pflag.FlagSet, env *Env) {
	fs.StringVar(&f.cfg.Data, "data", "", "data directory (default "+node.DefaultData(env.Getenv)+")")
	fs.StringArrayVar(&f.cfg.Listen, "listen", nil, "HOST:PORT[,roles=apps+api+console]; may be repeated (default "+node.DefaultListen+", all roles)")
	fs.StringArrayVar(&f.cfg.Public, "public", nil, "address that serves apps only, such as :80; may be repeated")
	fs.StringVar(&f.cfg.Domain, "domain", node.DefaultDomain, "what names of services stand in front of")
	fs.DurationVar(&f.cfg.IdleTimeout, "idle-timeout", node.DefaultIdleTimeout, "from an instance's last request to its stop")
	fs.StringVar(&f.memory, "max-memory", "", "`SIZE` for all instances, such as 4Gi")
	fs.StringVar(&f.isolation, "isolation", "", "refuse to start with less than: full or user (default: the best this machine has)")
	fs.StringVar(&f.cfg.TLSCert, "tls-cert", "", "certificate (PEM) for the --public addresses")
	fs.StringVar(&f.cfg.TLSKey, "tls-key", "", "its private key (PEM)")
	fs.StringSliceVar(&f.proxies, "trusted-proxy", nil, "peers whose X-Forwarded headers are believed, as CIDR; may be repeated")
	fs.StringArrayVar(&f.cfg.RegistryMirrors, "registry-mirror", nil, "pull images of a registry elsewhere, as `HOST=TO`, or HOST=local; may be repeated")
	fs.BoolVar(&f.cfg.Ephemeral, "ephemeral", false, "keep data only until the end")
	fs.StringVar(&f.cfg.Blobs, "blobs", "", "`URL` of an S3 bucket for bytes of objects")
	fs.StringVar(&f.cfg.Events, "events", "", "`URL` of a Postgres database for messages")
	fs.BoolVar(&f.cfg.Replace, "replace", false, "take over from the server that runs on the data directory, if one does")
	fs.BoolVar(&f.whileIn, "while-stdin", false, "end when standard input does")
}

// config turns what was written into what the node takes.
func (f *upFlags) config(env *Env) (node.Config, error) {
	cfg := f.cfg
	cfg.Version = env.Version
	cfg.Args = env.Args
	cfg.Project = env.flags.Project
	switch f.isolation {
	case "", string(sandbox.Full), string(sandbox.User), string(sandbox.None):
		cfg.Isolation = sandbox.Level(f.isolation)
	default:
		return cfg, usagef("--isolation: %q is not a level: use full, user or none", f.isolation)
	}
	if f.memory != "" {
		n, err := functions.ParseMemory(f.memory)
		if err != nil || n == 0 {
			return cfg, usagef("--max-memory: %q is not an amount of memory: write 512Mi or 4Gi", f.memory)
		}
		cfg.MaxMemory = n
	}
	for _, p := range f.proxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return cfg, usagef("--trusted-proxy: %q is not an address range: use CIDR such as 10.0.0.0/8", p)
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	if cfg.Data != "" && !filepath.IsAbs(cfg.Data) {
		cfg.Data = filepath.Join(env.Dir, cfg.Data)
	}
	return cfg, nil
}

// parsePrefix reads a CIDR or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(s)
}

func runUp(ctx context.Context, env *Env, f *upFlags) error {
	cfg, err := f.config(env)
	if err != nil {
		return err
	}
	if f.whileIn {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, env.Stdin) // however it ends, it has ended
		}()
	}
	n, err := node.Open(ctx, cfg, env.logger())
	if err != nil {
		return notUp(err)
	}
	fmt.Fprint(env.Stdout, n.Banner())
	err = n.Run(ctx)
	var sig Signal
	if err == nil && errors.As(context.Cause(ctx), &sig) {
		env.infof("stopped (%v)", sig)
	}
	return err
}

// notUp adds to what kept the server from starting the command that helps.
func notUp(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &failure{err: err, code: exitConflict,
			try: "sunya status   (is it Sunya already?), or a free port: sunya up --listen 127.0.0.1:0"}
	case errors.Is(err, fs.ErrPermission):
		return &failure{err: err, code: exitDenied,
			try: "sunya up --data DIR --listen 127.0.0.1:8080   (a directory of your own, a port above 1023), or sudo sunya up"}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{err: err, code: exitUsage, try: "sunya up --help"}
	case reasonOf(err) == sunya.ReasonIsolation:
		return &failure{err: err, code: exitConflict, try: "sudo sunya up --isolation full, or sunya up   (with the best this machine has)"}
	case reasonOf(err) == sunya.ReasonEventsTaken:
		return &failure{err: err, code: exitConflict, try: "sunya up --events URL   (another database), or stop the server that uses this one"}
	case sunya.CodeOf(err) == sunya.FailedPrecondition:
		return &failure{err: err, code: exitConflict, try: "sunya up --data DIR   (another directory)"}
	}
	return err
}

func reasonOf(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// logger is the server's own log, on stderr.
func (e *Env) logger() *slog.Logger {
	level := slog.LevelWarn
	switch e.flags.Verbosity {
	case "debug":
		level = slog.LevelDebug
	case "info":
		level = slog.LevelInfo
	case "error", "critical", "none":
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
}
