package sunya

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// memberRE is a member of an IAM policy that can be told by a token.
var memberRE = regexp.MustCompile(`^(allUsers|allAuthenticatedUsers|(user|serviceAccount):[^\s@]+@[^\s@]+)$`)

// Members returns the members of an IAM policy in order, each once. It is
// InvalidArgument when one of them cannot be told by a token.
func Members(given []string) ([]string, error) {
	for _, m := range given {
		if !memberRE.MatchString(m) {
			return nil, Invalid("policy.bindings.members", "%q is not supported: use allUsers, allAuthenticatedUsers, user:EMAIL or serviceAccount:EMAIL", m)
		}
	}
	out := slices.Clone(given)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// MembersETag changes with the members.
func MembersETag(members []string) string {
	sum := sha256.Sum256([]byte(strings.Join(members, "\n")))
	return hex.EncodeToString(sum[:8])
}

// ProjectMembers are the project's own accounts. They may always call what runs
// in it, as editors of the project may at Google.
func ProjectMembers(project string) []string {
	return []string{"serviceAccount:" + AppAccount(project), "serviceAccount:" + ComputeAccount(project)}
}
