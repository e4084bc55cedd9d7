package cli

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
)

const helloService = fakeParent + "/services/hello"

// running is a fake with the service hello.
func running(t *testing.T) *fake {
	t.Helper()
	f := newFake(t)
	f.run.store(helloService, &runpb.Service{Template: &runpb.RevisionTemplate{Containers: []*runpb.Container{{Image: "gcr.io/sunya/hello:v1"}}}})
	return f
}

// TestRunDeployFlags: what each flag makes of a new service.
func TestRunDeployFlags(t *testing.T) {
	for _, tt := range []struct {
		line string
		want string // of the service, as JSON; image and client are added
	}{
		{"", `{}`},
		{"--port 9000", `{"ports":[{"containerPort":9000}]}`},
		{"--port default --use-http2", `{"ports":[{"name":"h2c"}]}`},
		{"--no-use-http2", `{"ports":[{"name":"http1"}]}`},
		{"--cpu 2 --memory 1Gi", `{"resources":{"limits":{"cpu":"2","memory":"1Gi"},"cpuIdle":true}}`},
		{"--no-cpu-throttling --cpu-boost", `{"resources":{"startupCpuBoost":true}}`},
		{"--set-env-vars B=2,A=1", `{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}`},
		{"--command python,-m --args ^;^a,b;c", `{"command":["python","-m"],"args":["a,b","c"]}`},
		{"--startup-probe httpGet.path=/up,periodSeconds=5", `{"startupProbe":{"httpGet":{"path":"/up"},"periodSeconds":5}}`},
		{"--liveness-probe grpc.port=9000,grpc.service=x", `{"livenessProbe":{"grpc":{"port":9000,"service":"x"}}}`},
		{"--concurrency 10 --timeout 5m", `"maxInstanceRequestConcurrency":10,"timeout":"300s"`},
		{"--concurrency default", ``},
		{"--min-instances 1 --max-instances 3", `"scaling":{"minInstanceCount":1,"maxInstanceCount":3}`},
		{"--service-account a@sunya.iam.gserviceaccount.com --session-affinity", `"serviceAccount":"a@sunya.iam.gserviceaccount.com","sessionAffinity":true`},
		{"--execution-environment gen2", `"executionEnvironment":"EXECUTION_ENVIRONMENT_GEN2"`},
		{"--revision-suffix one", `"revision":"hello-one"`},
		{"--add-volume name=v,type=in-memory,size-limit=1Mi", `"volumes":[{"name":"v","emptyDir":{"medium":"MEMORY","sizeLimit":"1Mi"}}]`},
		{"--labels a=b", `"labels":{"a":"b"}} "labels":{"a":"b"}`},
		{"--ingress internal", `} "ingress":"INGRESS_TRAFFIC_INTERNAL_ONLY"`},
		{"--min 1 --max 5", `} "scaling":{"minInstanceCount":1,"maxInstanceCount":5}`},
		{"--scaling 2", `} "scaling":{"scalingMode":"MANUAL","manualInstanceCount":2}`},
		{"--set-custom-audiences a,b --add-custom-audiences c --remove-custom-audiences a", `} "customAudiences":["b","c"]`},
		{"--set-custom-audiences a --clear-custom-audiences --platform managed", `{}`},
		{"--description x --no-default-url --no-invoker-iam-check", `} "description":"x","defaultUriDisabled":true,"invokerIamDisabled":true`},
	} {
		t.Run(tt.line, func(t *testing.T) {
			f := newFake(t)
			args := append([]string{"run", "deploy", "hello", "--image", "gcr.io/sunya/hello:v1", "--quiet"}, strings.Fields(tt.line)...)
			r := execute(t, f, args...).expect(t, exitOK)
			if r.stdout.String() != "http://hello.localhost\n" {
				t.Errorf("stdout = %q", r.stdout)
			}
			got := f.run.services[helloService]
			want := expected(t, tt.want)
			if got.GetTemplate().GetLabels()[nonceLabel] == "" {
				t.Error("the template does not differ from the one before")
			}
			delete(got.GetTemplate().GetLabels(), nonceLabel)
			if len(got.GetTemplate().GetLabels()) == 0 {
				got.Template.Labels = nil
			}
			if diff := cmp.Diff(want.GetTemplate(), got.GetTemplate(), protocmp.Transform()); diff != "" {
				t.Errorf("template (-want +got):\n%s", diff)
			}
			for _, field := range []string{"ingress", "scaling", "description", "labels", "default_uri_disabled", "invoker_iam_disabled"} {
				d := got.ProtoReflect().Descriptor().Fields().ByTextName(field)
				if !got.ProtoReflect().Get(d).Equal(want.ProtoReflect().Get(d)) {
					t.Errorf("%s = %v, want %v", field, got.ProtoReflect().Get(d), want.ProtoReflect().Get(d))
				}
			}
			if diff := cmp.Diff(want.GetCustomAudiences(), got.GetCustomAudiences()); diff != "" {
				t.Errorf("custom audiences (-want +got):\n%s", diff)
			}
		})
	}
}

