package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"
)

func newDeployCommand(env *Env) *cobra.Command {
	var o deployOptions
	var service runDeployOptions
	cmd := &cobra.Command{
		Use:     "deploy [DIR]",
		Short:   "Look at a directory and deploy it as what it is.",
		Args:    args(0, 1, "a directory"),
		Example: "sunya deploy\nsunya deploy hello --quiet",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			kind, err := detect(env, dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stderr, "Deploying %s as %s, because %s.\n", dir, kind.name, kind.because)
			if kind.instead != "" {
				return usagef("%s needs a name and a runtime: %s", kind.name, kind.instead)
			}
			if kind.service {
				service.given = cmd.Flags().Changed
				return deployService(cmd.Context(), env, dir, service)
			}
			return appDeploy(cmd.Context(), env, []string{dir}, o)
		},
	}
	cmd.Flags().StringVarP(&o.version, "version", "v", "", "id of the new version (default: local time, YYYYMMDDthhmmss)")
	boolFlag(cmd.Flags(), &o.promote, "promote", true, "send all traffic to the new version")
	boolFlag(cmd.Flags(), &o.stop, "stop-previous-version", true, "stop the version that served before, if its scaling is basic or manual")
	accessFlag(cmd.Flags(), &service.open)
	return cmd
}

// deployService deploys a directory as a service of Cloud Run that is called as
// the directory is.
func deployService(ctx context.Context, env *Env, dir string, o runDeployOptions) error {
	path := dir
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, dir)
	}
	name, err := nameOf(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "With flags of its own: sunya run deploy %s --source %s%s.\n", name, dir, addAppYAML(path))
	o.containers.current().source = dir
	return runDeploy(ctx, env, name, o)
}

// kind is what a directory is deployed as.
type kind struct {
	name    string
	because string
	service bool   // of Cloud Run
	instead string // the command that deploys it, when this one cannot
}

// functionRE finds a function that a functions framework would serve.
var functionRE = regexp.MustCompile(`(?m)^\s*@functions_framework\.|functions\.(http|cloudEvent)\(`)

// maxPeek is how much of a source file is looked at.
const maxPeek = 1 << 20

// addAppYAML says how the source in dir becomes an app, empty when it does not
// look like one.
func addAppYAML(dir string) string {
	for _, sign := range sourceSigns {
		if isFile(dir, sign.file) {
			return fmt.Sprintf("; to deploy it to App Engine, add an app.yaml with the line %q", smallestYAML(dir))
		}
	}
	return ""
}

// detect decides in a fixed order; the first sign counts.
func detect(env *Env, dir string) (kind, error) {
	path := dir
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, dir)
	}
	info, err := os.Stat(path)
	if err != nil {
		return kind{}, usagef("there is no directory %s", dir)
	}
	if !info.IsDir() {
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			return kind{name: "an App Engine service", because: "a YAML file was named"}, nil
		}
		return kind{}, usagef("%s is not a directory", dir)
	}
	return detectIn(path, dir, func(name string) bool { return isFile(path, name) })
}

func detectIn(path, dir string, has func(string) bool) (kind, error) {
	switch {
	case has("app.yaml"):
		return kind{name: "an App Engine service", because: "it has an app.yaml"}, nil
	case hasJavaYAML(path):
		return kind{name: "an App Engine service", because: "it has a " + filepath.ToSlash(javaYAML)}, nil
	case has("Dockerfile"):
		return kind{name: "a Cloud Run service", because: "it has a Dockerfile", service: true}, nil
	case isFunction(path, "main.py"), isFunction(path, "index.js"):
		return kind{name: "a Cloud Function", because: "its main file marks a function",
			instead: "sunya functions deploy NAME --runtime RUNTIME --entry-point FUNCTION --source " + dir}, nil
	}
	for _, sign := range []string{"Procfile", "project.toml"} {
		if has(sign) {
			return fromSource(sign), nil
		}
	}
	for _, sign := range sourceSigns {
		if has(sign.file) {
			return fromSource(sign.file), nil
		}
	}
	return kind{}, usagef("%s holds nothing that can be deployed: no app.yaml, Dockerfile, Procfile or sources; \"sunya init\" writes an example", dir)
}

func fromSource(sign string) kind {
	return kind{name: "a Cloud Run service from source", because: "it has a " + sign + " and no app.yaml", service: true}
}

func isFunction(dir, name string) bool {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := readAtMost(f, maxPeek)
	return err == nil && functionRE.Match(text)
}
