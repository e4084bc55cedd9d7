package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newFunctionsCallCommand(env *Env) *cobra.Command {
	var data, event string
	cmd := &cobra.Command{
		Use:     "call NAME",
		Short:   "Call a function and print what it answers.",
		Args:    args(1, 1, "the name of a function"),
		Example: "sunya functions call hello --data '{\"name\":\"x\"}'\nsunya functions call on-upload --cloud-event event.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if data != "" && event != "" {
				return usagef("--data and --cloud-event cannot stand beside each other")
			}
			event, err := eventText(env, event)
			if err != nil {
				return err
			}
			return withFunctions(cmd.Context(), env, func(a *functionsAPI) error {
				return callFunction(cmd.Context(), env, a, args[0], data, event)
			})
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "JSON to send (default {})")
	cmd.Flags().StringVar(&event, "cloud-event", "", "CloudEvent to send: JSON, the name of a file with it, or - for stdin")
	return cmd
}

// callFunction sends one request as the project's own account.
func callFunction(ctx context.Context, env *Env, a *functionsAPI, id, data, event string) error {
	f, err := a.function(ctx, id)
	if err != nil {
		return err
	}
	if isFirst(f) {
		return callFirst(ctx, env, a, id, cmp.Or(event, data, "{}"))
	}
	req, err := callRequest(ctx, a.uri(f), data, event)
	if err != nil {
		return err
	}
	token, err := a.identityToken(ctx, a.uri(f))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{
		Transport: a.client.appsTransport(),
		Timeout:   time.Duration(f.GetServiceConfig().GetTimeoutSeconds()+30) * time.Second, // as gcloud
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", id, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("call %s: %w", id, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		err := sunya.Errorf(sunya.CodeOfHTTP(resp.StatusCode), id, "the function answered %s: %s", resp.Status, bytes.TrimSpace(body))
		return &failure{err: err, try: "sunya functions logs read " + id}
	}
	if len(body) == 0 || body[len(body)-1] != '\n' {
		body = append(body, '\n')
	}
	return write(env.Stdout, body)
}

func callRequest(ctx context.Context, url, data, event string) (*http.Request, error) {
	if event != "" {
		return eventRequest(ctx, url, event)
	}
	data = cmp.Or(data, "{}")
	if !json.Valid([]byte(data)) {
		return nil, usagef("--data: %q is not JSON", data)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(data)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// identityToken is a token of the project's own account for a URL.
func (a *functionsAPI) identityToken(ctx context.Context, audience string) (string, error) {
	c, err := credentials.NewIamCredentialsClient(ctx, option.WithGRPCConn(a.client.conn))
	if err != nil {
		return "", fmt.Errorf("make client: %w", err)
	}
	out, err := c.GenerateIdToken(ctx, &credentialspb.GenerateIdTokenRequest{
		Name: "projects/-/serviceAccounts/" + sunya.AppAccount(a.client.project), Audience: audience, IncludeEmail: true,
	})
	return out.GetToken(), err
}

// wholeNumber reads a number without a unit.
func wholeNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}
