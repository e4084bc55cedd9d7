package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newEnvCommand(env *Env) *cobra.Command {
	var shell string
	cmd := &cobra.Command{
		Use:     "env",
		Short:   "Print the variables that point Google's clients and gcloud here.",
		Args:    args(0, 0, ""),
		Example: "eval \"$(sunya env)\"\nsunya env --shell fish | source",
		RunE: func(cmd *cobra.Command, _ []string) error {
			vars, err := clientVariables(cmd.Context(), env)
			if err != nil {
				return err
			}
			return printVariables(env, shell, vars)
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "", "bash, zsh, sh, fish, powershell or cmd (default: by $SHELL)")
	return cmd
}

// The APIs by gcloud's names: those whose paths are nobody else's, and those that
// share theirs with others, and have their name in front. Of some of these the
// server has little or nothing, and says so: without an address gcloud would ask
// Google's.
var (
	gcloudAPIs  = []string{"appengine", "logging", "pubsub", "storage"}
	gcloudNamed = []string{"artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "cloudtasks", "datastore", "eventarc", "iam", "serviceusage"}
)

// gcloudEndpoints are the addresses of APIs as gcloud wants them: they end in a
// slash. domain is the server's.
func gcloudEndpoints(ctx context.Context, env *Env, base *url.URL, domain string) []property {
	var out []property
	for _, api := range gcloudAPIs {
		out = append(out, property{"api_endpoint_overrides", api, base.String() + "/"})
	}
	for _, api := range gcloudNamed {
		out = append(out, property{"api_endpoint_overrides", api, base.String() + "/" + api + ".googleapis.com/"})
	}
	return append(out, runEndpoint(ctx, env, base, domain)...)
}

// variable is one of them.
type variable struct{ name, value string }

// clientVariables are those for the APIs that this server has: pointing a
// client at one that is not there would only hide the reason why it fails.
func clientVariables(ctx context.Context, env *Env) ([]variable, error) {
	base, err := env.flags.serverURL()
	if err != nil {
		return nil, err
	}
	project, domain := cmp.Or(env.flags.Project, defaultProject), defaultDomain
	if server, err := connect(ctx, env); err == nil { // it may be started later
		project, domain = server.project, cmp.Or(server.status.Domain, domain)
		server.close()
	}
	vars := []variable{
		{"SUNYA_SERVER", base.String()},
		{"GOOGLE_CLOUD_PROJECT", project},
		{"STORAGE_EMULATOR_HOST", base.String()},
		{"PUBSUB_EMULATOR_HOST", base.Host},
		{"PUBSUB_PROJECT_ID", project},
		{"CLOUDSDK_CORE_PROJECT", project},
		{"CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true"},
	}
	for _, o := range append(gcloudEndpoints(ctx, env, base, domain), runRegion) {
		vars = append(vars, variable{"CLOUDSDK_" + strings.ToUpper(o.section+"_"+o.key), o.value})
	}
	return vars, nil
}

func printVariables(env *Env, shell string, vars []variable) error {
	if env.output().kind != "table" {
		all := map[string]string{}
		for _, v := range vars {
			all[v.name] = v.value
		}
		return printOne(env, all)
	}
	if shell == "" {
		shell = filepath.Base(env.Getenv("SHELL"))
		if shell != "fish" {
			shell = "sh"
		}
	}
	var b strings.Builder
	for _, v := range vars {
		switch shell {
		case "sh", "bash", "zsh", "ksh", "dash":
			fmt.Fprintf(&b, "export %s='%s'\n", v.name, strings.ReplaceAll(v.value, "'", `'\''`))
		case "fish":
			fmt.Fprintf(&b, "set -gx %s '%s'\n", v.name, strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v.value))
		case "powershell", "pwsh":
			fmt.Fprintf(&b, "$Env:%s = '%s'\n", v.name, strings.ReplaceAll(v.value, "'", "''"))
		case "cmd":
			fmt.Fprintf(&b, "set %s=%s\n", v.name, v.value)
		default:
			return usagef("--shell: %q is not a shell that is known: use bash, zsh, sh, fish, powershell or cmd", shell)
		}
	}
	return write(env.Stdout, []byte(b.String()))
}
