package cli

import "testing"

func TestShortRevision(t *testing.T) {
	for name, want := range map[string]string{
		"apps/sunya/services/default/versions/v1/1795459713567492": "default/v1",
		"projects/p/locations/l/services/s/revisions/s-00001-abc":  "s-00001-abc",
		"": "",
	} {
		if got := shortRevision(name); got != want {
			t.Errorf("shortRevision(%q) = %q, want %q", name, got, want)
		}
	}
}
