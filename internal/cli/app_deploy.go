package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

// deployOptions are the flags of app deploy.
type deployOptions struct {
	version string
	promote bool
	stop    bool // the version that had all traffic before

	appYAML string // instead of the one that the argument means
}

func newAppDeployCommand(env *Env) *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use:     "deploy [DIR|app.yaml|dispatch.yaml ...]",
		Short:   "Deploy an App Engine app and send its traffic to the new version.",
		Args:    cobra.ArbitraryArgs,
		Example: "sunya app deploy\nsunya app deploy hello/app.yaml --version v2 --no-promote",
		RunE: func(cmd *cobra.Command, args []string) error {
			return appDeploy(cmd.Context(), env, args, o)
		},
	}
	cmd.Flags().StringVarP(&o.version, "version", "v", "", "id of the new version (default: local time, YYYYMMDDthhmmss)")
	boolFlag(cmd.Flags(), &o.promote, "promote", true, "send all traffic to the new version")
	boolFlag(cmd.Flags(), &o.stop, "stop-previous-version", true, "stop the version that served before, if its scaling is basic or manual")
	cmd.Flags().StringVar(&o.appYAML, "appyaml", "", "take this app.yaml instead of the source's own")
	return cmd
}

// readTargets reads what the arguments mean. An app.yaml from elsewhere (or none,
// empty) goes with one source only, as with gcloud.
func readTargets(env *Env, args []string, appYAML string) ([]target, error) {
	if appYAML != "" {
		t, err := readElsewhere(env, args, appYAML)
		return []target{t}, err
	}
	targets := make([]target, len(args))
	for i, arg := range args {
		var err error
		if targets[i], err = readTarget(env, arg); err != nil {
			return nil, err
		}
		if j := slices.IndexFunc(targets[:i], targets[i].same); j >= 0 {
			return nil, usagef("%s and %s deploy the same: %s", args[j], arg, targets[i].what())
		}
	}
	return targets, nil
}

// target is one app.yaml or dispatch.yaml to deploy.
type target struct {
	yaml string // path
	dir  string // of the source
	cfg  *appyaml.Config

	dispatch *[]appyaml.DispatchRule // instead of cfg
}

// same reports whether both would replace one another.
func (t target) same(o target) bool { return t.what() == o.what() }

// what is what a target deploys, in words.
func (t target) what() string {
	if t.cfg == nil {
		return "the dispatch rules"
	}
	return fmt.Sprintf("the service %q", t.cfg.Service)
}

// appDeploy deploys the services one after the other.
func appDeploy(ctx context.Context, env *Env, args []string, o deployOptions) error {
	version, err := versionID(env, o.version)
	if err != nil {
		return err
	}
	o.version = version
	if len(args) == 0 {
		args = []string{"."}
	}
	p := newProgress(env)
	defer p.close()
	var targets []target
	err = p.during(stageValidating, func() error {
		targets, err = readTargets(env, args, o.appYAML)
		return err
	})
	if err != nil {
		return refused(args, err)
	}
	return withAdmin(ctx, env, func(c *client, a *admin) error {
		var results []*appenginepb.Version
		for _, t := range servicesFirst(targets) {
			if t.dispatch != nil {
				if err := p.during(stageRouting, func() error { return a.setDispatch(ctx, *t.dispatch) }); err != nil {
					return &failure{stage: stageRouting, err: err, anchor: anchorOf(stageRouting)}
				}
				fmt.Fprintf(env.Stderr, "Dispatch rules set: %d.\n", len(*t.dispatch))
				continue
			}
			d := &deployment{buildWatch: &buildWatch{env: env, client: c, progress: p, ownRouting: o.promote}, admin: a, opts: o, target: t}
			v, err := d.run(ctx)
			if err != nil {
				return err
			}
			results = append(results, v)
		}
		return printDeployed(env, results)
	})
}

// servicesFirst puts dispatch rules last: the services that they name must be
// there.
func servicesFirst(targets []target) []target {
	out := slices.Clone(targets)
	slices.SortStableFunc(out, func(a, b target) int {
		switch {
		case a.dispatch == nil && b.dispatch != nil:
			return -1
		case a.dispatch != nil && b.dispatch == nil:
			return 1
		}
		return 0
	})
	return out
}

// refused is an app.yaml, or a request made of it, that is to be corrected.
func refused(args []string, err error) error {
	f := &failure{stage: stageValidating, err: err, anchor: "validating"}
	if code := codeOf(err); code == sunya.InvalidArgument || code == sunya.Unimplemented {
		f.try = "correct it, then: sunya app deploy " + strings.Join(args, " ")
	}
	return f
}

// printDeployed writes the URLs, or the versions in the form asked for.
func printDeployed(env *Env, results []*appenginepb.Version) error {
	if env.output().kind != "table" {
		return printList(env, results, nil)
	}
	for _, v := range results {
		if err := write(env.Stdout, []byte(v.GetVersionUrl()+"\n")); err != nil {
			return err
		}
	}
	return nil
}

var versionRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// versionID checks the id that the user gave, or makes one as gcloud does.
func versionID(env *Env, given string) (string, error) {
	if given == "" {
		return env.Now().Local().Format("20060102t150405"), nil
	}
	reserved := given == "default" || given == "latest" || strings.HasPrefix(given, "ah-") || strings.Contains(given, "-dot-")
	if !versionRE.MatchString(given) || reserved {
		return "", usagef("--version: %q is not allowed: use 1 to 63 lower-case letters, digits and dashes; not default, latest, ah-… or …-dot-…", given)
	}
	return given, nil
}

func parseTarget(path string) (target, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(path)
		return target{}, usagef("there is no %s in %s; the smallest one is the line %q", filepath.Base(path), dir, smallestYAML(dir))
	}
	if err != nil {
		return target{}, fmt.Errorf("read app.yaml: %w", err)
	}
	defer f.Close()
	data, err := readAtMost(f, appyaml.MaxBytes+1)
	if err != nil {
		return target{}, fmt.Errorf("read %s: %w", path, err)
	}
	t := target{yaml: path, dir: filepath.Dir(path)}
	if filepath.Base(path) == dispatchFile {
		rules, err := appyaml.ParseDispatch(dispatchFile, data)
		t.dispatch = &rules
		return t, err
	}
	t.cfg, err = appyaml.Parse(filepath.Base(path), data)
	return t, err
}
