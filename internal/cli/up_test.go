package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/node"
)

// upConfig is what the node would be given for a command line.
func upConfig(t *testing.T, args ...string) (node.Config, error) {
	t.Helper()
	env := &Env{Dir: "/here", Version: "v1.2.3", Getenv: func(string) string { return "" }}
	env.flags.Project = defaultProject
	f := &upFlags{}
	fs := pflag.NewFlagSet("up", pflag.ContinueOnError)
	f.register(fs, env)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.config(env)
}

func TestUpFlags(t *testing.T) {
	cidr := netip.MustParsePrefix
	plain := node.Config{Version: "v1.2.3", Project: "sunya", Domain: "localhost", IdleTimeout: 15 * time.Minute}
	for _, c := range []struct {
		rule string
		args []string
		want func(*node.Config)
	}{
		{"nothing but defaults", nil, func(*node.Config) {}},
		{"a directory as it is", []string{"--data", "/srv/sunya"}, func(c *node.Config) { c.Data = "/srv/sunya" }},
		{"a directory from here", []string{"--data", "d"}, func(c *node.Config) { c.Data = "/here/d" }},
		{"a directory of its own", []string{"--ephemeral"}, func(c *node.Config) { c.Ephemeral = true }},
		{"listeners in order, their options whole", []string{"--listen", "127.0.0.1:1,roles=api+apps", "--listen", "[::1]:2"},
			func(c *node.Config) { c.Listen = []string{"127.0.0.1:1,roles=api+apps", "[::1]:2"} }},
		{"the internet", []string{"--public", ":443", "--tls-cert", "c", "--tls-key", "k", "--domain", "example.org"},
			func(c *node.Config) {
				c.Public, c.TLSCert, c.TLSKey, c.Domain = []string{":443"}, "c", "k", "example.org"
			}},
		{"proxies as ranges and addresses", []string{"--trusted-proxy", "10.0.0.0/8,192.0.2.1", "--trusted-proxy", "::1"},
			func(c *node.Config) {
				c.TrustedProxies = []netip.Prefix{cidr("10.0.0.0/8"), cidr("192.0.2.1/32"), cidr("::1/128")}
			}},
		{"a demanded isolation", []string{"--isolation", "full"}, func(c *node.Config) { c.Isolation = sandbox.Full }},
		{"memory", []string{"--max-memory", "2Gi"}, func(c *node.Config) { c.MaxMemory = 2 << 30 }},
		{"patience", []string{"--idle-timeout", "1h"}, func(c *node.Config) { c.IdleTimeout = time.Hour }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			want := plain
			c.want(&want)
			got, err := upConfig(t, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUpFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{
		{"--isolation", "much"},
		{"--max-memory", "plenty"},
		{"--max-memory", "0"},
		{"--trusted-proxy", "proxy.example.org"},
		{"--trusted-proxy", "10.0.0.0/33"},
	} {
		if _, err := upConfig(t, args...); exitCode(err) != exitUsage {
			t.Errorf("%v: %v, want a usage error", args, err)
		}
	}
}

func TestWhatKeepsAServerFromStartingEndsInTheCommandThatHelps(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code int
		try  string
	}{
		{"port in use", fmt.Errorf("listen on 127.0.0.1:8080: %w", syscall.EADDRINUSE), exitConflict, "--listen 127.0.0.1:0"},
		{"port below 1024", fmt.Errorf("listen on :80: %w", syscall.EACCES), exitDenied, "sudo sunya up"},
		{"somebody else's directory", fmt.Errorf("data directory: chmod /d: %w", syscall.EPERM), exitDenied, "--data DIR"},
		{"no certificate", fmt.Errorf("load certificate c.pem: %w", syscall.ENOENT), exitUsage, "sunya up --help"},
		{"second server", sunya.Errorf(sunya.FailedPrecondition, "/d", "in use"), exitConflict, "--data DIR"},
		{"anything else", errors.New("odd"), exitFailed, "sunya doctor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := notUp(c.err)
			if exitCode(err) != c.code {
				t.Errorf("exit code %d, want %d", exitCode(err), c.code)
			}
			if try := remedy(&Env{}, "sunya up", err); !strings.Contains(try, c.try) {
				t.Errorf("Try: %s, want %q in it", try, c.try)
			}
		})
	}
}
