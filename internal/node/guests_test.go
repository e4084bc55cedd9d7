package node

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestWhoAsksForMetadata(t *testing.T) {
	labels := func(project, account string) map[string]string {
		return map[string]string{instance.LabelProject: project, instance.LabelAccount: account}
	}
	for _, c := range []struct {
		name string
		spec sandbox.Spec
		ok   bool
	}{
		{"an instance, whatever became of its revision", sandbox.Spec{ID: "i", Kind: instance.Kind, Labels: labels("sunya", "a@b.c")}, true},
		{"without an account", sandbox.Spec{ID: "i", Kind: instance.Kind, Labels: labels("sunya", "")}, false},
		{"a build", sandbox.Spec{ID: "b", Kind: "build", Labels: labels("sunya", "a@b.c")}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), specKey{}, c.spec))
		got, ok := whoAsks(r)
		if ok != c.ok || ok && (got.Project != "sunya" || got.ServiceAccount != "a@b.c" || got.ID != "i" || got.ProjectNumber == 0) {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
	if _, ok := whoAsks(httptest.NewRequest("GET", "/", nil)); ok {
		t.Error("a request from nowhere is an instance")
	}
}
