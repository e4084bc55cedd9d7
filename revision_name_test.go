package sunya_test

import (
	"regexp"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestRevisionID(t *testing.T) {
	form := regexp.MustCompile(`^hello-00012-[a-z]{3}$`)
	seen := map[string]bool{}
	for _, deployment := range []string{"1764013998123", "1764013998124", "1764013998125", "id-0001", ""} {
		id := sunya.RevisionID("hello", 12, deployment)
		if !form.MatchString(id) || seen[id] || id != sunya.RevisionID("hello", 12, deployment) {
			t.Errorf("RevisionID of %q = %q", deployment, id)
		}
		seen[id] = true
		if got := sunya.ShortRevision("projects/p/locations/l/services/hello/revisions/" + id); got != id {
			t.Errorf("ShortRevision = %q, want %q", got, id)
		}
	}
}