// expected reads the short form of TestRunDeployFlags: a container in braces,
// else fields of the template, then behind "} " those of the service.
func expected(t *testing.T, short string) *runpb.Service {
	t.Helper()
	container, template, service := `"image":"gcr.io/sunya/hello:v1"`, "", ""
	if inner, ok := strings.CutPrefix(short, "{"); ok {
		if inner = strings.TrimSuffix(inner, "}"); inner != "" {
			container += "," + inner
		}
	} else {
		template, service, _ = strings.Cut(short, "} ")
	}
	doc := `{"template":{"containers":[{` + container + `}]`
	if template != "" {
		doc += "," + template
	}
	doc += "}"
	if service != "" {
		doc += "," + service
	}
	s := &runpb.Service{}
	if err := protojson.Unmarshal([]byte(doc+"}"), s); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return s
}

func TestRunDeploySpeaksAsGcloud(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		line   string
		code   int
		asked  []string
		stdout string
		stderr string
	}{
		{"a new service is private", "deploy new --image x", exitOK, []string{"create new"}, "http://new.localhost\n", "Service [new] is private"},
		{"everybody is let in", "deploy new --image x --allow-unauthenticated", exitOK, []string{"create new", "policy of new: roles/run.invoker=allUsers"}, "", "Service [new] revision [new-00001-bcd] has been deployed and is serving 100 percent of traffic."},
		{"nobody was in", "deploy new --image x --no-allow-unauthenticated", exitOK, []string{"create new"}, "", ""},
		{"an update changes what flags say", "deploy hello --image y --memory 1Gi", exitOK, []string{"update hello: client client_version template"}, "", "revision [hello-00002-bcd]"},
		{"no traffic", "deploy hello --image y --no-traffic", exitOK, []string{"update hello: client client_version template traffic"}, "", "is serving 0 percent"},
		{"no traffic for the first", "deploy new --image y --no-traffic", exitUsage, nil, "", "the first revision of a service gets the traffic"},
		{"a tag has a URL", "deploy hello --image y --no-traffic --tag blue", exitOK, []string{"update hello: client client_version template traffic"}, "http://blue---hello.localhost\n", ""},
		{"no wait", "deploy hello --image y --async", exitOK, []string{"update hello: client client_version template"}, runOp + "\n", "sunya run services describe hello"},
		{"nothing to deploy", "deploy hello", exitUsage, nil, "", "--image is missing"},
		{"secrets", "deploy hello --image x --set-secrets A=b:1", exitUsage, nil, "", "Secret Manager is not there yet"},
		{"connectors", "deploy hello --image x --vpc-connector c", exitUsage, nil, "", "there are no VPC networks"},
		{"databases", "deploy hello --image x --set-cloudsql-instances c", exitUsage, nil, "", "Cloud SQL is not there"},
		{"a port that is none", "deploy hello --image x --port 70000", exitUsage, nil, "", "use 1 to 65535"},
		{"a probe without a way", "deploy hello --image x --startup-probe periodSeconds=1", exitUsage, nil, "", "say one way to ask"},
		{"a probe's unknown field", "deploy hello --image x --startup-probe httpGet.pat=/", exitUsage, nil, "", `"httpGet.pat" is not a field of a probe`},
		{"another platform", "deploy hello --image x --platform gke", exitUsage, nil, "", "use managed"},
		{"export", "services describe hello --format export", exitOK, nil, "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  annotations:\n    mine: x\n  name: hello\nspec:\n  template: {}\n", ""},
		{"an ingress", "deploy hello --image x --ingress most", exitUsage, nil, "", "internal-and-cloud-load-balancing"},
		{"update", "services update hello --update-env-vars A=1", exitOK, []string{"update hello: client client_version template"}, "http://hello.localhost\n", ""},
		{"update of the service alone", "services update hello --ingress all", exitOK, []string{"update hello: client client_version ingress"}, "", ""},
		{"update of nobody", "services update nope --memory 1Gi", exitNotFound, nil, "", "sunya run services list"},
		{"list", "services list", exitOK, nil, "SERVICE  REGION  READY  URL                     DEPLOYED\nhello    local   True   http://hello.localhost  2m ago\n", ""},
		{"describe", "services describe hello --format value(uri)", exitOK, nil, "http://hello.localhost\n", ""},
		{"delete", "services delete hello --yes", exitOK, []string{"delete hello"}, "", "Deleted service [hello]."},
		{"delete asks", "services delete hello", exitUsage, nil, "", "Confirm with --yes"},
		{"revisions", "revisions list --service hello", exitOK, nil, "REVISION         SERVICE  READY  TRAFFIC  IMAGE                  DEPLOYED\nhello-00001-bcd  hello    True   100 %    gcr.io/sunya/hello:v1  1h ago\n", ""},
		{"a revision", "revisions describe hello-00001-bcd --format value(service)", exitOK, nil, helloService + "\n", ""},
		{"no revision", "revisions describe hello-00009-bcd", exitNotFound, nil, "", "no such revision"},
		{"delete a revision", "revisions delete hello-00001-bcd --yes", exitOK, []string{"delete hello-00001-bcd"}, "", ""},
		{"regions", "regions list", exitOK, nil, "NAME   SERVICES\nlocal  1\n", ""},
		{"let one in", "services add-iam-policy-binding hello --member user:a@b.c", exitOK, []string{"policy of hello: roles/run.invoker=user:a@b.c"}, "", "Updated IAM policy"},
		{"let nobody in", "services add-iam-policy-binding hello", exitUsage, nil, "", "--member is missing"},
		{"take what was not given", "services remove-iam-policy-binding hello --member user:a@b.c", exitUsage, nil, "", "does not have the role"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := running(t)
			r := execute(t, f, append([]string{"run"}, strings.Fields(tt.line)...)...).expect(t, tt.code)
			if diff := cmp.Diff(tt.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if tt.stdout != "" && r.stdout.String() != tt.stdout {
				t.Errorf("stdout = %q, want %q", r.stdout, tt.stdout)
			}
			if !strings.Contains(r.stderr.String(), tt.stderr) {
				t.Errorf("stderr = %s, want %q", r.stderr, tt.stderr)
			}
		})
	}
}

