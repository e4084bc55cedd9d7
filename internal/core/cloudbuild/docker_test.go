package cloudbuild

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

func TestDockerSteps(t *testing.T) {
	for _, tt := range []struct {
		args string
		dir  string
		want plan.Step
	}{
		{"build -t gcr.io/p/a .", "", plan.Step{Build: &plan.Build{Context: ".", Tags: []string{"gcr.io/p/a"}}}},
		{"build --network cloudbuild --no-cache -t gcr.io/p/a .", "", plan.Step{Build: &plan.Build{Context: ".", Tags: []string{"gcr.io/p/a"}, NoCache: true}}},
		{"build --tag=a --tag b -f docker/Dockerfile --build-arg A=1 --build-arg=B=x=y --label l=v --target t --platform linux/amd64 sub", "", plan.Step{Build: &plan.Build{
			Context: "sub", Dockerfile: "docker/Dockerfile", Tags: []string{"a", "b"}, Args: map[string]string{"A": "1", "B": "x=y"},
			Labels: map[string]string{"l": "v"}, Target: "t", Platform: "linux/amd64",
		}}},
		{"build -t a -f /workspace/x/Dockerfile ..", "x", plan.Step{Build: &plan.Build{Context: ".", Dockerfile: "x/Dockerfile", Tags: []string{"a"}}}},
		{"buildx build --load -t a --add-host db:10.0.0.1 --network=none .", "", plan.Step{Build: &plan.Build{Context: ".", Tags: []string{"a"}, Network: "none", AddHosts: []string{"db:10.0.0.1"}}}},
		{"push gcr.io/p/a", "", plan.Step{Push: []string{"gcr.io/p/a"}}},
		{"push -q gcr.io/p/a", "", plan.Step{Push: []string{"gcr.io/p/a"}}},
		{"tag a b", "", plan.Step{Tag: &plan.Tag{From: "a", To: "b"}}},
		{"pull debian", "", plan.Step{}},
	} {
		got, err := dockerStep("steps[0]", &Step{Args: strings.Fields(tt.args), Dir: tt.dir})
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestDockerStepsThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		step Step
		code sunya.Code
		want string
	}{
		{Step{}, sunya.InvalidArgument, "needs a command"},
		{Step{Args: []string{"run", "a"}}, sunya.Unimplemented, "docker run"},
		{Step{Args: []string{"build", "--squash", "."}}, sunya.Unimplemented, "--squash"},
		{Step{Args: []string{"build", "-t"}}, sunya.InvalidArgument, "needs a value"},
		{Step{Args: []string{"build", "-t", "a"}}, sunya.InvalidArgument, "one path"},
		{Step{Args: []string{"build", "-t", "a", "../.."}}, sunya.InvalidArgument, "outside"},
		{Step{Args: []string{"build", "-f", "/etc/passwd", "."}}, sunya.InvalidArgument, "outside"},
		{Step{Args: []string{"build", "https://github.com/a/b.git"}}, sunya.Unimplemented, "context"},
		{Step{Args: []string{"build", "--build-arg", "A", "."}}, sunya.InvalidArgument, "NAME=value"},
		{Step{Args: []string{"build", "--network", "host", "."}}, sunya.InvalidArgument, "network"},
		{Step{Args: []string{"push"}}, sunya.InvalidArgument, "one name"},
		{Step{Args: []string{"tag", "a"}}, sunya.InvalidArgument, "two names"},
		{Step{Entrypoint: "bash", Args: []string{"-c", "docker build ."}}, sunya.Unimplemented, "another program"},
	} {
		_, err := dockerStep("steps[0]", &tt.step)
		if sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %v with %q", tt.step.Args, err, tt.code, tt.want)
		}
	}
}

func TestPackSteps(t *testing.T) {
	got, err := packStep("steps[0]", &Step{Entrypoint: "pack", Args: strings.Fields(
		"build gcr.io/p/a --builder gcr.io/buildpacks/builder:latest --network cloudbuild --env A=1 --path sub")})
	if diff := cmp.Diff(&packBuild{Image: "gcr.io/p/a", Dir: "sub", Env: map[string]string{"A": "1"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := packStep("s", &Step{Entrypoint: "pack", Args: []string{"config", "default-builder", "gcr.io/buildpacks/builder"}}); err != nil || got.Image != "" {
		t.Errorf("gcloud's first step: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "inspect a", "build", "build a --nope", "build a --env", "build a --env x", "build a --path ../.."} {
		if _, err := packStep("steps[0]", &Step{Args: strings.Fields(bad)}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzDockerStep(f *testing.F) {
	f.Add("build\x00-t\x00a\x00.", "sub")
	f.Fuzz(func(t *testing.T, args, dir string) {
		step, err := dockerStep("s", &Step{Args: strings.Split(args, "\x00"), Dir: dir})
		if err == nil && step.Build != nil && strings.HasPrefix(step.Build.Context, "..") {
			t.Errorf("context %q", step.Build.Context)
		}
	})
}
