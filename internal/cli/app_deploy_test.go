package cli

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appyaml"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

func deployLog(f *fake) {
	f.buildLog = append(f.buildLog,
		stageEntry(1, "Building", "start", ""),
		buildEntry(2, "Collecting Flask", nil),
		stageEntry(3, "Building", "done", "1.5s"),
		stageEntry(4, "Starting", "start", ""),
		stageEntry(5, "Starting", "done", "250ms"),
		stageEntry(6, "Routing traffic", "start", ""),
		stageEntry(7, "Routing traffic", "done", "1ms"),
	)
}

func TestDeploy(t *testing.T) {
	f := newFake(t)
	deployLog(f)
	dir := source(t, map[string]string{
		"app.yaml": "runtime: python311\nservice: api\nentrypoint: python main.py\ninstance_class: F2\nthreadsafe: true\n" +
			"env_variables: {A: b}\nautomatic_scaling: {min_instances: 1, max_concurrent_requests: 20}\n",
		"main.py": "app = None\n", "lib/copy.py": "app = None\n", "lib/__pycache__/x.pyc": "",
	})
	r := execute(t, f, "app", "deploy", dir, "--version", "v1").expect(t, exitOK)
	if want := "http://api-dot-sunya.localhost:" + f.port() + "\n"; r.stdout.String() != want {
		t.Errorf("stdout = %q, want %q", r.stdout, want)
	}
	got := strings.ReplaceAll(r.stderr.String(), dir, "DIR")
	golden(t, "deploy_stderr", got)

	if len(f.objects) != 2 {
		t.Errorf("%d objects for two different contents: %v", len(f.objects), slices.Sorted(maps.Keys(f.objects)))
	}
	v := f.versions["api/v1"]
	var paths []string
	for path, info := range v.GetDeployment().GetFiles() {
		paths = append(paths, path)
		if info.GetSourceUrl() != "https://storage.googleapis.com/"+fakeBucket+"/"+info.GetSha1Sum() {
			t.Errorf("%s: source = %s", path, info.GetSourceUrl())
		}
		if _, ok := f.objects[info.GetSha1Sum()]; !ok {
			t.Errorf("%s was not uploaded", path)
		}
	}
	slices.Sort(paths)
	if diff := cmp.Diff([]string{"app.yaml", "lib/copy.py", "main.py"}, paths); diff != "" {
		t.Error(diff)
	}
	if v.GetRuntime() != "python311" || v.GetEntrypoint().GetShell() != "python main.py" || v.GetInstanceClass() != "F2" || v.GetEnvVariables()["A"] != "b" {
		t.Errorf("version = %v", v)
	}
	if s := v.GetAutomaticScaling(); s.GetMaxConcurrentRequests() != 20 || s.GetStandardSchedulerSettings().GetMinInstances() != 1 {
		t.Errorf("scaling = %v", s)
	}

	// Again: nothing is new, so nothing is sent.
	again := execute(t, f, "app", "deploy", dir, "--verbosity", "info").expect(t, exitOK)
	if !strings.Contains(again.stderr.String(), "3 files (by the rules of gcloud's defaults for python311), 0 of them new") {
		t.Errorf("stderr = %s", again.stderr)
	}
	id := strings.ToLower(testTime.Local().Format("20060102t150405"))
	if f.split["api"][id] != 1 {
		t.Errorf("split = %v, want all on %s", f.split["api"], id)
	}
}

func TestDeployFromWorkingDirectory(t *testing.T) {
	for _, args := range [][]string{{"deploy"}, {"deploy", "."}, {"app", "deploy"}, {"app", "deploy", "app.yaml"}} {
		f := newFake(t)
		r := prepare(t, f, args...)
		r.env.Dir = hello(t)
		r.do(t).expect(t, exitOK)
		if want := "http://sunya.localhost:" + f.port() + "\n"; r.stdout.String() != want {
			t.Errorf("%v: stdout = %q", args, r.stdout)
		}
	}
}