// Flags behind --container are about that container, as with gcloud.
func TestRunDeployContainers(t *testing.T) {
	f := newFake(t)
	execute(t, f, "run", "deploy", "hello", "--quiet", "--image", "web", "--port", "8080", "--set-env-vars", "A=1",
		"--container", "cache", "--image", "redis", "--memory", "1Gi", "--set-env-vars", "B=2", "--depends-on", "").expect(t, exitOK)
	got := f.run.services[helloService].GetTemplate().GetContainers()
	if len(got) != 2 || got[0].GetImage() != "web" || got[0].GetEnv()[0].GetName() != "A" || got[1].GetName() != "cache" ||
		got[1].GetImage() != "redis" || got[1].GetResources().GetLimits()["memory"] != "1Gi" || got[0].GetResources() != nil {
		t.Errorf("containers = %v", got)
	}
	execute(t, f, "run", "services", "update", "hello", "--container", "cache", "--update-env-vars", "B=3,C=4").expect(t, exitOK)
	got = f.run.services[helloService].GetTemplate().GetContainers()
	if env := got[1].GetEnv(); len(env) != 2 || env[0].GetValue() != "3" || env[1].GetName() != "C" || len(got[0].GetEnv()) != 1 {
		t.Errorf("containers after the update = %v", got)
	}
	execute(t, f, "run", "services", "update", "hello", "--remove-containers", "cache").expect(t, exitOK)
	if got = f.run.services[helloService].GetTemplate().GetContainers(); len(got) != 1 {
		t.Errorf("containers after the removal = %v", got)
	}
}

