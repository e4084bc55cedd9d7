//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	functions "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const helloFunction = `import functions_framework

@functions_framework.http
def hello_http(request):
    name = (request.get_json(silent=True) or {}).get("name") or request.args.get("name") or "World"
    return f"Hello {name}! {request.path}"

@functions_framework.cloud_event
def hello_event(event):
    print("event", event["id"], event.data, flush=True)
`

// TestFunctions deploys, calls, changes, breaks and deletes a function by the
// command line.
func TestFunctions(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Files(t, map[string]string{"main.py": helloFunction})
	host := "hello.localhost:" + s.Port
	r := s.OK("functions", "deploy", "hello", "--runtime", "python311", "--entry-point", "hello_http", "--source", dir, "--region", "us-central1", "--allow-unauthenticated", "--quiet")
	if r.LastLine() != "http://"+host {
		t.Errorf("last line of stdout = %q", r.LastLine())
	}
	if got := s.Get(host, "/x?name=You"); got != "Hello You! /x" {
		t.Errorf("%q", got)
	}
	if got := s.Get("functions.localhost:"+s.Port, "/sunya/us-central1/hello/y"); got != "Hello World! /y" {
		t.Errorf("by path: %q", got)
	}
	call := func(args ...string) platform.Result {
		return s.CLI(append([]string{"functions", "call", "hello", "--region", "us-central1"}, args...)...)
	}
	if r := call("--data", `{"name":"x"}`); r.LastLine() != "Hello x! /" {
		t.Errorf("call: %+v", r)
	}
	s.OK("functions", "deploy", "hello", "--source", dir, "--region", "us-central1", "--no-allow-unauthenticated", "--update-env-vars", "A=b", "--quiet")
	if code, _, _ := s.Try(host, "/"); code != http.StatusForbidden {
		t.Errorf("a private function answers strangers with %d", code)
	}
	if r := call(); r.LastLine() != "Hello World! /" {
		t.Errorf("the owner is not let in: %+v", r)
	}
	token := strings.TrimSpace(s.OK("auth", "print-identity-token", "--audiences", "http://"+host, "--impersonate-service-account", "stranger@sunya.iam.gserviceaccount.com").Stdout)
	if resp, _ := exchange(t, s, "GET", host, "/", "Authorization", "Bearer "+token); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger with a token: %d, want 403", resp.StatusCode)
	}
	bad := s.CLI("functions", "deploy", "hello", "--source", dir, "--region", "us-central1", "--entry-point", "nope")
	if bad.Code != 6 || !strings.Contains(bad.Stderr, "function nope is not in main.py; found: hello_http, hello_event") {
		t.Errorf("exit %d: %s", bad.Code, bad.Stderr)
	}
	if r := call(); r.LastLine() != "Hello World! /" {
		t.Errorf("after a failed deploy the old one does not serve: %+v", r)
	}
	s.Kill()
	s.Up()
	if r := call(); r.LastLine() != "Hello World! /" {
		t.Errorf("after kill -9: %+v", r)
	}
	s.OK("functions", "delete", "hello", "--region", "us-central1", "--yes")
	if code, _, _ := s.Try(host, "/"); code != http.StatusNotFound {
		t.Errorf("a deleted function answers %d", code)
	}
	s.NoOrphans()
}

// TestFunctionsClients does the same through Google's own client, over gRPC and
// REST, with events.
func TestFunctionsClients(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	ctx := t.Context()
	conn, err := grpc.NewClient("127.0.0.1:"+s.Port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	overGRPC, err := functions.NewFunctionClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	overREST, err := functions.NewFunctionRESTClient(ctx, option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	const parent = "projects/sunya/locations/us-central1"
	for name, c := range map[string]*functions.FunctionClient{"on-grpc": overGRPC, "on-rest": overREST} {
		src := uploadSource(t, c, parent, map[string]string{"main.py": helloFunction})
		op, err := c.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: parent, FunctionId: name, Function: &functionspb.Function{
			BuildConfig: &functionspb.BuildConfig{Runtime: "python311", EntryPoint: "hello_event", Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: src}},
				EnvironmentVariables: map[string]string{"GOOGLE_FUNCTION_SOURCE": "main.py"}},
			ServiceConfig: &functionspb.ServiceConfig{AvailableMemory: "256Mi", MaxInstanceCount: 3},
		}})
		if err != nil {
			t.Fatal(err)
		}
		f, err := op.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f.GetState() != functionspb.Function_ACTIVE || f.GetServiceConfig().GetMaxInstanceCount() != 3 || !strings.HasPrefix(f.GetServiceConfig().GetRevision(), name+"-00001-") {
			t.Errorf("%v", f)
		}
		update, err := c.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{
			Function:   &functionspb.Function{Name: f.GetName(), ServiceConfig: &functionspb.ServiceConfig{TimeoutSeconds: 7}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"service_config.timeout_seconds"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if f, err = update.Wait(ctx); err != nil || f.GetServiceConfig().GetTimeoutSeconds() != 7 || f.GetServiceConfig().GetMaxInstanceCount() != 3 {
			t.Errorf("updated: %v, %v", f, err)
		}
		download, err := c.GenerateDownloadUrl(ctx, &functionspb.GenerateDownloadUrlRequest{Name: f.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.Get(download.GetDownloadUrl()); err != nil || resp.StatusCode != 200 {
			t.Errorf("download: %v, %v", resp, err)
		}
	}
	var names []string
	for it := overGRPC.ListFunctions(ctx, &functionspb.ListFunctionsRequest{Parent: "projects/sunya/locations/-", PageSize: 1}); ; {
		f, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.GetName())
	}
	if len(names) != 2 {
		t.Errorf("list = %v", names)
	}
	policy, err := overREST.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: parent + "/functions/on-rest", Policy: &iampb.Policy{
		Bindings: []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}},
	}})
	if err != nil || len(policy.GetBindings()) != 1 {
		t.Errorf("policy = %v, %v", policy, err)
	}
	event := `{"specversion":"1.0","id":"e-1","source":"//pubsub.googleapis.com/projects/sunya/topics/t","type":"google.cloud.pubsub.topic.v1.messagePublished","data":{"message":{"data":"aGk="}}}`
	s.OK("functions", "call", "on-rest", "--region", "us-central1", "--cloud-event", event)
	s.Eventually(10*time.Second, "the event is in the function's log", func() error {
		logs := s.OK("functions", "logs", "read", "on-rest").Stdout
		if !strings.Contains(logs, "event e-1 {'message': {'data': 'aGk='}}") {
			return fmt.Errorf("%s", logs)
		}
		return nil
	})
	refused(t, overREST, parent)
}

// refused sends what cannot be, and wants to be told what is wrong with it.
func refused(t *testing.T, c *functions.FunctionClient, parent string) {
	src := uploadSource(t, c, parent, map[string]string{"main.py": helloFunction})
	for text, change := range map[string]func(*functionspb.Function){
		"available_memory: \"12Q\" is not an amount": func(f *functionspb.Function) { f.ServiceConfig.AvailableMemory = "12Q" },
		"there is no source of events of the type x": func(f *functionspb.Function) { f.EventTrigger = &functionspb.EventTrigger{EventType: "x"} },
		"unknown runtime \"cobol85\"":                func(f *functionspb.Function) { f.BuildConfig.Runtime = "cobol85" },
		"object x does not exist":                    func(f *functionspb.Function) { f.BuildConfig.Source.GetStorageSource().Object = "x" },
	} {
		f := &functionspb.Function{
			BuildConfig: &functionspb.BuildConfig{Runtime: "python311", Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{
				StorageSource: &functionspb.StorageSource{Bucket: src.GetBucket(), Object: src.GetObject()}}}},
			ServiceConfig: &functionspb.ServiceConfig{},
		}
		change(f)
		if _, err := c.CreateFunction(t.Context(), &functionspb.CreateFunctionRequest{Parent: parent, FunctionId: "bad", Function: f}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("err = %v, want %q", err, text)
		}
	}
}

// uploadSource sends files to a link, without any credential.
func uploadSource(t *testing.T, c *functions.FunctionClient, parent string, files map[string]string) *functionspb.StorageSource {
	t.Helper()
	link, err := c.GenerateUploadUrl(t.Context(), &functionspb.GenerateUploadUrlRequest{Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	putArchive(t, link.GetUploadUrl(), files)
	return link.GetStorageSource()
}

// putArchive uploads files, without any credential.
func putArchive(t *testing.T, link string, files map[string]string, header ...string) {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, link, &buf)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/zip")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("upload: %s", resp.Status)
	}
}
