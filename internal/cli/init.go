package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// templates holds one directory for each template. Each runs on Google
// unchanged. The names of files that would be Go's to compile end in .template
// here.
//
//go:embed templates
var templates embed.FS

const defaultTemplate = "python-app"

// suffix of files whose own name would mean something here.
const templateSuffix = ".template"

// functionTemplates are what deploys the templates that are functions.
var functionTemplates = map[string]string{
	"go-function":     "--runtime go121 --entry-point Hello",
	"node-function":   "--runtime nodejs20",
	"python-function": "--runtime python311",
}

// nextStep deploys what a template has made in dir.
func nextStep(template, dir string) string {
	flags, function := functionTemplates[template]
	if !function {
		return "sunya deploy " + dir
	}
	return "sunya functions deploy hello --source " + dir + " " + flags + " --allow-unauthenticated"
}

func newInitCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "init [TEMPLATE] [DIR]",
		Short:   "Write the files of a small app or function to begin with.",
		Long:    "Templates: " + strings.Join(templateNames(), ", ") + " (the default is " + defaultTemplate + ").",
		Args:    args(0, 2, "a template and a directory"),
		Example: "sunya init\nsunya init python-function hello",
		RunE: func(_ *cobra.Command, args []string) error {
			name, dir := defaultTemplate, "."
			if len(args) > 0 {
				name = args[0]
			}
			if len(args) > 1 {
				dir = args[1]
			}
			return initApp(env, name, dir)
		},
	}
}

func templateNames() []string {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// initApp writes a template into dir. It never replaces a file.
func initApp(env *Env, name, dir string) error {
	files, err := templates.ReadDir("templates/" + name)
	if err != nil || strings.ContainsAny(name, "/.") {
		return usagef("there is no template %q; there is: %s", name, strings.Join(templateNames(), ", "))
	}
	path := dir
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, dir)
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for _, f := range files {
		if own := strings.TrimSuffix(f.Name(), templateSuffix); here(filepath.Join(path, own)) {
			return &failure{err: exists(dir, own), try: "sunya init " + name + " another-directory"}
		}
	}
	for _, f := range files {
		if err := writeTemplate(name, f.Name(), path); err != nil {
			return err
		}
		if err := write(env.Stdout, []byte(filepath.Join(dir, strings.TrimSuffix(f.Name(), templateSuffix))+"\n")); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.Stderr, "Next: %s\n", nextStep(name, dir))
	return nil
}

// here reports whether a file is there.
func here(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func writeTemplate(template, name, dir string) error {
	data, err := templates.ReadFile("templates/" + template + "/" + name)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	name = strings.TrimSuffix(name, templateSuffix)
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return exists(dir, name)
	}
	if err != nil {
		return fmt.Errorf("write template: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func exists(dir, name string) error {
	return sunya.Errorf(sunya.AlreadyExists, filepath.Join(dir, name), "the file exists and is not replaced")
}
