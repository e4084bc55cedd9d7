package sunya_test

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestCheckLocation(t *testing.T) {
	for _, c := range []struct {
		project, location string
		ok                bool
	}{
		{"sunya", "local", true},
		{"sunya", "us-central1", true},
		{"sunya", strings.Repeat("a", 63), true},
		{"sunya", strings.Repeat("a", 64), false},
		{"sunya", "", false},
		{"sunya", "-", false},
		{"sunya", "US", false},
		{"sunya", "a/b", false},
		{"sunya", "local\n", false},
		{"", "local", false},
		{"../x", "local", false},
	} {
		err := sunya.CheckLocation(c.project, c.location)
		if (err == nil) != c.ok || err != nil && sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("CheckLocation(%q, %q) = %v", c.project, c.location, err)
		}
	}
}

func TestParseLocation(t *testing.T) {
	project, location, err := sunya.ParseLocation("parent", sunya.LocationName("p", "l"))
	if err != nil || project != "p" || location != "l" {
		t.Errorf("%q %q %v", project, location, err)
	}
	for _, name := range []string{"", "p", "projects/p", "projects//locations/l", "projects/p/locations/", "projects/p/locations/l/x", "a/p/locations/l"} {
		_, _, err := sunya.ParseLocation("parent", name)
		if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), "parent") {
			t.Errorf("ParseLocation(%q): %v", name, err)
		}
	}
}
