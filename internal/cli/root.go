package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

// verbs lists the commands in the order in which help shows them.
func verbs(env *Env) []*cobra.Command {
	return []*cobra.Command{
		newUpCommand(env),
		newUpgradeCommand(env),
		newInitCommand(env),
		newDeployCommand(env),
		newDevCommand(env),
		newOpenCommand(env),
		newLogsCommand(env),
		newStatusCommand(env),
		newMetricsCommand(env),
		newUsageCommand(env),
		newAppCommand(env),
		newFunctionsCommand(env),
		newRunCommand(env),
		newBuildsCommand(env),
		newImagesCommand(env),
		newPubSubCommand(env),
		newEventarcCommand(env),
		newEventsCommand(env),
		newStorageCommand(env),
		newAuthCommand(env),
		newDoctorCommand(env),
		newSimulateCommand(env),
		newEnvCommand(env),
		newGcloudConfigCommand(env),
		newCompletionCommand(env),
		newVersionCommand(env),
	}
}

func newRoot(env *Env) *cobra.Command {
	root := group("sunya", "Run your own serverless cloud in one program.", verbs(env)...)
	root.Example = "sunya init python-app hello\nsunya deploy hello"
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(env, cmd) })
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err.Error()} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return env.fill(cmd) }
	env.flags.register(root.PersistentFlags())
	return root
}

// position marks a command's place in help; the library would sort by name.
const position = "sunya_position"

// group is a command that only holds others, in the order given.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	for i, c := range children {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[position] = strconv.Itoa(i)
	}
	cmd.AddCommand(children...)
	return cmd
}

// unknownCommand names the commands that are meant most likely, or what stands in
// for one of gcloud's.
func unknownCommand(parent *cobra.Command, word string) error {
	path := parent.CommandPath() + " " + word
	if instead, ok := insteadOf[strings.TrimPrefix(path, "sunya ")]; ok {
		return usagef("there is no command %q: %s", path, instead)
	}
	var names []string
	for _, c := range parent.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	near := appyaml.Near(word, names, 3)
	if len(near) == 0 {
		return usagef("there is no command %q", path)
	}
	return usagef("there is no command %q; nearest: %s", path, strings.Join(near, ", "))
}

// insteadOf says what to do where gcloud has a command and Sunya has none.
var insteadOf = map[string]string{
	"app regions":                 "there is one region, this machine; any name is accepted",
	"app runtimes":                "sunya doctor lists the runtimes of this machine",
	"app open-console":            "sunya status and sunya app services list show what there is",
	"app repair":                  "nothing is there to repair: Sunya makes what an app needs by itself",
	"app update":                  "an app has no settings of its own; those of a service: sunya app services update",
	"app firewall-rules":          "let the server listen where outsiders do not reach (sunya up --listen)",
	"app domain-mappings":         "the domain is the server's: sunya up --domain",
	"app ssl-certificates":        "certificates are the server's: sunya up --tls-cert and --tls-key",
	"app migrate-config":          "gcloud's own does it: it works on files alone",
	"app gen-config":              "write app.yaml by hand; its smallest form is the line \"runtime: python311\"",
	"app instances ssh":           instancesSSH,
	"app instances scp":           instancesSSH,
	"app instances enable-debug":  instancesSSH,
	"app instances disable-debug": instancesSSH,
	"run domain-mappings":         "the domain is the server's: sunya up --domain",
	"run routes":                  "sunya run services describe shows who serves what",
	"run configurations":          "sunya run services describe shows what the next revision is made of",
	"run worker-pools":            notYetService,
	"run services proxy":          "services answer under their own URL here: sunya open NAME",
	"pubsub":                      notYetService,
	"auth login":                  "on its own machine the server knows who calls; elsewhere set SUNYA_TOKEN",
	"start":                       "the server is started by sunya up",
	"serve":                       "the server is started by sunya up",
	"config":                      "settings are flags or variables: --project is SUNYA_PROJECT; for gcloud's own: sunya gcloud-config",
}

const (
	instancesSSH  = "as at Google it belongs to the flexible environment; sunya logs shows what an instance says"
	notYetService = "Sunya does not have this service yet"
)

// args checks the number of arguments and says what they are.
func args(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		switch {
		case len(given) < low:
			return usagef("%s is missing", what)
		case len(given) > high:
			return usagef("unexpected argument %q: %s takes %s", given[high], cmd.CommandPath(), takes(high, what))
		}
		return nil
	}
}

func takes(high int, what string) string {
	if high == 0 {
		return "no arguments"
	}
	return fmt.Sprintf("at most %d (%s)", high, what)
}
