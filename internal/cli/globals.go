package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/node"
)

// globals are the flags that every verb has.
type globals struct {
	Server    string
	Project   string
	Region    string
	Format    string
	JSON      bool
	Quiet     bool
	Verbosity string
}

const (
	defaultServer  = "http://127.0.0.1:8080"
	defaultProject = "sunya"
	defaultRegion  = "local"
	defaultDomain  = node.DefaultDomain
)

func (g *globals) register(fs *pflag.FlagSet) {
	fs.StringVar(&g.Server, "server", defaultServer, "the server")
	fs.StringVar(&g.Project, "project", "", "project id (default: the server's)")
	fs.StringVar(&g.Region, "region", "", "region, any well-formed name (default \"local\")")
	fs.StringVar(&g.Format, "format", "", "json, jsonl, yaml, table or value(FIELD,...)")
	fs.BoolVar(&g.JSON, "json", false, "short for --format json")
	fs.BoolVarP(&g.Quiet, "quiet", "q", false, "never ask; hide build output unless it fails")
	fs.StringVar(&g.Verbosity, "verbosity", "warning", "error, warning, info or debug")
}

// fill gives flags that were not set the value of their environment twin, then
// settles the values that follow from others.
func (e *Env) fill(cmd *cobra.Command) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		twin := twinOf(f.Name)
		value := e.Getenv(twin)
		if f.Changed || value == "" || err != nil || f.Name == "help" || f.Annotations[negation] != nil {
			return
		}
		if setErr := cmd.Flags().Set(f.Name, value); setErr != nil {
			err = usagef("environment variable %s: %v", twin, setErr)
		}
	})
	if err != nil {
		return err
	}
	return e.settle()
}

// twinOf is the environment variable of a flag.
func twinOf(flag string) string {
	return "SUNYA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (e *Env) settle() error {
	g := &e.flags
	g.Project = cmp.Or(g.Project, e.Getenv("CLOUDSDK_CORE_PROJECT"), e.Getenv("GOOGLE_CLOUD_PROJECT"))
	if g.Project != "" {
		if err := sunya.CheckProject(g.Project); err != nil {
			return usageError{err.Error()}
		}
	}
	g.Region = cmp.Or(g.Region, e.Getenv("CLOUDSDK_COMPUTE_REGION"), defaultRegion)
	if g.JSON && g.Format == "" {
		g.Format = "json"
	}
	if _, err := parseFormat(g.Format); err != nil {
		return err
	}
	switch g.Verbosity {
	case "debug", "info", "warning", "error", "critical", "none":
	default:
		return usagef("--verbosity: %q is not allowed: use error, warning, info or debug", g.Verbosity)
	}
	_, err := g.serverURL()
	return err
}

// serverURL is the root of the server's APIs.
func (g *globals) serverURL() (*url.URL, error) {
	raw := g.Server
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usagef("--server: %q is not an address: use http://HOST:PORT or https://HOST:PORT", g.Server)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, usagef("--server: %q has more than scheme, host and port", g.Server)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// talk reports whether messages of a level are wanted on stderr.
func (g *globals) talk(level string) bool {
	order := map[string]int{"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4, "none": 5}
	return order[level] >= order[g.Verbosity]
}

// warnf says something that does not stop the command.
func (e *Env) warnf(format string, args ...any) {
	if e.flags.talk("warning") {
		fmt.Fprintf(e.Stderr, "WARNING: %s\n", printable(fmt.Sprintf(format, args...)))
	}
}

// infof says something for those who asked to hear more.
func (e *Env) infof(format string, args ...any) {
	if e.flags.talk("info") {
		fmt.Fprintf(e.Stderr, "%s\n", printable(fmt.Sprintf(format, args...)))
	}
}

// negation marks the --no- form of a flag.
const negation = "sunya_negation"

// boolFlag registers --name and --no-name.
func boolFlag(fs *pflag.FlagSet, dst *bool, name string, value bool, usage string) {
	fs.BoolVar(dst, name, value, usage)
	fs.VarPF(notValue{dst}, "no-"+name, "", "not --"+name).NoOptDefVal = "true"
	no := fs.Lookup("no-" + name)
	no.Hidden = !value
	if value {
		no.Usage = "the opposite: do not " + usage
		fs.Lookup(name).Hidden = true
	}
	no.Annotations = map[string][]string{negation: {name}}
}

// notValue sets a bool to the opposite.
type notValue struct{ dst *bool }

func (v notValue) String() string { return "false" }
func (v notValue) Type() string   { return "bool" }
func (v notValue) Set(s string) error {
	switch s {
	case "true", "1":
		*v.dst = false
	case "false", "0":
		*v.dst = true
	default:
		return fmt.Errorf("%q is not true or false", s)
	}
	return nil
}
