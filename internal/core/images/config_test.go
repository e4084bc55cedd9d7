package images

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// The table of Kubernetes' documentation ("Define a Command and Arguments for a
// Container").
func TestVector(t *testing.T) {
	c := Config{Entrypoint: []string{"/ep-1"}, Cmd: []string{"foo", "bar"}}
	for _, tt := range []struct {
		spec sunya.ImageSpec
		want []string
	}{
		{sunya.ImageSpec{}, []string{"/ep-1", "foo", "bar"}},
		{sunya.ImageSpec{Command: []string{"/ep-2"}}, []string{"/ep-2"}},
		{sunya.ImageSpec{Args: []string{"zoo", "boo"}}, []string{"/ep-1", "zoo", "boo"}},
		{sunya.ImageSpec{Command: []string{"/ep-2"}, Args: []string{"zoo", "boo"}}, []string{"/ep-2", "zoo", "boo"}},
	} {
		if got := Vector(c, tt.spec); !slices.Equal(got, tt.want) {
			t.Errorf("Vector(%+v) = %q, want %q", tt.spec, got, tt.want)
		}
	}
	if len(c.Entrypoint) != 1 || len(c.Cmd) != 2 {
		t.Errorf("the configuration was changed: %+v", c)
	}
}

func TestCompletePutsTheUserAboveTheImage(t *testing.T) {
	f := &Fetched{
		Image: sunya.Image{Stack: sunya.ContainerStack, Digest: "sha256:1"},
		Config: Config{
			Cmd: []string{"serve"}, User: "www", WorkingDir: "/srv",
			Env: []string{"PATH=/bin", "A=image", "EMPTY=", "E==", "broken", "=x", "A=twice"},
		},
	}
	c := sunya.Container{Env: []sunya.EnvVar{{Name: "A", Value: "user"}}}
	if err := Complete(&c, f, sunya.ImageSpec{}); err != nil {
		t.Fatal(err)
	}
	want := sunya.Container{
		Image: f.Image, Command: []string{"serve"}, Dir: "/srv", User: "www",
		Env: []sunya.EnvVar{{Name: "A", Value: "user"}, {Name: "PATH", Value: "/bin"}, {Name: "EMPTY"}, {Name: "E", Value: "="}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
	set := sunya.Container{Dir: "/own", User: "1000"}
	if err := Complete(&set, f, sunya.ImageSpec{}); err != nil || set.Dir != "/own" || set.User != "1000" {
		t.Errorf("%+v, %v: want the user's own", set, err)
	}
}

func TestImageWithoutCommand(t *testing.T) {
	var c sunya.Container
	err := Complete(&c, &Fetched{}, sunya.ImageSpec{Reference: "gcr.io/p/n"})
	if sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("%v, want FailedPrecondition", err)
	}
	if err := Complete(&c, &Fetched{}, sunya.ImageSpec{Command: []string{"x"}}); err != nil || c.Dir != "/" {
		t.Errorf("%+v, %v: want the root as directory", c, err)
	}
}
