package container_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/container"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// paths finds layers that it has.
type paths map[string]string

func (p paths) Path(digest string) (string, error) {
	if dir := p[digest]; dir != "" {
		return dir, nil
	}
	return "", sunya.Errorf(sunya.NotFound, digest, "layer is not on this machine")
}

var layers = paths{"sha256:a": "/l/a", "sha256:b": "/l/b"}

func image(digests ...string) sunya.Image {
	img := sunya.Image{Stack: sunya.ContainerStack, Reference: "gcr.io/p/web"}
	for _, d := range digests {
		img.Layers = append(img.Layers, sunya.Layer{Digest: d, Target: "/"})
	}
	return img
}

func TestImage(t *testing.T) {
	c := &sunya.Container{
		Image: image("sha256:a", "sha256:b"), Command: []string{"serve"}, Dir: "/srv", User: "www-data",
		Env:         []sunya.EnvVar{{Name: "A", Value: "old"}, {Name: "PORT", Value: "3000"}, {Name: "A", Value: "new"}},
		MemoryBytes: 100, CPUMillis: 500,
		Mounts: []sunya.VolumeMount{{Volume: "cache", Path: "/cache"}},
	}
	place := container.Place{ID: "x-1", Port: 8080, NetworkOf: "x-0", MemoryBytes: 300, Volumes: []sunya.Volume{
		{Name: "cache", Memory: &sunya.MemoryVolume{}},
	}}
	got, err := container.Spec(c, place, layers)
	if err != nil {
		t.Fatal(err)
	}
	want := sandbox.Spec{
		ID: "x-1", Profile: sandbox.Container, Args: []string{"serve"}, Dir: "/srv", Hostname: "x-1", User: "www-data",
		Env: []string{
			"A=new", "PORT=8080", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		},
		Root: []string{"/l/a", "/l/b"}, NetworkOf: "x-0", MemoryBytes: 100, CPUMillis: 500, Port: 8080, Network: true,
		Mounts: []sandbox.Mount{{Target: "/cache", Writable: true, Shared: "cache", Bytes: 150}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestHostStack(t *testing.T) {
	c := &sunya.Container{
		Image: sunya.Image{
			Stack: sunya.HostStack, HostPaths: []string{"/opt/python"}, Layers: []sunya.Layer{{Digest: "sha256:a", Target: "/app"}},
		},
		Command: []string{"serve"}, MemoryBytes: 64 << 20,
		Env: []sunya.EnvVar{
			{Name: "HOME", Value: "/app"}, {Name: "I", Field: sunya.FieldInstanceID}, {Name: "M", Field: sunya.FieldMemoryMB},
		},
	}
	got, err := container.Spec(c, container.Place{ID: "x", Port: 8080}, layers)
	if err != nil {
		t.Fatal(err)
	}
	want := sandbox.Spec{
		ID: "x", Profile: sandbox.App, Args: []string{"serve"}, Hostname: "x",
		Env: []string{"HOME=/app", "I=x", "M=64", "PORT=8080", "PATH=/usr/local/bin:/usr/bin:/bin"},
		Mounts: []sandbox.Mount{
			{Source: "/opt/python", Target: "/opt/python"}, {Source: "/l/a", Target: "/app"},
			{Target: "/tmp", Writable: true, Bytes: 64 << 20},
		},
		MemoryBytes: 64 << 20, Port: 8080, Network: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	mount := []sunya.VolumeMount{{Volume: "v", Path: "/v"}}
	tests := []struct {
		name    string
		c       sunya.Container
		volumes []sunya.Volume
		want    sunya.Code
	}{
		{"layer gone", sunya.Container{Image: image("sha256:c")}, nil, sunya.NotFound},
		{"no such volume", sunya.Container{Image: image(), Mounts: mount}, nil, sunya.InvalidArgument},
		{"another kind of volume", sunya.Container{Image: image(), Mounts: mount}, []sunya.Volume{{Name: "v"}}, sunya.Unimplemented},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := container.Spec(&tt.c, container.Place{ID: "x", Volumes: tt.volumes}, layers)
			if got := sunya.CodeOf(err); got != tt.want {
				t.Errorf("code = %v, want %v (%v)", got, tt.want, err)
			}
		})
	}
}

// TestAPIs: a program is told where Storage and Pub/Sub are, unless it has been told
// something else.
func TestAPIs(t *testing.T) {
	c := &sunya.Container{Image: image("sha256:a"), Env: []sunya.EnvVar{{Name: "STORAGE_EMULATOR_HOST", Value: ""}}}
	got, err := container.Spec(c, container.Place{ID: "x", Project: "p"}, layers)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"STORAGE_EMULATOR_HOST=", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PUBSUB_EMULATOR_HOST=169.254.169.254:8085", "PUBSUB_PROJECT_ID=p"}
	if diff := cmp.Diff(want, got.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	c.Env = nil
	if got, err = container.Spec(c, container.Place{ID: "x", Project: "p"}, layers); err != nil || got.Env[1] != "STORAGE_EMULATOR_HOST=http://169.254.169.254:8085" {
		t.Errorf("environment %v, %v", got.Env, err)
	}
}
