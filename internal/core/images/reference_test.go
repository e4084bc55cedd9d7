package images

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestParse(t *testing.T) {
	sha := "sha256:" + strings.Repeat("a1", 32)
	for _, tt := range []struct{ in, want string }{
		{"python", "docker.io/library/python:latest"},
		{"python:3-slim", "docker.io/library/python:3-slim"},
		{"index.docker.io/python", "docker.io/library/python:latest"},
		{"docker.io/python", "docker.io/library/python:latest"},
		{"grafana/grafana:11", "docker.io/grafana/grafana:11"},
		{"gcr.io/sunya/hello", "gcr.io/sunya/hello:latest"},
		{"gcr.io/sunya/hello@" + sha, "gcr.io/sunya/hello@" + sha},
		{"gcr.io/sunya/hello:v1@" + sha, "gcr.io/sunya/hello:v1@" + sha},
		{"GCR.io/sunya/hello", "gcr.io/sunya/hello:latest"},
		{"us-central1-docker.pkg.dev/p/r/n:v_1.2-x", "us-central1-docker.pkg.dev/p/r/n:v_1.2-x"},
		{"localhost:8080/p/n", "localhost:8080/p/n:latest"},
		{"localhost/p/n", "localhost/p/n:latest"},
		{"127.0.0.1:5000/n", "127.0.0.1:5000/n:latest"},
		{"[::1]:5000/n:t", "[::1]:5000/n:t"},
		{"a__b/c.d-e--f", "docker.io/a__b/c.d-e--f:latest"},
	} {
		r, err := Parse(tt.in)
		if err != nil || r.String() != tt.want {
			t.Errorf("Parse(%q) = %v, %v; want %s", tt.in, r, err, tt.want)
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Errorf("Parse(%q) = %v, %v; want the same again", r, again, err)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "missing"},
		{"https://gcr.io/p/n", `"gcr.io/p/n"`},
		{"gcr.io/p/My-App", `write "p/my-app"`},
		{"gcr.io/p/n n", "space"},
		{"gcr.io/", "missing"},
		{"gcr.io//n", "empty part"},
		{"gcr.io/p/n:", `the tag ""`},
		{"gcr.io/p/n:-x", `the tag "-x"`},
		{"gcr.io/p/n@sha256:12", `the digest "sha256:12"`},
		{"gcr.io/p/n@latest", `the digest "latest"`},
		{"gcr.io/p/.hidden", `".hidden"`},
		{"gcr.io/p/../etc", `".."`},
		{"-x.io/p", `registry "-x.io"`},
		{"localhost:99999999/p", "registry"},
		{"gcr.io/" + strings.Repeat("n", 300), "more than 255"},
		{"a..b", `"a..b"`},
	} {
		_, err := Parse(tt.in)
		if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "image: ") {
			t.Errorf("Parse(%q): %v, want InvalidArgument with %s", tt.in, err, tt.want)
		}
	}
}

// The names of one image, and the repository that all of them mean.
func TestOneImageUnderItsNames(t *testing.T) {
	own := NewOwn("localhost:8080", "api.localhost:8080")
	for _, tt := range []struct{ in, want string }{
		{"gcr.io/p/n", "p/n"},
		{"eu.gcr.io/p/n", "p/n"},
		{"localhost:8080/p/n", "p/n"},
		{"localhost:8080/gcr.io/p/n", "p/n"},
		{"localhost:8080/europe-west1-docker.pkg.dev/p/r/n", "p/r/n"},
		{"us-docker.pkg.dev/p/r/n", "p/r/n"},
		{"localhost:8080/docker.io/library/python", "docker.io/library/python"},
		{"python", "docker.io/library/python"},
		{"localhost:5000/p/n", "localhost_5000/p/n"},
		{"ghcr.io/o/n", "ghcr.io/o/n"},
		{"evil.us-docker.pkg.dev/p/n", "evil.us-docker.pkg.dev/p/n"},
		{"-docker.pkg.dev.example.com/p/n", ""},
	} {
		r, err := Parse(tt.in)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: no error", tt.in)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := own.Repository(r); got != tt.want {
			t.Errorf("%s is kept in %s, want %s", tt.in, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"python", "a:1/b@sha256:00", "localhost:8080/p/n:t", "[::1]/x", "a/b:c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Errorf("%q is %+v, and its full form %q is %+v, %v", s, r, r, again, err)
		}
	})
}
