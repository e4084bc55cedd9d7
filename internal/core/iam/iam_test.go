package iam_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
)

func TestReplace(t *testing.T) {
	cond := &iam.Condition{Expression: "true"}
	for _, tt := range []struct {
		rule  string
		given iam.Policy
		want  []iam.Binding
		err   string
	}{
		{"one binding for a role, members once", iam.Policy{Bindings: []iam.Binding{
			{Role: "roles/a", Members: []string{"user:b@x", "user:a@x"}}, {Role: "roles/b", Members: []string{"allUsers"}},
			{Role: "roles/a", Members: []string{"user:a@x"}}, {Role: "roles/c"},
		}}, []iam.Binding{{Role: "roles/a", Members: []string{"user:a@x", "user:b@x"}}, {Role: "roles/b", Members: []string{"allUsers"}}}, ""},
		{"a condition apart", iam.Policy{Version: 3, Bindings: []iam.Binding{
			{Role: "projects/p/roles/a", Members: []string{"allUsers"}}, {Role: "projects/p/roles/a", Members: []string{"allUsers"}, Condition: cond},
		}}, []iam.Binding{{Role: "projects/p/roles/a", Members: []string{"allUsers"}}, {Role: "projects/p/roles/a", Members: []string{"allUsers"}, Condition: cond}}, ""},
		{"a condition in version 1", iam.Policy{Version: 1, Bindings: []iam.Binding{{Role: "roles/a", Condition: cond}}}, nil, "version 3"},
		{"no role", iam.Policy{Bindings: []iam.Binding{{Role: "owner"}}}, nil, "not a role"},
		{"no member", iam.Policy{Bindings: []iam.Binding{{Role: "roles/a", Members: []string{"me"}}}}, nil, "not a member"},
		{"too many", iam.Policy{Bindings: []iam.Binding{{Role: "roles/a", Members: strings.Split(strings.Repeat("allUsers,", 1500)+"allUsers", ",")}}}, nil, "more than 1500"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			var have iam.Policy
			got, err := have.Replace(tt.given, "")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got.Bindings, tt.want) {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestETag(t *testing.T) {
	var none iam.Policy
	one, err := none.Replace(iam.Policy{Bindings: []iam.Binding{{Role: "roles/a", Members: []string{"allUsers"}}}}, none.ETag())
	if err != nil {
		t.Fatal(err)
	}
	if one.ETag() == none.ETag() || one.IsZero() || !none.IsZero() {
		t.Error("the policies cannot be told apart")
	}
	if _, err := one.Replace(none, none.ETag()); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("an old etag: %v", err)
	}
}
