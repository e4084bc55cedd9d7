package appyaml

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

func TestParse(t *testing.T) {
	const text = `
runtime: python311
service: api
entrypoint: gunicorn -b :$PORT main:app
instance_class: F2
env_variables:
  DEBUG: true
  PORTS: 8080
  EMPTY:
  QUOTED: "007"
build_env_variables: {GOOGLE_RUNTIME_VERSION: "3.11"}
automatic_scaling:
  min_instances: 1
  max_instances: 5
  max_concurrent_requests: 80
  target_throughput_utilization: 0.9
  min_idle_instances: automatic
`
	got, err := Parse("app.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Runtime: "python311", Service: "api", InstanceClass: "F2",
		Entrypoint: "gunicorn -b :$PORT main:app",
		Env:        map[string]string{"DEBUG": "true", "PORTS": "8080", "EMPTY": "", "QUOTED": "007"},
		BuildEnv:   map[string]string{"GOOGLE_RUNTIME_VERSION": "3.11"},
		Automatic:  &Automatic{MinInstances: 1, MaxInstances: 5, MaxConcurrentRequests: 80, TargetThroughput: 0.9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseMinimal(t *testing.T) {
	got, err := Parse("app.yaml", []byte("runtime: python311"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Config{Runtime: "python311", Service: "default"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOtherScaling(t *testing.T) {
	basic, err := Parse("app.yaml", []byte("runtime: python311\ninstance_class: B2\nbasic_scaling: {max_instances: 3, idle_timeout: 10m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Basic{MaxInstances: 3, IdleTimeout: 10 * time.Minute}, basic.Basic); diff != "" {
		t.Error(diff)
	}
	manual, err := Parse("app.yaml", []byte("runtime: python311\nmanual_scaling:\n  instances: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if manual.Manual == nil || manual.Manual.Instances != 2 {
		t.Errorf("manual = %+v", manual.Manual)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"static files", "handlers: [{url: /static, static_dir: static}]", ""},
		{"Cloud Endpoints", "handlers: [{url: /api, api_endpoint: yes, script: auto}]", "api_endpoint (line 2)"},
		{"version", "version: v1", "version (line 2): ignored, as gcloud does; use --version"},
		{"flexible only", "liveness_check: {path: /}", "liveness_check (line 2): belongs to the flexible environment"},
		{"legacy", "threadsafe: true", "threadsafe (line 2): belongs to first-generation runtimes"},
		{"warm-up", "inbound_services: [warmup]", ""},
		{"mail", "inbound_services:\n- mail\n- warmup", "inbound_services (line 3): mail is not supported yet"},
		{"warm-up without automatic scaling", "inbound_services: [warmup]\nmanual_scaling: {instances: 1}", "inbound_services (line 2): warmup is for automatic scaling"},
		{"scaling", "automatic_scaling: {min_idle_instances: 1, max_idle_instances: automatic, min_pending_latency: 30ms, max_pending_latency: 1s, max_instances: 2147483647}", ""},
		{"CPU target", "automatic_scaling: {target_cpu_utilization: 0.7}", "target_cpu_utilization (line 2): stored and returned"},
		{"service account", "service_account: me@sunya.iam.gserviceaccount.com", ""},
		{"connector", "vpc_access_connector:\n  name: projects/p/locations/europe-west1/connectors/c\n  egress_setting: private-ranges-only", "vpc_access_connector (line 2): stored and returned"},
		{"bundled services off", "app_engine_apis: false", ""},
		{"the standard environment", "env: standard", ""},
		{"a block of comments", "env_variables:\n  # A: b\nhandlers:", "env_variables (line 2): has no value, as if it were not there; handlers (line 4): has no value"},
		{"a value that is not there", "basic_scaling: {max_instances: 1, idle_timeout: }", "idle_timeout (line 2): has no value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("app.yaml", []byte("runtime: python311\n"+tt.line+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(cfg.Warnings, "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("warnings = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	const rt = "runtime: python311\n"
	tests := []struct{ name, text, want string }{
		{"empty file", "", "app.yaml line 1: the file is empty"},
		{"only a comment", "# nothing\n", "the file is empty"},
		{"not a mapping", "- a\n", "app.yaml line 1: app.yaml must hold \"key: value\" lines, not a list"},
		{"malformed", "runtime: [python311\n", "check the indentation"},
		{"tab", "runtime: python311\nenv_variables:\n\tA: b\n", "app.yaml line 3: not valid YAML"},
		{"no runtime", "service: a\n", "\"runtime\" is missing"},
		{"runtime without a value", "runtime:\n", "\"runtime\" is missing or has no value"},
		{"block without indentation", rt + "env_variables:\nA: b\n", `line 3: unknown key "A" in app.yaml; if it belongs to env_variables (line 2), indent it by two spaces`},
		{"runtime of the wrong type", "runtime: [a]\n", "runtime needs a text, not a list"},
		{"odd runtime", "runtime: Python 3\n", `runtime: "Python 3" is not allowed`},
		{"first generation", "runtime: python27\n", `runtime "python27" is of the first generation`},
		{"first generation of another language", "runtime: go\n", "such as go125"},
		{"first generation's id in the flexible environment", "runtime: go\nenv: flex\n", "env: flex is the flexible environment"},
		{"custom runtime", "runtime: custom\n", "flexible environment"},
		{"unknown key, near", rt + "entrypiont: x\n", `app.yaml line 2: unknown key "entrypiont" in app.yaml; did you mean "entrypoint"?`},
		{"unknown key, far", rt + "zzzzzzzzzzzz: x\n", `line 2: unknown key "zzzzzzzzzzzz" in app.yaml`},
		{"unknown key of a block", rt + "automatic_scaling:\n  min_instance: 1\n", `line 3: unknown key "min_instance" in automatic_scaling; did you mean "min_instances"?`},
		{"unknown key of a handler", rt + "handlers:\n- url: /\n  skript: auto\n", `line 4: unknown key "skript" in a handler; did you mean "script"?`},
		{"duplicate key", rt + "runtime: python312\n", `line 2: key "runtime" is already set in line 1`},
		{"duplicate variable", rt + "env_variables:\n  A: 1\n  A: 2\n", `line 4: key "A" is already set in line 3`},
		{"second document", rt + "---\nruntime: x\n", "a second document begins here"},
		{"merge key", "x: &x {A: b}\n" + rt + "env_variables:\n  <<: *x\n", "unknown key \"x\""},
		{"merge key inside", rt + "env_variables: &x {A: b}\nbuild_env_variables:\n  <<: *x\n", "merge keys (<<) are not part of app.yaml"},
		{"service and module", rt + "service: a\nmodule: b\n", "line 3: module is the old name of service (line 2)"},
		{"bad service", rt + "service: Ünï_code\n", `service: "Ünï_code" is not allowed: use 1 to 63`},
		{"unknown class", rt + "instance_class: F9\n", `instance_class: "F9" is not allowed: use F1, F2`},
		{"class of the other kind", rt + "instance_class: B1\n", "instance_class B1 is for basic and manual scaling"},
		{"class of the other kind, basic", rt + "instance_class: F1\nbasic_scaling: {max_instances: 1}\n", "instance_class F1 is for automatic scaling"},
		{"two scaling blocks", rt + "automatic_scaling: {}\nmanual_scaling: {instances: 1}\n", "automatic_scaling and manual_scaling cannot both be set"},
		{"min above max", rt + "automatic_scaling: {min_instances: 5, max_instances: 2}\n", "min_instances (5) is more than max_instances (2)"},
		{"too many instances", rt + "automatic_scaling: {max_instances: 1001}\n", `max_instances: "1001" is not allowed: use a whole number from 0 to 1000`},
		{"concurrency 0", rt + "automatic_scaling: {max_concurrent_requests: 0}\n", "from 1 to 1000"},
		{"not a number", rt + "automatic_scaling: {target_throughput_utilization: .nan}\n", "from 0.5 to 0.95"},
		{"latency too short", rt + "automatic_scaling:\n  min_pending_latency: 5ms\n", `line 3: min_pending_latency: "5ms" is not allowed: use a time from 0.01s to 15s`},
		{"latency too long", rt + "automatic_scaling: {max_pending_latency: 16s}\n", "from 0.01s to 15s"},
		{"latencies out of order", rt + "automatic_scaling: {min_pending_latency: 2s, max_pending_latency: 1500ms}\n", "line 2: min_pending_latency (2s) is more than max_pending_latency (1.5s)"},
		{"idle out of order", rt + "automatic_scaling: {min_idle_instances: 3, max_idle_instances: 2}\n", "min_idle_instances (3) is more than max_idle_instances (2)"},
		{"inbound services as a word", rt + "inbound_services: warmup\n", `line 2: inbound_services must be a list, such as [warmup], not "warmup"`},
		{"unknown inbound service", rt + "inbound_services:\n- warm\n", `line 3: inbound_services: "warm" is not allowed: use mail, mail_bounce, rest, warmup`},
		{"inbound service twice", rt + "inbound_services: [warmup, warmup]\n", `"warmup" is named twice`},
		{"inbound service of nothing", rt + "inbound_services: [~]\n", "needs a text"},
		{"service account", rt + "service_account: me\n", "use the e-mail address of a service account"},
		{"connector as a word", rt + "vpc_access_connector: c\n", "must hold \"key: value\" lines"},
		{"connector without a name", rt + "vpc_access_connector: {}\n", "vpc_access_connector needs a name"},
		{"connector's name", rt + "vpc_access_connector: {name: c}\n", "projects/PROJECT/locations/REGION/connectors/NAME"},
		{"connector for everything", rt + "vpc_access_connector: {name: projects/p/locations/l/connectors/c, egress_setting: all-traffic}\n", "use private-ranges-only"},
		{"connector's egress", rt + "vpc_access_connector: {name: projects/p/locations/l/connectors/c, egress_setting: most}\n", `egress_setting: "most" is not allowed`},
		{"connector's unknown key", rt + "vpc_access_connector: {egress_settings: x}\n", `did you mean "egress_setting"?`},
		{"idle timeout in hours", rt + "basic_scaling: {max_instances: 1, idle_timeout: 1h}\n", "use a time such as 10m or 90s"},
		{"manual instances 0", rt + "manual_scaling: {instances: 0}\n", "from 1 to 1000"},
		{"bad latency", rt + "automatic_scaling: {min_pending_latency: 3h}\n", "use a time such as 0.5s"},
		{"basic without maximum", rt + "basic_scaling: {idle_timeout: 5m}\n", "basic_scaling needs max_instances"},
		{"manual without number", rt + "manual_scaling: {}\n", "manual_scaling needs instances"},
		{"variable name", rt + "env_variables: {1A: x}\n", `"1A" is not a variable name`},
		{"reserved variable", rt + "env_variables: {GAE_ENV: x}\n", "names beginning with GAE are set by the platform"},
		{"variable that is a list", rt + "env_variables: {A: [x]}\n", "A needs a text, not a list"},
		{"variables that are a list", rt + "env_variables: [A=b]\n", "env_variables must hold \"key: value\" lines, not a list"},
		{"flexible environment", rt + "env: flex\n", "remove the line to deploy to the standard environment"},
		{"bundled services", rt + "app_engine_apis: true\n", "the bundled services"},
		{"skip_files", rt + "skip_files: [a]\n", ".gcloudignore"},
		{"login", rt + "handlers: [{url: /admin, script: auto, login: admin}]\n", "login: admin is not supported"},
		{"script of the first generation", rt + "handlers: [{url: /, script: main.app}]\n", "current runtimes know only auto"},
		{"handler without url", rt + "handlers: [{script: auto}]\n", "a handler needs a url"},
		{"alias to itself", rt + "env_variables: &a {B: *a}\n", "nested too deeply"},
		{"NUL", rt + "entrypoint: \"a\\0b\"\n", "holds a NUL byte"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("app.yaml", []byte(tt.text))
			if err == nil {
				t.Fatalf("no error: %+v", cfg)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v\nwant it to contain %q", err, tt.want)
			}
			if !strings.HasPrefix(err.Error(), "app.yaml line ") {
				t.Errorf("err = %v does not begin with file and line", err)
			}
			if c := sunya.CodeOf(err); c != sunya.InvalidArgument && c != sunya.Unimplemented {
				t.Errorf("code = %v", c)
			}
		})
	}
}

// TestAliasBomb: ten lines that would become a billion nodes.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("runtime: python311\nhandlers:\n- &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		b.WriteString(fmt.Sprintf("- &a%d [", i) + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ",") + "]\n")
	}
	_, err := Parse("app.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "aliases repeat too much") {
		t.Errorf("err = %v", err)
	}
}

func TestTooBig(t *testing.T) {
	_, err := Parse("app.yaml", make([]byte, MaxBytes+1))
	if err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("err = %v", err)
	}
}

func TestAliasesAreFollowed(t *testing.T) {
	cfg, err := Parse("app.yaml", []byte("runtime: python311\nenv_variables:\n  A: &v hello\n  B: *v\n"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Env["B"] != "hello" {
		t.Errorf("B = %q", cfg.Env["B"])
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("runtime: python311\nhandlers: [{url: /.*, script: auto}]\n"))
	f.Add([]byte("runtime: &a python311\nenv_variables: {A: *a}\n"))
	f.Add([]byte("runtime: python311\ninbound_services: [warmup, mail]\nvpc_access_connector: {name: projects/p/locations/l/connectors/c}\nservice_account: a@b.c\n"))
	f.Add([]byte("automatic_scaling: {min_pending_latency: 30ms}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("app.yaml", data)
		if err != nil {
			if sunya.CodeOf(err) == sunya.Unknown {
				t.Errorf("error without a code: %v", err)
			}
			return
		}
		if cfg.Runtime == "" || cfg.Service == "" {
			t.Errorf("accepted without runtime or service: %+v", cfg)
		}
	})
}

func TestNear(t *testing.T) {
	known := []string{"deploy", "dev", "env", "logs", "status", "versions"}
	for word, want := range map[string]string{"deplyo": "deploy", "de": "dev deploy", "vers": "versions", "foo": "", "statsu": "status", "regions": ""} {
		if got := strings.Join(Near(word, known, 3), " "); got != want {
			t.Errorf("Near(%q) = %q, want %q", word, got, want)
		}
	}
}
