package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/run/apiv2/runpb"
)

// invokerRole is the role of those who may call a service.
const invokerRole = "roles/run.invoker"

// access says whether everybody is to be let in, nil to leave it as it is. Of a
// new service a person is asked, as gcloud does; without a terminal it is
// private.
func (o *runDeployOptions) access(env *Env, id string, old *runpb.Service) (*bool, error) {
	if o.given("allow-unauthenticated") || o.given("no-allow-unauthenticated") {
		return &o.open, nil
	}
	if old != nil {
		return nil, nil
	}
	if env.flags.Quiet || !env.StdinTTY {
		fmt.Fprintf(env.Stderr, "Service [%s] is private: only callers with an identity token reach it. --allow-unauthenticated opens it.\n", id)
		return nil, nil
	}
	fmt.Fprintf(env.Stderr, "Allow unauthenticated invocations to [%s] (y/N)? ", printable(id))
	// Whatever ends the answer early counts as no.
	answer, _ := bufio.NewReader(env.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	open := answer == "y" || answer == "yes"
	return &open, nil
}

// setOpen lets everybody in, or not any more; other bindings stay.
func (a *runAPI) setOpen(ctx context.Context, id string, open bool) error {
	policy, err := a.policy(ctx, id)
	if err != nil {
		return err
	}
	had := bindingOf(policy, invokerRole) != nil && slices.Contains(bindingOf(policy, invokerRole).GetMembers(), allUsers)
	switch {
	case had == open:
		return nil
	case open:
		addMember(policy, invokerRole, allUsers)
	default:
		removeMember(policy, invokerRole, allUsers)
	}
	_, err = a.setPolicy(ctx, id, policy)
	return err
}

func (a *runAPI) policy(ctx context.Context, id string) (*iampb.Policy, error) {
	return a.services.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: a.serviceName(id)})
}

func (a *runAPI) setPolicy(ctx context.Context, id string, p *iampb.Policy) (*iampb.Policy, error) {
	return a.services.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: a.serviceName(id), Policy: p})
}

// bindingOf returns the binding of a role without a condition, nil for none.
func bindingOf(p *iampb.Policy, role string) *iampb.Binding {
	i := slices.IndexFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetRole() == role && b.GetCondition() == nil })
	if i < 0 {
		return nil
	}
	return p.GetBindings()[i]
}

// addMember gives a role to a member.
func addMember(p *iampb.Policy, role, member string) {
	b := bindingOf(p, role)
	if b == nil {
		b = &iampb.Binding{Role: role}
		p.Bindings = append(p.Bindings, b)
	}
	if !slices.Contains(b.GetMembers(), member) {
		b.Members = append(b.Members, member)
	}
}

// removeMember takes a role from a member, and reports whether he had it.
func removeMember(p *iampb.Policy, role, member string) bool {
	b := bindingOf(p, role)
	if b == nil || !slices.Contains(b.GetMembers(), member) {
		return false
	}
	b.Members = slices.DeleteFunc(b.Members, func(m string) bool { return m == member })
	p.Bindings = slices.DeleteFunc(p.Bindings, func(b *iampb.Binding) bool { return len(b.GetMembers()) == 0 })
	return true
}
