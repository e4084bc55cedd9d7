package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newOpenCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "open [NAME]",
		Short:   "Open a service in the browser; elsewhere, print its URL.",
		Args:    args(0, 1, "the name of a service"),
		Example: "sunya open\nsunya open default",
		RunE: func(cmd *cobra.Command, args []string) error {
			service := "default"
			if len(args) == 1 {
				service = args[0]
			}
			err := browse(cmd.Context(), env, service, "")
			if codeOf(err) != sunya.NotFound || len(args) == 0 {
				return err
			}
			return browseRun(cmd.Context(), env, service, err)
		},
	}
}

// browseRun opens a service of Cloud Run, of whatever location; where there is
// none of that name either, notFound is the error.
func browseRun(ctx context.Context, env *Env, service string, notFound error) error {
	return withRun(ctx, env, func(a *runAPI) error {
		services, err := a.anywhere(ctx)
		if err != nil {
			return err
		}
		for _, s := range services {
			if lastOf(s.GetName()) == service {
				return show(env, s.GetUri())
			}
		}
		return notFound
	})
}

func newAppBrowseCommand(env *Env) *cobra.Command {
	var service, version string
	cmd := &cobra.Command{
		Use:     "browse",
		Short:   "Open an app in the browser; elsewhere, print its URL.",
		Args:    args(0, 0, ""),
		Example: "sunya app browse\nsunya app browse --service api --version v2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return browse(cmd.Context(), env, service, version)
		},
	}
	cmd.Flags().StringVarP(&service, "service", "s", "default", "service to open")
	cmd.Flags().StringVarP(&version, "version", "v", "", "one version instead of what gets the traffic")
	return cmd
}

// browse prints the URL of a service that exists, and opens it where there is
// somebody to look at it.
func browse(ctx context.Context, env *Env, service, version string) error {
	return withAdmin(ctx, env, func(c *client, a *admin) error {
		app, err := a.application(ctx)
		if err != nil {
			return err
		}
		if _, err := a.service(ctx, service); err != nil {
			return err
		}
		url := c.appsURL(serviceHost(app, service))
		if version != "" {
			if _, err := a.version(ctx, service, version); err != nil {
				return err
			}
			url = c.appsURL(versionHost(app, service, version))
		}
		return show(env, url)
	})
}

// show prints a URL and opens it.
func show(env *Env, url string) error {
	if err := write(env.Stdout, []byte(url+"\n")); err != nil {
		return err
	}
	if err := openBrowser(env, url); err != nil {
		env.warnf("the browser did not start: %v", err)
	}
	return nil
}

// openBrowser starts the desktop's browser and does not wait for it. Where
// stdout is no terminal, or there is no desktop, it does nothing.
func openBrowser(env *Env, url string) error {
	desktop := env.Getenv("DISPLAY") != "" || env.Getenv("WAYLAND_DISPLAY") != ""
	opener := lookPath(env, "xdg-open")
	if !env.StdoutTTY || !desktop || opener == "" {
		return nil
	}
	p, err := os.StartProcess(opener, []string{opener, url}, &os.ProcAttr{Dir: env.Dir, Files: []*os.File{nil, nil, nil}})
	if err != nil {
		return err
	}
	return p.Release()
}

// lookPath finds a program, or returns the empty string.
func lookPath(env *Env, name string) string {
	for dir := range strings.SplitSeq(env.Getenv("PATH"), string(os.PathListSeparator)) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
