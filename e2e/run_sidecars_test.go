//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestRunSidecars runs a proxy beside a program that it waits for, with a volume
// of both.
func TestRunSidecars(t *testing.T) {
	needRoot(t, sharedNetwork)
	t.Parallel()
	s := platform.Start(t)
	c := newRunServices(t, s)
	host := "pair.localhost:" + s.Port
	volume := []*runpb.VolumeMount{{Name: "shared", MountPath: "/shared"}}
	svc := c.service("pair", "WHO", "main")
	svc.InvokerIamDisabled = true
	main := svc.Template.Containers[0]
	main.Name, main.Ports, main.DependsOn, main.VolumeMounts = "main", []*runpb.ContainerPort{{ContainerPort: 9000}}, []string{"side"}, volume
	side := c.service("pair", "WHO", "side", "LISTEN", "9001").Template.Containers[0]
	side.Name, side.VolumeMounts = "side", volume
	side.StartupProbe.ProbeType = &runpb.Probe_HttpGet{HttpGet: &runpb.HTTPGetAction{Path: "/", Port: 9001}}
	svc.Template.Containers = append(svc.Template.Containers, side)
	svc.Template.Volumes = []*runpb.Volume{{Name: "shared", VolumeType: &runpb.Volume_EmptyDir{EmptyDir: &runpb.EmptyDirVolumeSource{SizeLimit: "10Mi"}}}}
	c.deploy(svc)
	for path, want := range map[string]string{
		"/": `"PORT":"9000"`,
		"/get?url=" + url.QueryEscape("http://127.0.0.1:9001/"): `"WHO":"side"`,
	} {
		if got := s.Get(host, path); !strings.Contains(got, want) {
			t.Errorf("%s answers %s, without %s", path, got, want)
		}
	}
	if got := s.Get(host, "/get?url="+url.QueryEscape("http://127.0.0.1:9001/")); strings.Contains(got, `"PORT"`) {
		t.Errorf("a sidecar has a PORT: %s", got)
	}
	s.Get(host, "/write?path=/shared/x&text=from+main")
	if got := s.Get(host, "/get?url="+url.QueryEscape("http://127.0.0.1:9001/get?path=/shared/x")); got != "from main" {
		t.Errorf("the sidecar reads %q, want what its neighbour has written", got)
	}
}