// A source is packed without what its rules leave out, stored, built, and
// deployed by digest.
func TestRunDeploySource(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		files  map[string]string
		flags  []string
		docker bool
	}{
		{"a Dockerfile", map[string]string{"Dockerfile": "FROM scratch\n", "main.py": ""}, nil, true},
		{"by language", map[string]string{"main.py": "", "requirements.txt": "flask\n", ".gcloudignore": "*.pyc\n", "x.pyc": ""}, []string{"--set-build-env-vars", "A=1"}, false},
		{"a function", map[string]string{"Dockerfile": "", "main.py": ""}, []string{"--function", "f"}, false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := newFake(t)
			args := append([]string{"run", "deploy", "hello", "--source", source(t, tt.files), "--quiet"}, tt.flags...)
			execute(t, f, args...).expect(t, exitOK)
			req := f.run.builds[0]
			if (req.GetDockerBuild() != nil) != tt.docker || req.GetImageUri() != "local-docker.pkg.dev/sunya/cloud-run-source-deploy/hello" {
				t.Errorf("build = %v", req)
			}
			if got := f.run.services[helloService].GetTemplate().GetContainers()[0].GetImage(); got != req.GetImageUri()+"@"+fakeDigest {
				t.Errorf("image = %s", got)
			}
			archive := f.objects[req.GetStorageSource().GetObject()]
			z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range z.File {
				if file.Name == "x.pyc" {
					t.Error("the archive holds what .gcloudignore leaves out")
				}
			}
			if tt.rule == "a function" && req.GetBuildpackBuild().GetFunctionTarget() != "f" || tt.rule == "by language" && req.GetBuildpackBuild().GetEnvironmentVariables()["A"] != "1" {
				t.Errorf("build = %v", req)
			}
		})
	}
}

// A startup probe that the server has added goes with the port.
func TestPortTakesItsProbeAlong(t *testing.T) {
	probe := func(port int32) *runpb.Probe {
		return &runpb.Probe{TimeoutSeconds: 240, PeriodSeconds: 240, FailureThreshold: 1, ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: port}}}
	}
	for port, goes := range map[int32]bool{8080: true, 7000: false} {
		f := running(t)
		c := f.run.services[helloService].GetTemplate().GetContainers()[0]
		c.Ports, c.StartupProbe = []*runpb.ContainerPort{{ContainerPort: 8080}}, probe(port)
		execute(t, f, "run", "services", "update", "hello", "--port", "9000").expect(t, exitOK)
		if got := f.run.services[helloService].GetTemplate().GetContainers()[0].GetStartupProbe(); (got == nil) != goes {
			t.Errorf("the probe of port %d is %v", port, got)
		}
	}
}

