package appengine_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

func TestCheckApp(t *testing.T) {
	for _, c := range []struct {
		rule    string
		project string
		ok      bool
	}{
		{"a project", "shop", true},
		{"a part that is reserved alone", "api-shop", true},
		{"no project at all", "Shop", false},
		{"the APIs' host", "api", false},
		{"the console's", "console", false},
		{"the functions'", "functions", false},
		{"Cloud Run's", "run", false},
		{"the one that people type first", "www", false},
		{"this machine", "localhost", false},
		{"what separates service and project", "a-dot-b", false},
		{"what separates tag and service", "a---b", false},
	} {
		err := appengine.CheckApp(c.project)
		if (err == nil) != c.ok || err != nil && sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%s: CheckApp(%q) = %v", c.rule, c.project, err)
		}
	}
}
