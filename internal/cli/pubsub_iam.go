package cli

import (
	"context"
	"fmt"

	"cloud.google.com/go/iam/apiv1/iampb"
	"github.com/spf13/cobra"
)

// newPubSubPolicyCommands are the verbs about the policies of one collection, such
// as topics; kind is one of it.
func newPubSubPolicyCommands(env *Env, collection, kind string) []*cobra.Command {
	name := args(1, 1, "the name of a "+kind)
	line := "sunya pubsub " + collection + " "
	get := &cobra.Command{
		Use:     "get-iam-policy NAME",
		Short:   "Show the policy of a " + kind + ".",
		Args:    name,
		Example: line + "get-iam-policy letters\n" + line + "get-iam-policy letters --json > policy.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				p, err := a.iam.GetIamPolicy(cmd.Context(), &iampb.GetIamPolicyRequest{Resource: a.name(collection, args[0])})
				if err != nil {
					return err
				}
				return printOne(env, p)
			})
		},
	}
	set := &cobra.Command{
		Use:     "set-iam-policy NAME FILE",
		Short:   "Set the policy of a " + kind + " from a JSON or YAML file.",
		Args:    args(2, 2, "the name of a "+kind+" and a file"),
		Example: line + "set-iam-policy letters policy.json\n" + line + "set-iam-policy letters policy.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := readPolicy(env, args[1])
			if err != nil {
				return err
			}
			return changePubSubPolicy(cmd.Context(), env, collection, args[0], func(*iampb.Policy) (*iampb.Policy, error) { return policy, nil })
		},
	}
	binding := func(verb, short string, do func(p *iampb.Policy, role, member string) error) *cobra.Command {
		var role, member string
		cmd := &cobra.Command{
			Use:     verb + " NAME --role ROLE --member MEMBER",
			Short:   short,
			Args:    name,
			Example: line + verb + " letters --role roles/pubsub.viewer --member allUsers\n" + line + verb + " letters --role roles/pubsub.editor --member user:ada@example.org",
			RunE: func(cmd *cobra.Command, args []string) error {
				if role == "" || member == "" {
					return usagef("both --role and --member are needed")
				}
				return changePubSubPolicy(cmd.Context(), env, collection, args[0], func(p *iampb.Policy) (*iampb.Policy, error) { return p, do(p, role, member) })
			},
		}
		cmd.Flags().StringVar(&role, "role", "", "roles/NAME")
		cmd.Flags().StringVar(&member, "member", "", "allUsers, user:EMAIL, serviceAccount:EMAIL, …")
		return cmd
	}
	return []*cobra.Command{
		get, set,
		binding("add-iam-policy-binding", "Give somebody a role on a "+kind+".", func(p *iampb.Policy, role, member string) error {
			addMember(p, role, member)
			return nil
		}),
		binding("remove-iam-policy-binding", "Take a role on a "+kind+" away.", func(p *iampb.Policy, role, member string) error {
			if !removeMember(p, role, member) {
				return usagef("%s does not have the role %s", member, role)
			}
			return nil
		}),
	}
}

// changePubSubPolicy reads a policy, changes it and stores it. Its etag keeps
// somebody else's change in between from being lost.
func changePubSubPolicy(ctx context.Context, env *Env, collection, id string, do func(*iampb.Policy) (*iampb.Policy, error)) error {
	return withPubSub(ctx, env, func(a *pubsubAPI) error {
		resource := a.name(collection, id)
		p, err := a.iam.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: resource})
		if err != nil {
			return err
		}
		if p, err = do(p); err != nil {
			return err
		}
		if p, err = a.iam.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: resource, Policy: p}); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Updated IAM policy of [%s].\n", printable(id))
		return printOne(env, p)
	})
}
