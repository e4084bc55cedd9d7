package served

import (
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestSubjectOf(t *testing.T) {
	for _, c := range []struct {
		service, revision string
		want              Subject
	}{
		{"apps/p/services/default", "apps/p/services/default/versions/v1/20261130t1", Subject{Service: "default", Revision: "v1/20261130t1"}},
		{"projects/p/locations/l/services/s", "projects/p/locations/l/services/s/revisions/s-00001-abc", Subject{Location: "l", Service: "s", Revision: "s-00001-abc"}},
		{"odd", "odd/1", Subject{Service: "odd", Revision: "1"}},
	} {
		c.want.Project, c.want.Product = "p", "run"
		got := SubjectOf(&sunya.Revision{Name: c.revision, Service: c.service, Project: "p", Product: sunya.CloudRun})
		if got != c.want {
			t.Errorf("SubjectOf(%s) = %+v, want %+v", c.revision, got, c.want)
		}
	}
}
