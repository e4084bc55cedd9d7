package cli

import (
	"context"
	"fmt"

	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newAuthCommand(env *Env) *cobra.Command {
	auth := group("auth", "Print tokens of service accounts.", newIdentityTokenCommand(env), newAccessTokenCommand(env))
	auth.Hidden = true // asked for by scripts, and by who reads docs/identity.md
	auth.Example = "sunya auth print-identity-token --audiences http://api.localhost:8080\nsunya auth print-access-token"
	return auth
}

func newIdentityTokenCommand(env *Env) *cobra.Command {
	var account, audience string
	cmd := &cobra.Command{
		Use:     "print-identity-token",
		Short:   "Print a token that says who calls a service.",
		Args:    args(0, 0, ""),
		Example: "sunya auth print-identity-token --audiences http://api.localhost:8080\ncurl -H \"Authorization: Bearer $(sunya auth print-identity-token --audiences URL)\" URL",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if audience == "" {
				return usagef("--audiences is missing: give the URL of the service that is to be called")
			}
			return withCredentials(cmd.Context(), env, account, func(ctx context.Context, c *credentials.IamCredentialsClient, name string) (string, error) {
				out, err := c.GenerateIdToken(ctx, &credentialspb.GenerateIdTokenRequest{Name: name, Audience: audience, IncludeEmail: true})
				return out.GetToken(), err
			})
		},
	}
	cmd.Flags().StringVar(&audience, "audiences", "", "URL of the service that is to be called")
	accountFlag(cmd, &account)
	return cmd
}

func newAccessTokenCommand(env *Env) *cobra.Command {
	var account string
	scopes := []string{"https://www.googleapis.com/auth/cloud-platform"}
	cmd := &cobra.Command{
		Use:     "print-access-token",
		Short:   "Print a token for APIs.",
		Args:    args(0, 0, ""),
		Example: "sunya auth print-access-token\nsunya auth print-access-token --impersonate-service-account worker@sunya.iam.gserviceaccount.com",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCredentials(cmd.Context(), env, account, func(ctx context.Context, c *credentials.IamCredentialsClient, name string) (string, error) {
				out, err := c.GenerateAccessToken(ctx, &credentialspb.GenerateAccessTokenRequest{Name: name, Scope: scopes})
				return out.GetAccessToken(), err
			})
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scopes", scopes, "what the token is for")
	accountFlag(cmd, &account)
	return cmd
}

func accountFlag(cmd *cobra.Command, account *string) {
	cmd.Flags().StringVar(account, "impersonate-service-account", "", "whose token (default: PROJECT@appspot.gserviceaccount.com)")
}

// withCredentials connects, and prints the token that get returns.
func withCredentials(ctx context.Context, env *Env, account string, get func(context.Context, *credentials.IamCredentialsClient, string) (string, error)) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	if account == "" {
		account = sunya.AppAccount(c.project)
	}
	client, err := credentials.NewIamCredentialsClient(ctx, option.WithGRPCConn(c.conn))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	token, err := get(ctx, client, "projects/-/serviceAccounts/"+account)
	if err != nil {
		return err
	}
	return write(env.Stdout, []byte(token+"\n"))
}
