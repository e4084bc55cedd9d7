package identity

import (
	"fmt"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestWhoseAccount(t *testing.T) {
	for email, want := range map[string]bool{
		"worker@p.iam.gserviceaccount.com":                                                true,
		"p@appspot.gserviceaccount.com":                                                   true,
		fmt.Sprintf("%d-compute@developer.gserviceaccount.com", sunya.ProjectNumber("p")): true,
		fmt.Sprintf("%d-compute@developer.gserviceaccount.com", sunya.ProjectNumber("q")): false,
		"worker@q.iam.gserviceaccount.com":                                                false,
		"worker@x.p.iam.gserviceaccount.com":                                              false,
		"@p.iam.gserviceaccount.com":                                                      false,
		"q@appspot.gserviceaccount.com":                                                   false,
		"p@example.com":                                                                   false,
		"":                                                                                false,
	} {
		if Of(email, "p") != want {
			t.Errorf("%s belongs to p: %v, want %v", email, !want, want)
		}
	}
}
