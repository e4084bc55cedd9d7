package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/functions/apiv1/functionspb"
	v2pb "cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// parseFunctionFlags reads a command line as functions deploy does.
func parseFunctionFlags(t *testing.T, line string) *functionOptions {
	t.Helper()
	o := &functionOptions{gen2: true}
	fs := pflag.NewFlagSet("deploy", pflag.ContinueOnError)
	o.register(fs)
	o.changed = fs.Changed
	if err := fs.Parse(strings.Fields(line)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return o
}

func TestFunctionFlags(t *testing.T) {
	for line, want := range map[string]string{
		"":                                                 "",
		"--trigger-http --gen2":                            "",
		"--ingress-settings internal-and-gclb":             "",
		"--egress-settings private-ranges-only":            "",
		"--trigger-topic t --trigger-bucket b":             "one trigger is enough",
		"--trigger-event-filters bucket=x":                 "type=TYPE is missing",
		"--trigger-http --retry":                           "--retry: requests are not retried",
		"--no-retry":                                       "",
		"--set-secrets A=b:1":                              "there is no Secret Manager here yet",
		"--egress-settings all":                            "--egress-settings: all is not supported yet",
		"--ingress-settings some":                          `"some" is not known`,
		"--security-level none":                            `"none" is not known`,
		"--signature-type pubsub":                          `"pubsub" is not known: use http, event, cloudevent, typed`,
		"--no-trigger-http":                                "say which events the function runs for",
		"--set-env-vars A=b --clear-env-vars":              "--set-env-vars",
		"--set-build-env-vars A=b --build-env-vars-file x": "--set-build-env-vars",
	} {
		err := parseFunctionFlags(t, line).check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	o := parseFunctionFlags(t, "--vpc-connector c --docker-registry artifact-registry --clear-kms-key --build-worker-pool p --runtime-update-policy automatic")
	if err := o.check(); err != nil || len(o.idle) != 5 || o.idle[0] != "--vpc-connector has no effect: private addresses are reached without it" {
		t.Errorf("%v: %q", err, o.idle)
	}
}

// Every flag of gcloud's is known (gcloud functions deploy of SDK 578).
func TestFunctionFlagsAreAll(t *testing.T) {
	fs := pflag.NewFlagSet("deploy", pflag.ContinueOnError)
	new(functionOptions).register(fs)
	for name := range strings.FieldsSeq(`gen2 no-gen2 v2 runtime source entry-point stage-bucket ignore-file memory cpu timeout concurrency
		min-instances max-instances clear-min-instances clear-max-instances set-env-vars update-env-vars remove-env-vars clear-env-vars env-vars-file
		set-build-env-vars update-build-env-vars remove-build-env-vars clear-build-env-vars build-env-vars-file set-secrets update-secrets remove-secrets clear-secrets
		update-labels remove-labels clear-labels allow-unauthenticated ingress-settings egress-settings vpc-connector clear-vpc-connector network subnet network-tags
		direct-vpc-egress service-account run-service-account build-service-account clear-build-service-account build-worker-pool clear-build-worker-pool docker-registry
		docker-repository clear-docker-repository kms-key clear-kms-key security-level retry serve-all-traffic-latest-revision runtime-update-policy binary-authorization
		clear-binary-authorization trigger-http trigger-topic trigger-bucket trigger-event trigger-resource trigger-event-filters trigger-event-filters-path-pattern
		trigger-location trigger-channel trigger-service-account`) {
		if fs.Lookup(name) == nil {
			t.Errorf("--%s is not known", name)
		}
	}
}

func TestGenerationOfAFunction(t *testing.T) {
	first, second := &v2pb.Function{Environment: v2pb.Environment_GEN_1}, &v2pb.Function{Environment: v2pb.Environment_GEN_2}
	for _, tt := range []struct {
		line string
		old  *v2pb.Function
		want string // first, second, or the error
	}{
		{"", nil, "second"},
		{"--no-gen2", nil, "first"},
		{"--no-v2", nil, "first"},
		{"", first, "first"},
		{"--no-gen2 --memory 512MB", first, "first"},
		{"", second, "second"},
		{"--gen2", first, "is of the first generation: use --no-gen2 or neither flag"},
		{"--no-gen2", second, "is of the second generation: use --gen2 or neither flag"},
		{"--concurrency 5", first, "--concurrency: functions of the first generation"},
		{"--no-gen2 --cpu 1", nil, "--cpu: functions of the first generation"},
	} {
		is, err := parseFunctionFlags(t, tt.line).firstGeneration("f", tt.old)
		got := map[bool]string{true: "first", false: "second"}[is]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.line, got, tt.want)
		}
	}
}

func TestFunctionOfFlags(t *testing.T) {
	const line = "--memory 512MB --timeout 90s --min-instances 1 --clear-max-instances --ingress-settings internal-only --update-env-vars A=b --update-labels l=m --signature-type event --service-account x@y.z"
	old := &v2pb.Function{
		Labels: map[string]string{"old": "1"}, ServiceConfig: &v2pb.ServiceConfig{EnvironmentVariables: map[string]string{"B": "c"}},
		BuildConfig: &v2pb.BuildConfig{EnvironmentVariables: map[string]string{"V": "w"}},
	}
	o := parseFunctionFlags(t, line)
	f, paths, err := o.function("p", old, sourceRef{bucket: "b", object: "o"}, "")
	if err != nil {
		t.Fatal(err)
	}
	env, build := map[string]string{"A": "b", "B": "c"}, map[string]string{"V": "w", "GOOGLE_FUNCTION_SIGNATURE_TYPE": "event"}
	if c := f.GetServiceConfig(); c.GetAvailableMemory() != "512MB" || c.GetTimeoutSeconds() != 90 || c.GetIngressSettings() != v2pb.ServiceConfig_ALLOW_INTERNAL_ONLY || !maps.Equal(c.GetEnvironmentVariables(), env) ||
		!maps.Equal(f.GetBuildConfig().GetEnvironmentVariables(), build) || len(f.GetLabels()) != 2 {
		t.Errorf("%v", f)
	}
	want := []string{"build_config.environment_variables", "build_config.source", "labels", "service_config.available_memory", "service_config.environment_variables",
		"service_config.ingress_settings", "service_config.max_instance_count", "service_config.min_instance_count", "service_config.service_account_email", "service_config.timeout_seconds"}
	slices.Sort(paths)
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}

	first, paths, err := o.firstFunction("p", old, sourceRef{link: "http://x"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if first.GetAvailableMemoryMb() != 512 || first.GetTimeout().GetSeconds() != 90 || first.GetIngressSettings() != functionspb.CloudFunction_ALLOW_INTERNAL_ONLY || first.GetSourceUploadUrl() != "http://x" ||
		!maps.Equal(first.GetEnvironmentVariables(), env) || !maps.Equal(first.GetBuildEnvironmentVariables(), build) {
		t.Errorf("%v", first)
	}
	want = []string{"available_memory_mb", "build_environment_variables", "environment_variables", "ingress_settings", "labels", "max_instances", "min_instances", "service_account_email", "source_upload_url", "timeout"}
	slices.Sort(paths)
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if _, _, err := parseFunctionFlags(t, "--memory 12Q").firstFunction("p", nil, sourceRef{}, ""); err == nil || !strings.Contains(err.Error(), `--memory: "12Q" is not an amount of memory`) {
		t.Errorf("err = %v", err)
	}
}
