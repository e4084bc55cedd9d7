package sunya_test

import (
	"slices"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestMembers(t *testing.T) {
	given := []string{"user:b@c.de", "allUsers", "serviceAccount:a@b.cd", "allUsers", "allAuthenticatedUsers"}
	before := slices.Clone(given)
	got, err := sunya.Members(given)
	want := []string{"allAuthenticatedUsers", "allUsers", "serviceAccount:a@b.cd", "user:b@c.de"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Members = %q, %v", got, err)
	}
	if !slices.Equal(given, before) {
		t.Errorf("what was given became %q", given)
	}
	for _, m := range []string{"", "everybody", "group:a@b.cd", "domain:b.cd", "user:", "user:a", "user:a@b@c", "user:a b@c", "allUsers\n"} {
		if _, err := sunya.Members([]string{"allUsers", m}); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("Members with %q: %v", m, err)
		}
	}
}

func TestMembersETag(t *testing.T) {
	seen := map[string]bool{}
	for _, members := range [][]string{nil, {"allUsers"}, {"user:a@b.cd"}, {"allUsers", "user:a@b.cd"}} {
		tag := sunya.MembersETag(members)
		if seen[tag] || len(tag) != 16 {
			t.Errorf("%q has the etag %q", members, tag)
		}
		seen[tag] = true
	}
}

func TestProjectMembersAreMembers(t *testing.T) {
	if _, err := sunya.Members(sunya.ProjectMembers("demo")); err != nil {
		t.Error(err)
	}
}
