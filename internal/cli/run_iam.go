package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// newRunPolicyCommands are the verbs about who may call a service.
func newRunPolicyCommands(env *Env) []*cobra.Command {
	get := &cobra.Command{
		Use:     "get-iam-policy SERVICE",
		Short:   "Show who may call a service.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya run services get-iam-policy hello\nsunya run services get-iam-policy hello --json > policy.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				p, err := a.policy(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, p)
			})
		},
	}
	set := &cobra.Command{
		Use:     "set-iam-policy SERVICE FILE",
		Short:   "Say who may call a service, from a JSON or YAML file.",
		Args:    args(2, 2, "the name of a service and a file"),
		Example: "sunya run services set-iam-policy hello policy.json\nsunya run services set-iam-policy hello policy.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := readPolicy(env, args[1])
			if err != nil {
				return err
			}
			return changePolicy(cmd.Context(), env, args[0], func(now *iampb.Policy) (*iampb.Policy, error) { return policy, nil })
		},
	}
	return []*cobra.Command{
		newRunBindingCommand(env, "add-iam-policy-binding", "Let somebody call a service.", func(p *iampb.Policy, role, member string) error {
			addMember(p, role, member)
			return nil
		}),
		newRunBindingCommand(env, "remove-iam-policy-binding", "Let somebody call a service no longer.", func(p *iampb.Policy, role, member string) error {
			if !removeMember(p, role, member) {
				return usagef("%s does not have the role %s", member, role)
			}
			return nil
		}),
		get, set,
	}
}

func newRunBindingCommand(env *Env, verb, short string, do func(p *iampb.Policy, role, member string) error) *cobra.Command {
	var role, member string
	cmd := &cobra.Command{
		Use:     verb + " SERVICE",
		Short:   short,
		Args:    args(1, 1, "the name of a service"),
		Example: fmt.Sprintf("sunya run services %s hello --member allUsers\nsunya run services %s hello --member serviceAccount:other@sunya.iam.gserviceaccount.com", verb, verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			if member == "" {
				return usagef("--member is missing: name who it is about, such as allUsers or serviceAccount:EMAIL")
			}
			return changePolicy(cmd.Context(), env, args[0], func(p *iampb.Policy) (*iampb.Policy, error) { return p, do(p, role, member) })
		},
	}
	cmd.Flags().StringVar(&member, "member", "", "allUsers, allAuthenticatedUsers, serviceAccount:EMAIL or user:EMAIL")
	cmd.Flags().StringVar(&role, "role", invokerRole, "the role")
	return cmd
}

// changePolicy reads a policy, changes it and stores it. Its etag keeps somebody
// else's change in between from being lost.
func changePolicy(ctx context.Context, env *Env, service string, do func(*iampb.Policy) (*iampb.Policy, error)) error {
	return withRun(ctx, env, func(a *runAPI) error {
		p, err := a.policy(ctx, service)
		if err != nil {
			return err
		}
		if p, err = do(p); err != nil {
			return err
		}
		if p, err = a.setPolicy(ctx, service, p); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Updated IAM policy for service [%s].\n", printable(service))
		return printOne(env, p)
	})
}

// readPolicy reads a policy as get-iam-policy prints it.
func readPolicy(env *Env, file string) (*iampb.Policy, error) {
	raw, err := readDocument(env, file)
	if err != nil {
		return nil, err
	}
	p := &iampb.Policy{}
	if err := protojson.Unmarshal(raw, p); err != nil {
		return nil, usagef("%s is not an IAM policy: %v", file, err)
	}
	return p, nil
}

// readDocument reads a JSON or YAML file and returns it as JSON.
func readDocument(env *Env, file string) ([]byte, error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return jsonFromYAML(file, raw)
}

// jsonFromYAML returns a YAML document, which JSON is too, as JSON.
func jsonFromYAML(file string, raw []byte) ([]byte, error) {
	var v map[string]any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return nil, usagef("%s: %v", file, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, usagef("%s: %v", file, err)
	}
	return out, nil
}
