package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// gcloudName is the configuration that is written unless told otherwise.
const gcloudName = "sunya"

// gcloudNameRE is gcloud's own rule.
var gcloudNameRE = regexp.MustCompile(`^[a-z][-a-z0-9]*$`)

func newGcloudConfigCommand(env *Env) *cobra.Command {
	var name string
	var remove bool
	cmd := &cobra.Command{
		Use:    "gcloud-config",
		Hidden: true, // asked for once, by who reads docs/gcloud.md
		Short:  "Write a gcloud configuration that leads here.",
		Long: "Writes a named gcloud configuration: this server's address for each API that it\n" +
			"has, the project, and no Google account. Your other configurations stay as they\n" +
			"are, and so does what you have added to this one. See docs/gcloud.md.",
		Args:    args(0, 0, ""),
		Example: "sunya gcloud-config && gcloud config configurations activate sunya\nsunya gcloud-config --delete",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !gcloudNameRE.MatchString(name) || remove && name == "default" {
				return usagef("--name: %q is not allowed: use lower-case letters, digits and dashes, beginning with a letter; \"default\" cannot be deleted", name)
			}
			c := gcloudConfig{dir: gcloudDir(env), name: name}
			if remove {
				return c.remove(env)
			}
			return c.write(cmd.Context(), env)
		},
	}
	cmd.Flags().StringVar(&name, "name", gcloudName, "name of the configuration")
	boolFlag(cmd.Flags(), &remove, "delete", false, "remove the configuration again")
	return cmd
}

// gcloudDir is where gcloud keeps its settings.
func gcloudDir(env *Env) string {
	return cmp.Or(env.Getenv("CLOUDSDK_CONFIG"), filepath.Join(env.Getenv("HOME"), ".config", "gcloud"))
}

// gcloudConfig is one named configuration of gcloud.
type gcloudConfig struct {
	dir  string
	name string
}

func (c gcloudConfig) file() string {
	return filepath.Join(c.dir, "configurations", "config_"+c.name)
}

// tokenFile is where gcloud reads the token of a server on another machine.
func (c gcloudConfig) tokenFile() string { return filepath.Join(c.dir, c.name+".token") }

// write makes the configuration, or brings it up to date.
func (c gcloudConfig) write(ctx context.Context, env *Env) error {
	want, err := c.properties(ctx, env)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file()), 0o700); err != nil {
		return fmt.Errorf("write gcloud configuration: %w", err)
	}
	before, err := os.ReadFile(c.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read gcloud configuration: %w", err)
	}
	if err := c.writeCredential(env, want); err != nil {
		return err
	}
	if !strings.Contains(string(before), "["+runRegion.section+"]") {
		want = append(want, runRegion) // once: another one is the user's
	}
	if err := replaceFile(c.file(), setProperties(string(before), want)); err != nil {
		return fmt.Errorf("write gcloud configuration: %w", err)
	}
	fmt.Fprintf(env.Stderr, "Use it:      gcloud config configurations activate %s\n", c.name)
	fmt.Fprintf(env.Stderr, "Once only:   gcloud --configuration %s app deploy\n", c.name)
	fmt.Fprintf(env.Stderr, "Go back:     gcloud config configurations activate default\n")
	return write(env.Stdout, []byte(c.file()+"\n"))
}

// property is one of gcloud's; an empty value takes it out.
type property struct{ section, key, value string }

// properties are those that lead to the server. Its project is asked for where
// it answers; a configuration may be written before the server runs.
func (c gcloudConfig) properties(ctx context.Context, env *Env) ([]property, error) {
	base, err := env.flags.serverURL()
	if err != nil {
		return nil, err
	}
	project, domain := env.flags.Project, defaultDomain
	server, err := connect(ctx, env)
	var gone *unreachable
	switch {
	case err == nil:
		project, domain = server.project, cmp.Or(server.status.Domain, domain)
		server.close()
	case !errors.As(err, &gone):
		return nil, err
	case project == "":
		env.warnf("no server answers at %s yet; the project is %s unless you name another with --project", base, defaultProject)
		project = defaultProject
	}
	out := []property{{"core", "project", project}}
	out = append(out, property{"auth", "disable_credentials", ""}) // what earlier versions wrote
	token, key, host := c.tokenFile(), "", ""
	if env.Getenv("SUNYA_TOKEN") == "" {
		token, key, host = "", c.keyFile(), base.String()+tokenPath
	}
	out = append(out, property{"auth", "access_token_file", token}, property{"auth", "credential_file_override", key}, property{"auth", "token_host", host})
	return append(out, gcloudEndpoints(ctx, env, base, domain)...), nil
}

// runRegion is where gcloud run goes that names no region: to where sunya run
// does.
var runRegion = property{"run", "region", defaultRegion}

// tokenPath is where the server gives tokens to accounts that show a key.
const tokenPath = "/token"

// writeCredential stores what gcloud shows the server, readable by this user
// alone: SUNYA_TOKEN, or a key where there is none. It removes the other.
func (c gcloudConfig) writeCredential(env *Env, want []property) error {
	values := map[string]string{}
	for _, p := range want {
		values[p.section+"/"+p.key] = p.value
	}
	token := env.Getenv("SUNYA_TOKEN")
	if token == "" {
		if err := removeFile(c.tokenFile()); err != nil {
			return fmt.Errorf("remove the token: %w", err)
		}
		return c.writeKey(values["core/project"], values["auth/token_host"])
	}
	if err := errors.Join(removeFile(c.keyFile()), replaceFile(c.tokenFile(), token)); err != nil {
		return fmt.Errorf("store the token: %w", err)
	}
	return nil
}

// remove deletes the configuration. Where it is the active one, gcloud goes back
// to its default first.
func (c gcloudConfig) remove(env *Env) error {
	if _, err := os.Stat(c.file()); errors.Is(err, fs.ErrNotExist) {
		return sunya.Errorf(sunya.NotFound, c.file(), "there is no gcloud configuration %q", c.name)
	}
	active := filepath.Join(c.dir, "active_config")
	now, err := os.ReadFile(active)
	if err == nil && strings.TrimSpace(string(now)) == c.name {
		if err := replaceFile(active, "default"); err != nil {
			return fmt.Errorf("go back to gcloud's default configuration: %w", err)
		}
		fmt.Fprintln(env.Stderr, "gcloud uses its default configuration again.")
	}
	if err := errors.Join(removeFile(c.tokenFile()), removeFile(c.keyFile()), os.Remove(c.file())); err != nil {
		return fmt.Errorf("delete gcloud configuration: %w", err)
	}
	fmt.Fprintf(env.Stderr, "Deleted gcloud configuration %s.\n", c.name)
	return nil
}

func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replaceFile puts text in the place of a file, whole or not at all.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sunya-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