func TestRunDeployFails(t *testing.T) {
	t.Run("not ready", func(t *testing.T) {
		f := newFake(t)
		f.failure = failed(codes.FailedPrecondition, "REVISION_NOT_READY", "the container did not listen on port 8080", "boom")
		r := execute(t, f, "run", "deploy", "hello", "--image", "x").expect(t, exitNotReady)
		for _, want := range []string{"did not listen", "boom", "sunya run services logs read hello"} {
			if !strings.Contains(r.stderr.String(), want) {
				t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		f := newFake(t)
		f.refuse = status.Error(codes.InvalidArgument, "service.template.containers[0].image: \"X\" is not an image")
		r := execute(t, f, "run", "deploy", "hello", "--image", "X").expect(t, exitUsage)
		if !strings.Contains(r.stderr.String(), "Validating failed: service.template.containers[0].image") {
			t.Errorf("stderr = %s", r.stderr)
		}
	})
}

func TestUpdateTraffic(t *testing.T) {
	latest := func(percent int32) *runpb.TrafficTarget {
		return &runpb.TrafficTarget{Type: latestType, Percent: percent}
	}
	of := func(revision string, percent int32) *runpb.TrafficTarget {
		return &runpb.TrafficTarget{Type: revisionType, Revision: revision, Percent: percent}
	}
	tag := func(name, revision string) *runpb.TrafficTarget {
		return &runpb.TrafficTarget{Type: revisionType, Revision: revision, Tag: name}
	}
	for _, tt := range []struct {
		rule string
		now  []*runpb.TrafficTarget
		line string
		want []*runpb.TrafficTarget
		err  string
	}{
		{"the rest stays with who had it", []*runpb.TrafficTarget{latest(100)}, "--to-revisions a=10", []*runpb.TrafficTarget{latest(90), of("a", 10)}, ""},
		{"in the proportions that there were", []*runpb.TrafficTarget{of("a", 60), of("b", 40)}, "--to-revisions c=50", []*runpb.TrafficTarget{of("a", 30), of("b", 20), of("c", 50)}, ""},
		{"thirds are rounded", []*runpb.TrafficTarget{of("a", 33), of("b", 33), of("c", 34)}, "--to-revisions d=1", []*runpb.TrafficTarget{of("a", 32), of("b", 32), of("c", 35), of("d", 1)}, ""},
		{"nothing is left", []*runpb.TrafficTarget{of("a", 100)}, "--to-revisions b=60,LATEST=40", []*runpb.TrafficTarget{latest(40), of("b", 60)}, ""},
		{"all to the latest", []*runpb.TrafficTarget{of("a", 100)}, "--to-latest", []*runpb.TrafficTarget{latest(100)}, ""},
		{"no split yet", nil, "--set-tags t=a", []*runpb.TrafficTarget{latest(100), tag("t", "a")}, ""},
		{"tags stay", []*runpb.TrafficTarget{latest(100), tag("t", "a")}, "--to-tags t=100", []*runpb.TrafficTarget{of("a", 100), tag("t", "a")}, ""},
		{"tags move", []*runpb.TrafficTarget{latest(100), tag("t", "a")}, "--update-tags t=b,u=a", []*runpb.TrafficTarget{latest(100), tag("t", "b"), tag("u", "a")}, ""},
		{"tags go", []*runpb.TrafficTarget{latest(100), tag("t", "a"), tag("u", "a")}, "--remove-tags t", []*runpb.TrafficTarget{latest(100), tag("u", "a")}, ""},
		{"all tags go", []*runpb.TrafficTarget{latest(100), tag("t", "a")}, "--clear-tags", []*runpb.TrafficTarget{latest(100)}, ""},
		{"too much", []*runpb.TrafficTarget{latest(100)}, "--to-revisions a=60,b=60", nil, "120 percent"},
		{"too little", []*runpb.TrafficTarget{of("a", 100)}, "--to-revisions a=60", nil, "only 60 percent"},
		{"no number", []*runpb.TrafficTarget{latest(100)}, "--to-revisions a=x", nil, `"x" is not a share`},
		{"no tag", []*runpb.TrafficTarget{latest(100)}, "--to-tags t=10", nil, `no tag "t"`},
		{"two ways", nil, "--to-latest --to-tags t=10", nil, "cannot stand beside"},
		{"nothing", nil, "", nil, "nothing to change"},
		{"all tags and one", nil, "--set-tags a=b --remove-tags c", nil, "replaces all tags"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := running(t)
			s := f.run.services[helloService]
			s.Traffic = tt.now
			r := execute(t, f, append([]string{"run", "services", "update-traffic", "hello"}, strings.Fields(tt.line)...)...)
			if tt.err != "" {
				r.expect(t, exitUsage)
				if !strings.Contains(r.stderr.String(), tt.err) {
					t.Errorf("stderr = %s, want %q", r.stderr, tt.err)
				}
				return
			}
			r.expect(t, exitOK)
			if diff := cmp.Diff(tt.want, f.run.updates[0].GetService().GetTraffic(), protocmp.Transform()); diff != "" {
				t.Errorf("traffic (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrafficTable(t *testing.T) {
	f := running(t)
	r := execute(t, f, "run", "services", "update-traffic", "hello", "--to-revisions", "LATEST=10,hello-00000-xyz=90", "--set-tags", "old=hello-00000-xyz").expect(t, exitOK)
	golden(t, "run_traffic", r.stdout.String())
}

func TestRunReplace(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "service.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: hello\nspec:\n  template:\n    spec:\n      containers:\n      - image: x\n"
	f := newFake(t)
	r := execute(t, f, "run", "services", "replace", file(good)).expect(t, exitOK)
	if r.stdout.String() != "http://hello.localhost\n" {
		t.Errorf("stdout = %q", r.stdout)
	}
	if len(f.run.replaced) != 1 || !strings.Contains(f.run.replaced[0], `"containers":[{"image":"x"}]`) {
		t.Errorf("sent %q", f.run.replaced)
	}
	f.failure = failed(codes.Unknown, "", "the image is not there")
	r = execute(t, f, "run", "services", "replace", file(good)).expect(t, exitNotReady)
	if !strings.Contains(r.stderr.String(), "the image is not there") {
		t.Errorf("stderr = %s", r.stderr)
	}
	execute(t, f, "run", "services", "replace", file("kind: Job\nmetadata: {name: x}\n")).expect(t, exitUsage)
	execute(t, f, "run", "services", "replace", file("\t- x")).expect(t, exitUsage)
	execute(t, f, "run", "services", "replace", "nope.yaml").expect(t, exitUsage)
}

// sunya deploy, open and logs find services, too.
func TestShortCommandsKnowServices(t *testing.T) {
	f := running(t)
	dir := filepath.Join(t.TempDir(), "My_App 2")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := execute(t, f, "deploy", dir, "--allow-unauthenticated").expect(t, exitOK)
	if r.stdout.String() != "http://my-app-2.localhost\n" {
		t.Errorf("stdout = %q", r.stdout)
	}
	if r = execute(t, f, "open", "hello").expect(t, exitOK); r.stdout.String() != "http://hello.localhost\n" {
		t.Errorf("open prints %q", r.stdout)
	}
	execute(t, f, "open", "nope").expect(t, exitNotFound)
}

func FuzzParseProbe(f *testing.F) {
	for _, s := range []string{"", "httpGet.path=/", "tcpSocket.port=1,periodSeconds=2", "grpc.port=x", "a.b=c", "^;^grpc.service=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseProbe(s); err == nil && p != nil && p.GetProbeType() == nil {
			t.Errorf("parseProbe(%q) asks in no way", s)
		}
	})
}