func TestDeployNoPromote(t *testing.T) {
	f := newFake(t)
	dir := hello(t)
	execute(t, f, "app", "deploy", dir, "--version", "v1").expect(t, exitOK)
	for _, flag := range []string{"--no-promote", "--promote=false", "--no-promote=true"} {
		r := execute(t, f, "app", "deploy", dir, "--version", "v2", flag).expect(t, exitOK)
		if want := "http://v2-dot-sunya.localhost:" + f.port() + "\n"; r.stdout.String() != want {
			t.Errorf("%s: stdout = %q, want %q", flag, r.stdout, want)
		}
		if f.split["default"]["v1"] != 1 {
			t.Errorf("%s: split = %v", flag, f.split["default"])
		}
	}
}

func TestDeployQuietHidesBuildOutput(t *testing.T) {
	f := newFake(t)
	deployLog(f)
	r := execute(t, f, "app", "deploy", hello(t), "--quiet", "--version", "v1").expect(t, exitOK)
	if strings.Contains(r.stderr.String(), "Collecting Flask") {
		t.Errorf("stderr shows build output:\n%s", r.stderr)
	}
	if !strings.Contains(r.stderr.String(), "Building done in 1.5 s") {
		t.Errorf("stderr does not show the stage:\n%s", r.stderr)
	}
}

func TestDeployJSON(t *testing.T) {
	f := newFake(t)
	r := execute(t, f, "app", "deploy", hello(t), "--version", "v1", "--format", "value(id,versionUrl)").expect(t, exitOK)
	if want := "v1\thttp://sunya.localhost:" + f.port() + "\n"; r.stdout.String() != want {
		t.Errorf("stdout = %q, want %q", r.stdout, want)
	}
}

func TestDeploySeveralServices(t *testing.T) {
	f := newFake(t)
	dir := source(t, map[string]string{"app.yaml": "runtime: python311\n", "api.yaml": "runtime: python311\nservice: api\n"})
	r := execute(t, f, "app", "deploy", dir, dir+"/api.yaml").expect(t, exitOK)
	if want := "http://sunya.localhost:" + f.port() + "\nhttp://api-dot-sunya.localhost:" + f.port() + "\n"; r.stdout.String() != want {
		t.Errorf("stdout = %q, want %q", r.stdout, want)
	}
}

func TestDeployFails(t *testing.T) {
	tests := []struct {
		name   string
		reason string
		code   int
		stage  string
	}{
		{"build", sunya.ReasonBuildFailed, exitBuildFailed, "Building"},
		{"not ready", sunya.ReasonRevisionNotReady, exitNotReady, "Starting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			var logs []string
			for i := range 60 {
				f.buildLog = append(f.buildLog, buildEntry(i, "line "+string(rune('A'+i%26)), nil))
			}
			f.buildLog = append(f.buildLog, stageEntry(100, tt.stage, "start", ""), buildEntry(101, "last \x1b[31mline\x1b[0m", nil), stageEntry(102, tt.stage, "failed", "1s"))
			if tt.code == exitNotReady {
				logs = []string{"listening on 5000"}
			}
			f.failure = failed(codes.FailedPrecondition, tt.reason, "main.py: it does not work", logs...)
			r := execute(t, f, "app", "deploy", hello(t), "--quiet", "--version", "v1").expect(t, tt.code)
			if r.stdout.String() != "" {
				t.Errorf("stdout = %q", r.stdout)
			}
			golden(t, "deploy_failed_"+strings.ReplaceAll(tt.name, " ", "_"), r.stderr.String())
			if strings.Contains(r.stderr.String(), "\x1b") {
				t.Error("the app's control characters reach the terminal")
			}
		})
	}
}

