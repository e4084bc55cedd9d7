// Package iam is allow policies as resources keep them (google.iam.v1.Policy).
// They are stored and given back; whoever may call an API may do everything.
package iam

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Policy says who has which roles on a resource. The zero value grants nothing.
type Policy struct {
	Version  int       `json:",omitempty"` // 3 where a binding has a condition
	Bindings []Binding `json:",omitempty"`
}

// Binding gives a role to members.
type Binding struct {
	Role      string
	Members   []string
	Condition *Condition `json:",omitempty"`
}

// Condition limits a binding (google.type.Expr). It is not evaluated.
type Condition struct {
	Title, Description, Expression, Location string
}

// maxMembers is how many members all bindings of a policy have together
// (google.iam.v1.Policy).
const maxMembers = 1500

var roleRE = regexp.MustCompile(`^(projects/[^/]+/|organizations/[^/]+/)?roles/[A-Za-z0-9_.]+$`)

// ETag changes with the policy.
func (p *Policy) ETag() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// IsZero reports whether there is nothing to store.
func (p Policy) IsZero() bool { return p.Version == 0 && len(p.Bindings) == 0 }

// Replace returns the policy that takes p's place; Aborted when etag is not
// empty and p has another.
func (p *Policy) Replace(next Policy, etag string) (Policy, error) {
	if etag != "" && etag != p.ETag() {
		return Policy{}, sunya.Errorf(sunya.Aborted, "", "the policy was changed meanwhile: read it again, change that, and set it")
	}
	return next.normal()
}

// normal checks a policy and brings it into the form in which it is kept: one
// binding for each role and condition, members once.
func (p Policy) normal() (Policy, error) {
	out, total := Policy{Version: p.Version}, 0
	for i := range p.Bindings {
		b := &p.Bindings[i]
		if err := p.checkBinding(b); err != nil {
			return Policy{}, err
		}
		if total += len(b.Members); total > maxMembers {
			return Policy{}, sunya.Invalid("policy.bindings", "there are more than %d members: use groups", maxMembers)
		}
		out.add(b)
	}
	return out, nil
}

func (p *Policy) checkBinding(b *Binding) error {
	switch {
	case !roleRE.MatchString(b.Role):
		return sunya.Invalid("policy.bindings.role", "%q is not a role: write roles/NAME", b.Role)
	case b.Condition != nil && p.Version != 3:
		return sunya.Invalid("policy.version", "a policy with conditions needs version 3, not %d", p.Version)
	}
	for _, m := range b.Members {
		if err := checkMember(m); err != nil {
			return err
		}
	}
	return nil
}

// checkMember wants allUsers, allAuthenticatedUsers or KIND:NAME.
func checkMember(m string) error {
	kind, name, found := strings.Cut(m, ":")
	if m == "allUsers" || m == "allAuthenticatedUsers" || found && kind != "" && name != "" {
		return nil
	}
	return sunya.Invalid("policy.bindings.members", "%q is not a member: write user:, serviceAccount:, group: or domain: and a name, allUsers or allAuthenticatedUsers", m)
}

// add merges a binding in. One without members grants nothing.
func (p *Policy) add(b *Binding) {
	if len(b.Members) == 0 {
		return
	}
	for i := range p.Bindings {
		have := &p.Bindings[i]
		if have.Role == b.Role && same(have.Condition, b.Condition) {
			have.Members = members(append(slices.Clone(have.Members), b.Members...))
			return
		}
	}
	p.Bindings = append(p.Bindings, Binding{Role: b.Role, Members: members(b.Members), Condition: b.Condition})
}

func same(a, b *Condition) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func members(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
