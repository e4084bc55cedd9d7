//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	functions "cloud.google.com/go/functions/apiv1"
	"cloud.google.com/go/functions/apiv1/functionspb"
	functionsv2 "cloud.google.com/go/functions/apiv2"
	v2pb "cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const firstFunction = `import json, os

def hello(request):
    if request.path == "/env":
        return json.dumps(dict(os.environ))
    if request.get_json(silent=True) == {"fail": True}:
        return "no", 500
    return "Hello " + str(request.get_json(silent=True))

def on_event(data, context):
    print("event", context.event_id, context.event_type, data, flush=True)
`

// TestFirstGeneration does with functions of the first generation what Google's
// own client of their API can, over gRPC and REST.
func TestFirstGeneration(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	ctx := t.Context()
	conn, err := grpc.NewClient("127.0.0.1:"+s.Port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	overGRPC, err := functions.NewCloudFunctionsClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	overREST, err := functions.NewCloudFunctionsRESTClient(ctx, option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	second, err := functionsv2.NewFunctionRESTClient(ctx, option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	const parent = "projects/sunya/locations/us-central1"
	for id, c := range map[string]*functions.CloudFunctionsClient{"on-grpc": overGRPC, "on-rest": overREST} {
		f := &functionspb.CloudFunction{
			Name: parent + "/functions/" + id, Runtime: "python311", EntryPoint: "hello", AvailableMemoryMb: 512, Labels: map[string]string{"a": "b"},
			SourceCode: &functionspb.CloudFunction_SourceUploadUrl{SourceUploadUrl: uploadFirst(t, c, parent)},
			Trigger:    &functionspb.CloudFunction_HttpsTrigger{HttpsTrigger: &functionspb.HttpsTrigger{SecurityLevel: functionspb.HttpsTrigger_SECURE_ALWAYS}},
		}
		op, err := c.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Location: parent, Function: f})
		if err != nil {
			t.Fatal(err)
		}
		made, err := op.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if made.GetStatus() != functionspb.CloudFunctionStatus_ACTIVE || made.GetVersionId() != 1 || made.GetHttpsTrigger().GetSecurityLevel() != functionspb.HttpsTrigger_SECURE_ALWAYS ||
			made.GetHttpsTrigger().GetUrl() != "http://functions.localhost:"+s.Port+"/sunya/us-central1/"+id || made.GetTimeout().AsDuration() != time.Minute {
			t.Errorf("created: %v", made)
		}
		answer, err := c.CallFunction(ctx, &functionspb.CallFunctionRequest{Name: f.GetName(), Data: `{"x":1}`})
		if err != nil || answer.GetResult() != "Hello {'x': 1}" || len(answer.GetExecutionId()) != 12 || answer.GetError() != "" {
			t.Errorf("call: %v, %v", answer, err)
		}
		if answer, err := c.CallFunction(ctx, &functionspb.CallFunctionRequest{Name: f.GetName(), Data: `{"fail":true}`}); err != nil || answer.GetError() != "no" {
			t.Errorf("a call that fails: %v, %v", answer, err)
		}
		update, err := c.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{
			Function:   &functionspb.CloudFunction{Name: f.GetName(), EntryPoint: "on_event", Timeout: durationpb.New(9 * time.Second)},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"entry_point", "timeout"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if made, err = update.Wait(ctx); err != nil || made.GetTimeout().AsDuration() != 9*time.Second || made.GetAvailableMemoryMb() != 512 || made.GetVersionId() != 2 {
			t.Errorf("updated: %v, %v", made, err)
		}
		if answer, err := c.CallFunction(ctx, &functionspb.CallFunctionRequest{Name: f.GetName(), Data: `{"a":1}`}); err != nil || answer.GetError() != "" {
			t.Errorf("call of a background function: %v, %v", answer, err)
		}
	}
	s.Eventually(10*time.Second, "the event is in the function's log", func() error {
		log := s.OK("functions", "logs", "read", "on-rest").Stdout
		if !strings.Contains(log, "google.cloud.functions.call {'a': 1}") {
			return fmt.Errorf("%s", log)
		}
		return nil
	})
	listsGenerations(t, overREST, second, parent)
	refusesFirst(t, overREST, second, parent)

	if _, err := overREST.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: parent + "/functions/on-rest", Policy: &iampb.Policy{
		Bindings: []*iampb.Binding{{Role: "roles/cloudfunctions.invoker", Members: []string{"allUsers"}}},
	}}); err != nil {
		t.Error(err)
	}
	download, err := overREST.GenerateDownloadUrl(ctx, &functionspb.GenerateDownloadUrlRequest{Name: parent + "/functions/on-rest"})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(download.GetDownloadUrl()); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("download: %v, %v", resp, err)
	}
	gone, err := overREST.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: parent + "/functions/on-rest"})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Wait(ctx); err != nil {
		t.Error(err)
	}
}

// listsGenerations: v1 lists its own, v2 all, with a page for each.
func listsGenerations(t *testing.T, first *functions.CloudFunctionsClient, second *functionsv2.FunctionClient, parent string) {
	t.Helper()
	var names []string
	for it := first.ListFunctions(t.Context(), &functionspb.ListFunctionsRequest{Parent: "projects/sunya/locations/-", PageSize: 1}); ; {
		f, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.GetName())
	}
	if len(names) != 2 {
		t.Errorf("v1 lists %v", names)
	}
	for filter, want := range map[string]int{"": 2, `environment="GEN_1"`: 2, `environment="GEN_2"`: 0, `name:grpc AND state=ACTIVE`: 1} {
		n := 0
		for it := second.ListFunctions(t.Context(), &v2pb.ListFunctionsRequest{Parent: parent, Filter: filter, PageSize: 1}); ; n++ {
			f, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.GetEnvironment() != v2pb.Environment_GEN_1 || f.GetBuildConfig().GetRuntime() != "python311" || f.GetServiceConfig().GetAvailableMemory() != "512M" {
				t.Errorf("v2 shows %v", f)
			}
		}
		if n != want {
			t.Errorf("v2 lists %d by %s, want %d", n, filter, want)
		}
	}
}

// refusesFirst sends what cannot be, and wants to be told what is wrong with it.
func refusesFirst(t *testing.T, c *functions.CloudFunctionsClient, second *functionsv2.FunctionClient, parent string) {
	link := uploadFirst(t, c, parent)
	for text, change := range map[string]func(*functionspb.CloudFunction){
		"function.available_memory_mb: 300 MiB is not a size": func(f *functionspb.CloudFunction) { f.AvailableMemoryMb = 300 },
		"function.timeout: 10m0s is not allowed":              func(f *functionspb.CloudFunction) { f.Timeout = durationpb.New(10 * time.Minute) },
		"there is no source of events of the type x": func(f *functionspb.CloudFunction) {
			f.Trigger = &functionspb.CloudFunction_EventTrigger{EventTrigger: &functionspb.EventTrigger{EventType: "x"}}
		},
		"not a URL that generateUploadUrl has returned": func(f *functionspb.CloudFunction) {
			f.SourceCode = &functionspb.CloudFunction_SourceUploadUrl{SourceUploadUrl: "http://x/y"}
		},
		"source_upload_url: the source is missing": func(f *functionspb.CloudFunction) { f.SourceCode = nil },
		"object o does not exist in bucket b": func(f *functionspb.CloudFunction) {
			f.SourceCode = &functionspb.CloudFunction_SourceArchiveUrl{SourceArchiveUrl: "gs://b/o"}
		},
		`"projects/sunya/locations/elsewhere/functions/bad" is not in`: func(f *functionspb.CloudFunction) { f.Name = "projects/sunya/locations/elsewhere/functions/bad" },
	} {
		f := &functionspb.CloudFunction{Name: parent + "/functions/bad", Runtime: "python311", SourceCode: &functionspb.CloudFunction_SourceUploadUrl{SourceUploadUrl: link}}
		change(f)
		if _, err := c.CreateFunction(t.Context(), &functionspb.CreateFunctionRequest{Location: parent, Function: f}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("err = %v, want %q", err, text)
		}
	}
	_, err := second.UpdateFunction(t.Context(), &v2pb.UpdateFunctionRequest{Function: &v2pb.Function{Name: parent + "/functions/on-rest"}})
	if status.Code(err) != codes.FailedPrecondition && !strings.Contains(fmt.Sprint(err), "of the first generation") {
		t.Errorf("an update by v2: %v", err)
	}
}

// uploadFirst sends a source to a link, with the header that the first
// generation's clients send, and returns it.
func uploadFirst(t *testing.T, c *functions.CloudFunctionsClient, parent string) string {
	t.Helper()
	link, err := c.GenerateUploadUrl(t.Context(), &functionspb.GenerateUploadUrlRequest{Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	putArchive(t, link.GetUploadUrl(), map[string]string{"main.py": firstFunction}, "x-goog-content-length-range", "0,104857600")
	return link.GetUploadUrl()
}

// getAPI asks an API.
func getAPI(t *testing.T, s *platform.Server, path string) string {
	t.Helper()
	code, body, err := s.Try("127.0.0.1:"+s.Port, path)
	if err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, code, body, err)
	}
	return body
}

// TestFirstGenerationByCommandLine: --no-gen2, and what such a function sees.
func TestFirstGenerationByCommandLine(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Files(t, map[string]string{"main.py": firstFunction})
	url := "http://functions.localhost:" + s.Port + "/sunya/us-central1/old"
	at := []string{"old", "--region", "us-central1"}
	deploy := append([]string{"functions", "deploy", "--source", dir, "--quiet"}, at...)
	r := s.OK(append(deploy, "--no-gen2", "--runtime", "python311", "--entry-point", "hello", "--allow-unauthenticated")...)
	if r.LastLine() != url {
		t.Errorf("last line of stdout = %q, want %q", r.LastLine(), url)
	}
	env := map[string]string{}
	if err := json.Unmarshal([]byte(s.Get("functions.localhost:"+s.Port, "/sunya/us-central1/old/env")), &env); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"GCP_PROJECT": "sunya", "FUNCTION_NAME": "old", "FUNCTION_MEMORY_MB": "256", "FUNCTION_TIMEOUT_SEC": "60", "FUNCTION_REGION": "us-central1", "K_SERVICE": "old"} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if got := s.OK(append([]string{"functions", "call", "--data", `{"name":"x"}`}, at...)...).LastLine(); !strings.Contains(got, "Hello {'name': 'x'}") {
		t.Errorf("call: %q", got)
	}
	// From the archive that is there already, for instances of the project only.
	var f struct {
		BuildConfig struct {
			Source struct {
				StorageSource struct{ Bucket, Object string }
			}
		}
	}
	if err := json.Unmarshal([]byte(getAPI(t, s, "/v2/projects/sunya/locations/us-central1/functions/old")), &f); err != nil {
		t.Fatal(err)
	}
	src := f.BuildConfig.Source.StorageSource
	r = s.OK("functions", "deploy", "inside", "--source", "gs://"+src.Bucket+"/"+src.Object, "--runtime", "python311", "--entry-point", "hello", "--allow-unauthenticated",
		"--ingress-settings", "internal-only", "--vpc-connector", "c", "--docker-registry", "artifact-registry", "--quiet")
	if !strings.Contains(r.Stderr, "--vpc-connector has no effect") {
		t.Errorf("no warning:\n%s", r.Stderr)
	}
	if code, body, _ := s.Try("inside.localhost:"+s.Port, "/"); code != http.StatusNotFound {
		t.Errorf("a function for inside answers a stranger: %d %s", code, body)
	}
	if got := getAPI(t, s, "/cloudfunctions.googleapis.com/v1/operations"); !strings.Contains(got, "google.cloud.functions.v1.OperationMetadataV1") {
		t.Errorf("operations:\n%s", got)
	}
	if bad := s.CLI(append(deploy, "--trigger-topic", "t")...); bad.Code == 0 || !strings.Contains(bad.Stderr, `"t" cannot be an id`) {
		t.Errorf("exit %d: %s", bad.Code, bad.Stderr)
	}
	if bad := s.CLI(append(deploy, "--concurrency", "5")...); bad.Code != 2 || !strings.Contains(bad.Stderr, "--concurrency") {
		t.Errorf("exit %d: %s", bad.Code, bad.Stderr)
	}
	if bad := s.CLI(append(deploy, "--gen2")...); bad.Code == 0 || !strings.Contains(bad.Stderr, "first generation") {
		t.Errorf("exit %d: %s", bad.Code, bad.Stderr)
	}
	s.OK(append(deploy, "--memory", "512MB", "--update-env-vars", "A=b")...) // it stays what it is
	if got := s.OK("functions", "list").Stdout; !strings.Contains(got, "1st gen") {
		t.Errorf("list:\n%s", got)
	}
	if got := s.OK(append([]string{"functions", "describe"}, at...)...).Stdout; !strings.Contains(got, "availableMemoryMb: 512") || !strings.Contains(got, "A: b") {
		t.Errorf("describe:\n%s", got)
	}
	s.OK(append([]string{"functions", "delete", "--yes"}, at...)...)
}