func TestDeployInterrupted(t *testing.T) {
	f := newFake(t)
	f.unending = true
	f.polled = make(chan struct{}, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	r := prepare(t, f, "app", "deploy", hello(t), "--version", "v1")
	done := make(chan int)
	go func() { done <- Main(ctx, r.env) }()
	<-f.polled
	cancel(Signal{2})
	if code := <-done; code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	for _, want := range []string{"interrupted", "continues", "apps/sunya/operations/op1"} {
		if !strings.Contains(r.stderr.String(), want) {
			t.Errorf("stderr does not mention %q:\n%s", want, r.stderr)
		}
	}
	if strings.Contains(r.stderr.String(), "failed") {
		t.Errorf("Ctrl-C is reported as a failure:\n%s", r.stderr)
	}
}

func TestDeployBadInput(t *testing.T) {
	f := newFake(t)
	dir := func(yaml string) string { return source(t, map[string]string{"app.yaml": yaml}) }
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"malformed YAML", []string{dir("runtime: [a\n")}, "app.yaml line 1: not valid YAML"},
		{"unknown key", []string{dir("runtime: python311\ninstance_clas: F1\n")}, `line 2: unknown key "instance_clas"`},
		{"no app.yaml", []string{t.TempDir()}, "there is no app.yaml in "},
		{"no app.yaml for Node.js", []string{source(t, map[string]string{"package.json": "{}"})}, `the smallest one is the line "runtime: nodejs22"`},
		{"a jar", []string{source(t, map[string]string{"a.jar": "PK"}) + "/a.jar"}, "a.jar is neither a directory nor a YAML file"},
		{"one service twice", []string{dir("runtime: python311\n"), dir("runtime: python312\n")}, `deploy the same: the service "default"`},
		{"app.yaml for several", []string{"a", "b", "--appyaml", "c.yaml"}, "--appyaml goes with one source"},
		{"app.yaml that is not there", []string{dir("runtime: python311\n"), "--appyaml", "c.yaml"}, "there is no c.yaml"},
		{"app.yaml that is none", []string{dir("runtime: python311\n"), "--appyaml", source(t, map[string]string{"dispatch.yaml": "dispatch: []"}) + "/dispatch.yaml"}, "does not describe a service"},
		{"no such directory", []string{"nowhere"}, "there is no nowhere"},
		{"cron.yaml", []string{source(t, map[string]string{"cron.yaml": ""}) + "/cron.yaml"}, "cron.yaml: cannot be deployed: scheduled requests come with Cloud Scheduler"},
		{"bad version", []string{dir("runtime: python311\n"), "--version", "V 1"}, `--version: "V 1" is not allowed`},
		{"reserved version", []string{dir("runtime: python311\n"), "--version", "default"}, `--version: "default" is not allowed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := execute(t, f, append([]string{"app", "deploy"}, tt.args...)...).expect(t, exitUsage)
			if !strings.Contains(r.stderr.String(), tt.want) || !strings.Contains(r.stderr.String(), "ERROR: (sunya.app.deploy) ") {
				t.Errorf("stderr = %s, want %q", r.stderr, tt.want)
			}
			if r.stdout.String() != "" {
				t.Errorf("stdout = %q", r.stdout)
			}
		})
	}
	if len(f.objects) > 0 {
		t.Errorf("something was uploaded: %v", f.objects)
	}
}

// TestDeployElsewhere is about sources whose app.yaml is not in their directory.
func TestDeployElsewhere(t *testing.T) {
	java := source(t, map[string]string{"pom.xml": "<project/>", "src/main/appengine/app.yaml": "runtime: java21\n", "src/main/java/Main.java": ""})
	python := source(t, map[string]string{"app.yaml": "runtime: python311\n", "main.py": ""})
	other := source(t, map[string]string{"staging.yaml": "runtime: python312\nenv_variables: {STAGE: test}\n"})
	tests := []struct {
		name    string
		args    []string
		runtime string
		file    string
	}{
		{"a Maven project", []string{"app", "deploy", java}, "java21", "src/main/java/Main.java"},
		{"its pom.xml", []string{"app", "deploy", java + "/pom.xml"}, "java21", "src/main/java/Main.java"},
		{"a Maven project, found out", []string{"deploy", java}, "java21", "src/main/java/Main.java"},
		{"--appyaml", []string{"app", "deploy", python, "--appyaml", other + "/staging.yaml"}, "python312", "main.py"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			deployLog(f)
			execute(t, f, append(tt.args, "--version", "v1")...).expect(t, exitOK)
			v := f.versions["default/v1"]
			if v.GetRuntime() != tt.runtime || v.GetDeployment().GetFiles()[tt.file] == nil {
				t.Errorf("runtime = %s, files = %v", v.GetRuntime(), v.GetDeployment().GetFiles())
			}
		})
	}
}

func TestDeployRefusedByServer(t *testing.T) {
	f := newFake(t)
	f.refuse = status.Error(codes.PermissionDenied, "apps/sunya: not yours")
	r := execute(t, f, "app", "deploy", hello(t)).expect(t, exitDenied)
	if !strings.Contains(r.stderr.String(), "apps/sunya: not yours") {
		t.Errorf("stderr = %s", r.stderr)
	}
}

func TestDeployToken(t *testing.T) {
	f := newFake(t)
	prepare(t, f, "app", "deploy", hello(t)).with("SUNYA_TOKEN", "secret").do(t).expect(t, exitOK)
	if diff := cmp.Diff(map[string]bool{"Bearer secret": true}, f.tokens); diff != "" {
		t.Errorf("some request had no token: %s", diff)
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
		code  int
	}{
		{"app.yaml first", map[string]string{"app.yaml": "runtime: python311", "Dockerfile": ""}, "as an App Engine service, because it has an app.yaml", exitOK},
		{"Dockerfile", map[string]string{"Dockerfile": "", "main.py": ""}, "as a Cloud Run service, because it has a Dockerfile", exitOK},
		{"function", map[string]string{"main.py": "import functions_framework\n@functions_framework.http\ndef f(r): pass"}, "sunya functions deploy NAME", exitUsage},
		{"source", map[string]string{"main.py": "", "requirements.txt": ""}, "as a Cloud Run service from source", exitOK},
		{"Procfile", map[string]string{"Procfile": "web: ./serve", "serve": ""}, "because it has a Procfile", exitOK},
		{"source in Go", map[string]string{"go.mod": ""}, `add an app.yaml with the line "runtime: go125"`, exitOK},
		{"nothing", map[string]string{"README": ""}, "holds nothing that can be deployed", exitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "hello") // a service is called as it is
			if err := os.Rename(source(t, tt.files), dir); err != nil {
				t.Fatal(err)
			}
			r := execute(t, newFake(t), "deploy", dir).expect(t, tt.code)
			if !strings.Contains(r.stderr.String(), tt.want) {
				t.Errorf("stderr = %s, want %q", r.stderr, tt.want)
			}
		})
	}
}

func TestVersionOfScaling(t *testing.T) {
	f := newFake(t)
	dir := source(t, map[string]string{"app.yaml": "runtime: python311\nbasic_scaling: {max_instances: 2, idle_timeout: 90s}\n"})
	execute(t, f, "app", "deploy", dir, "--version", "v1").expect(t, exitOK)
	got := f.versions["default/v1"].GetBasicScaling()
	if got.GetMaxInstances() != 2 || got.GetIdleTimeout().GetSeconds() != 90 {
		t.Errorf("scaling = %v", got)
	}
}

// TestDeployDuringRestart: a connection that breaks while files are on their
// way is tried again.
func TestDeployDuringRestart(t *testing.T) {
	f := newFake(t)
	f.dropPosts = 2
	execute(t, f, "app", "deploy", hello(t)).expect(t, exitOK)
	if len(f.objects) != 2 {
		t.Errorf("%d objects, want 2", len(f.objects))
	}
}

// TestFileChangesDuringUpload: what was stored under the wrong name is taken
// back.
func TestFileChangesDuringUpload(t *testing.T) {
	f := newFake(t)
	ctx := t.Context()
	c, err := connect(ctx, prepareSettled(t, f))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	u, err := c.uploader(ctx, fakeBucket)
	if err != nil {
		t.Fatal(err)
	}
	dir := source(t, map[string]string{"a": "new content"})
	_, err = u.upload(ctx, []ignore.File{{Path: "a", Local: dir + "/a", SHA1: "0123"}})
	if err == nil || !strings.Contains(err.Error(), "changed while it was being uploaded") {
		t.Errorf("err = %v", err)
	}
	if len(f.objects) > 0 {
		t.Errorf("left behind: %v", f.objects)
	}
}

func prepareSettled(t *testing.T, f *fake) *Env {
	t.Helper()
	env := prepare(t, f).env
	env.flags.Server = f.url
	return env
}

func TestWarningsAreSaidOnce(t *testing.T) {
	d := &deployment{target: target{cfg: &appyaml.Config{Warnings: []string{
		"beta_settings (line 3): not supported yet", "automatic_scaling.max_pending_latency (line 9): stored",
	}}}}
	got := d.unsaid([]string{"betaSettings: not supported yet; it is stored and has no effect", "zones: only for the flexible environment"})
	if diff := cmp.Diff([]string{"zones: only for the flexible environment"}, got); diff != "" {
		t.Errorf("warnings of the server that are said (-want +got):\n%s", diff)
	}
}
