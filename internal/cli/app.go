package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func newAppCommand(env *Env) *cobra.Command {
	app := group("app", "Deploy and look after App Engine apps.",
		newAppDeployCommand(env),
		newAppBrowseCommand(env),
		newAppCreateCommand(env),
		newAppDescribeCommand(env),
		newAppServicesCommand(env),
		newAppVersionsCommand(env),
		newAppInstancesCommand(env),
		newAppOperationsCommand(env),
		newAppLogsCommand(env),
	)
	app.Example = "sunya app deploy\nsunya app versions list"
	return app
}

// withAdmin connects, and runs do with App Engine's admin API.
func withAdmin(ctx context.Context, env *Env, do func(*client, *admin) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	a, err := c.admin(ctx)
	if err != nil {
		return err
	}
	return do(c, a)
}
