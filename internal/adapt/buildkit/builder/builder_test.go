package builder

import (
	"strings"
	"testing"
)

func TestDiskGuard(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		limit, before, now int64
		want               string
	}{
		{10 * gib, 100 * gib, 95 * gib, ""},
		{10 * gib, 100 * gib, 89 * gib, "more than 10240 MiB"},
		{0, 100 * gib, 5 * gib, ""},
		{0, 100 * gib, gib / 2, "512 MiB"},
		{0, gib / 2, gib / 2, ""}, // it was full before
	} {
		err := (&diskGuard{limit: tt.limit}).judge(tt.before, tt.now)
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ name, canonical, familiar, repository string }{
		{"debian", "docker.io/library/debian:latest", "debian", "docker.io/library/debian"},
		{"gcr.io/p/a:v1", "gcr.io/p/a:v1", "gcr.io/p/a:v1", "gcr.io/p/a"},
		{"localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a", "localhost:5000/a"},
	} {
		if got := canonical(tt.name); got != tt.canonical {
			t.Errorf("canonical(%s) = %s", tt.name, got)
		}
		if got := familiar(tt.canonical); got != tt.familiar {
			t.Errorf("familiar(%s) = %s", tt.canonical, got)
		}
		if got := repositoryOf([]string{"::", tt.name}); got != tt.repository {
			t.Errorf("repositoryOf(%s) = %s", tt.name, got)
		}
	}
	if got := repositoryOf(nil); got != noName {
		t.Errorf("without a name: %s", got)
	}
}

func TestStepEnvironment(t *testing.T) {
	s := &steps{env: map[string]string{"A": "machine", "B": "machine"}}
	if got := strings.Join(s.environment([]string{"A=own", "C=own"}), " "); got != "A=own C=own B=machine" {
		t.Errorf("%s", got)
	}
}

func TestMessages(t *testing.T) {
	for text, want := range map[string]string{
		"failed to solve: process x": "process x",
		"failed to build: debian: failed to resolve source metadata for docker.io/library/debian:12: docker.io/library/debian:12: not found": `the image docker.io/library/debian:12 cannot be had: not found (push it`,
		"failed to extract layer: lchown /etc/gshadow: invalid argument":                                                                     "started as root",
	} {
		if got := message(errorText(text)); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }
