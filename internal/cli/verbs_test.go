package cli

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/google/go-cmp/cmp"
)

const minute = time.Minute

// served is a fake with two services, each with v1 and v2.
func served(t *testing.T) *fake {
	t.Helper()
	f := newFake(t)
	for _, service := range []string{"default", "worker"} {
		f.split[service] = map[string]float64{"v1": 1}
		for _, id := range []string{"v1", "v2"} {
			f.versions[service+"/"+id] = &appenginepb.Version{
				Name: "apps/sunya/services/" + service + "/versions/" + id, Id: id, ServingStatus: appenginepb.ServingStatus_SERVING,
			}
		}
	}
	return f
}

func TestVerbsAskForWhatGcloudDoes(t *testing.T) {
	for _, tt := range []struct {
		line string
		code int
		want []string // asked of the server
		out  string   // in stdout or stderr
	}{
		{"services set-traffic default --splits v1=.5,v2=.5", exitOK, []string{"split map[v1:0.5 v2:0.5] by IP migrate=false"}, "Service default serves: 50 % v1, 50 % v2, by ip"},
		{"services set-traffic default --splits v1=9,v2=1 --split-by cookie", exitOK, []string{"split map[v1:0.9 v2:0.1] by COOKIE migrate=false"}, ""},
		{"services set-traffic --splits v2=1 --migrate", exitOK, []string{"split map[v2:1] by IP migrate=true", "split map[v2:1] by IP migrate=true"}, ""},
		{"services set-traffic default --splits v1=1,v2=1 --migrate", exitUsage, nil, "single version"},
		{"services set-traffic default", exitUsage, nil, "--splits is missing"},
		{"services set-traffic nope --splits v1=1", exitNotFound, nil, "not found"},
		{"services update default --ingress all", exitOK, []string{"network_settings map[] by UNSPECIFIED migrate=false"}, "Updated service default"},
		{"services update default --ingress most", exitUsage, nil, "internal-only"},
		{"services delete worker --yes", exitOK, []string{"delete worker"}, "Deleted service worker"},
		{"services delete worker", exitUsage, nil, "Confirm with --yes"},
		{"services delete nope --yes", exitNotFound, nil, "not found"},
		{"services browse default worker --version v1", exitOK, nil, "http://v1-dot-worker-dot-sunya.localhost"},
		{"versions stop v1 --service worker", exitOK, []string{"worker/v1 STOPPED"}, "Stopped version v1 of service worker"},
		{"versions stop v1 v2", exitOK, []string{"default/v1 STOPPED", "default/v2 STOPPED", "worker/v1 STOPPED", "worker/v2 STOPPED"}, ""},
		{"versions start v2 -s default", exitOK, []string{"default/v2 SERVING"}, "Started version v2"},
		{"versions stop v9", exitNotFound, nil, "v9: no such version in any service"},
		{"versions stop v9 -s worker", exitNotFound, nil, "no such version of service worker"},
		{"versions migrate v2 -s worker", exitOK, []string{"split map[v2:1] by IP migrate=true"}, "Service worker serves: 100 % v2"},
		{"versions migrate v2", exitOK, []string{"split map[v2:1] by IP migrate=true", "split map[v2:1] by IP migrate=true"}, ""},
		{"versions migrate v9", exitNotFound, nil, "no such version"},
		{"versions delete v2 --yes", exitOK, nil, "Deleted version v2 of service worker"},
		{"versions list --hide-no-traffic --format value(id)", exitOK, nil, "v1\nv1\n"},
		{"versions browse v1 v2", exitOK, nil, "http://v2-dot-sunya.localhost"},
		{"instances list -s worker -v v1", exitOK, nil, "worker   v1       i1        DYNAMIC  40 MiB  1m ago"},
		{"instances describe i1 --format value(memoryUsage)", exitOK, nil, "41943040"},
		{"instances describe i9", exitNotFound, nil, "no such instance of service default"},
		{"instances delete i1 -s worker -v v1", exitOK, []string{"delete apps/sunya/services/worker/versions/v1/instances/i1"}, "Deleted instance i1"},
		{"create --region europe-west1", exitOK, []string{"create sunya in europe-west1"}, "Created the app of project sunya"},
		{"describe --format value(defaultHostname)", exitOK, nil, "sunya.localhost"},
		{"operations list --pending --format value(name)", exitOK, nil, "apps/sunya/operations/op2\n"},
		{"operations list", exitOK, nil, "COMPLETED"},
		{"operations describe op1 --format value(done)", exitOK, nil, "true"},
		{"operations wait op1 --format value(name)", exitOK, nil, "apps/sunya/operations/op1"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			f := served(t)
			r := execute(t, f, append([]string{"app"}, strings.Fields(tt.line)...)...)
			r.expect(t, tt.code)
			if diff := cmp.Diff(tt.want, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if !strings.Contains(r.stdout.String()+r.stderr.String(), tt.out) {
				t.Errorf("stdout %q, stderr %q, want %q", r.stdout, r.stderr, tt.out)
			}
		})
	}
}

// A promoted version with instances of its own would leave those of the one
// before running for ever.
func TestDeployStopsThePreviousVersion(t *testing.T) {
	manual := &appenginepb.Version_ManualScaling{ManualScaling: &appenginepb.ManualScaling{Instances: 2}}
	stopped := "default/v1 STOPPED"
	for _, tt := range []struct {
		rule  string
		set   func(f *fake)
		flags []string
		stops bool
	}{
		{"manual scaling", func(f *fake) { f.versions["default/v1"].Scaling = manual }, nil, true},
		{"automatic scaling", func(*fake) {}, nil, false},
		{"not wanted", func(f *fake) { f.versions["default/v1"].Scaling = manual }, []string{"--no-stop-previous-version"}, false},
		{"not promoted", func(f *fake) { f.versions["default/v1"].Scaling = manual }, []string{"--no-promote"}, false},
		{"only a part of the traffic", func(f *fake) {
			f.versions["default/v1"].Scaling = manual
			f.split["default"] = map[string]float64{"v1": 0.5, "v2": 0.5}
		}, nil, false},
		{"stopped already", func(f *fake) {
			f.versions["default/v1"].Scaling = manual
			f.versions["default/v1"].ServingStatus = appenginepb.ServingStatus_STOPPED
		}, nil, false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := served(t)
			tt.set(f)
			execute(t, f, append([]string{"app", "deploy", hello(t), "--version", "v3"}, tt.flags...)...).expect(t, exitOK)
			got := len(f.asked) > 0 && f.asked[len(f.asked)-1] == stopped
			if got != tt.stops {
				t.Errorf("asked = %q, want the stop: %v", f.asked, tt.stops)
			}
		})
	}
}
