//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// calls is how many mangled calls a test of an API makes.
func calls() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 20000
	}
	return 3000
}

// seeded returns a random source whose seed is in the log; SUNYA_SEED repeats a
// run.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SUNYA_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("SUNYA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// apiCall is a call that is right, or nearly: what mangling starts from.
type apiCall struct{ method, path, body string }

var rightCalls = []apiCall{
	{"GET", "/v1/apps/sunya", ""},
	{"POST", "/v1/apps", `{"id":"other","locationId":"us-central"}`},
	{"PATCH", "/v1/apps/sunya?updateMask=authDomain", `{"authDomain":"x"}`},
	{"POST", "/v1/apps/sunya:repair", `{}`},
	{"GET", "/v1/apps/sunya/services?pageSize=5&pageToken=", ""},
	{"GET", "/v1/apps/sunya/services/default", ""},
	{"PATCH", "/v1/apps/sunya/services/default?updateMask=split", `{"split":{"shardBy":"IP","allocations":{"v1":1}}}`},
	{"DELETE", "/v1/apps/sunya/services/none", ""},
	{"GET", "/v1/apps/sunya/services/default/versions?view=FULL&pageSize=1", ""},
	{"GET", "/v1/apps/sunya/services/default/versions/v1?view=FULL", ""},
	{"PATCH", "/v1/apps/sunya/services/default/versions/v1?updateMask=servingStatus", `{"servingStatus":"SERVING"}`},
	{"DELETE", "/v1/apps/sunya/services/default/versions/none", ""},
	{"GET", "/v1/apps/sunya/services/default/versions/v1/instances", ""},
	{"POST", "/v1/apps/sunya/services/default/versions/v1/instances/x:debug", `{"sshKey":"k"}`},
	{"POST", "/v1/apps/sunya/services/default/versions", `{"id":"m1","runtime":"python311","entrypoint":{"shell":"python3 main.py"},"instanceClass":"F1","envVariables":{"A":"b"},"automaticScaling":{"maxConcurrentRequests":10,"minIdleInstances":1,"standardSchedulerSettings":{"maxInstances":2,"minInstances":0,"targetCpuUtilization":0.5}},"handlers":[{"urlRegex":"/.*","script":{"scriptPath":"auto"}}],"deployment":{"files":{"main.py":{"sourceUrl":"https://storage.googleapis.com/staging.sunya.appspot.com/aaaa","sha1Sum":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}}`},
	{"GET", "/v1/apps/sunya/operations?pageSize=3&filter=", ""},
	{"GET", "/v1/apps/sunya/operations/none", ""},
	{"GET", "/v1/apps/sunya/locations", ""},
	{"GET", "/v1/apps/sunya/firewall/ingressRules", ""},
	{"GET", "/v1/apps/sunya/domainMappings", ""},
	{"GET", "/v1/apps/sunya/authorizedCertificates", ""},
	{"POST", "/v2/entries:list", `{"resourceNames":["projects/sunya"],"filter":"severity>=INFO AND timestamp>\"2020-01-01T00:00:00Z\"","orderBy":"timestamp desc","pageSize":10,"pageToken":""}`},
	{"POST", "/v2/entries:write", `{"logName":"projects/sunya/logs/test","resource":{"type":"global","labels":{"project_id":"sunya"}},"labels":{"a":"b"},"entries":[{"textPayload":"x","severity":"ERROR","timestamp":"2026-01-01T00:00:00Z"},{"jsonPayload":{"a":{"b":[1,2,{}]}}}]}`},
	{"GET", "/v2/projects/sunya/logs", ""},
	{"DELETE", "/v2/projects/sunya/logs/none", ""},
	{"GET", "/v2/monitoredResourceDescriptors?pageSize=2", ""},
	{"GET", "/storage/v1/b?project=sunya&maxResults=2&pageToken=", ""},
	{"POST", "/storage/v1/b?project=sunya", `{"name":"mangled-bucket","location":"US","storageClass":"STANDARD","labels":{"a":"b"},"versioning":{"enabled":true}}`},
	{"GET", "/storage/v1/b/staging.sunya.appspot.com?projection=full", ""},
	{"PATCH", "/storage/v1/b/staging.sunya.appspot.com?ifMetagenerationMatch=1", `{"labels":{"x":"y"},"lifecycle":{"rule":[{"action":{"type":"Delete"},"condition":{"age":15}}]}}`},
	{"GET", "/storage/v1/b/staging.sunya.appspot.com/o?prefix=a&delimiter=/&maxResults=3&pageToken=&fields=items(name),nextPageToken", ""},
	{"GET", "/storage/v1/b/staging.sunya.appspot.com/o/seed?alt=media", ""},
	{"GET", "/storage/v1/b/staging.sunya.appspot.com/o/seed?generation=1&ifGenerationMatch=1", ""},
	{"PATCH", "/storage/v1/b/staging.sunya.appspot.com/o/seed", `{"metadata":{"k":"v"},"contentType":"text/plain"}`},
	{"DELETE", "/storage/v1/b/staging.sunya.appspot.com/o/none?generation=5", ""},
	{"POST", "/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=media&name=m", "bytes"},
	{"POST", "/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=multipart", "--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"mp\"}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--"},
	{"POST", "/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=resumable&name=r", `{"contentType":"text/plain"}`},
	{"PUT", "/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=resumable&upload_id=x", "data"},
	{"POST", "/storage/v1/b/staging.sunya.appspot.com/o/seed/copyTo/b/staging.sunya.appspot.com/o/copy", `{}`},
	{"POST", "/storage/v1/b/staging.sunya.appspot.com/o/seed/rewriteTo/b/staging.sunya.appspot.com/o/copy?rewriteToken=x", `{}`},
	{"POST", "/storage/v1/b/staging.sunya.appspot.com/o/seed/compose", `{"sourceObjects":[{"name":"seed"}]}`},
	{"GET", "/download/storage/v1/b/staging.sunya.appspot.com/o/seed?alt=media", ""},
	{"POST", "/batch/storage/v1", "--b\r\n\r\nGET /x\r\n--b--"},
	{"GET", "/staging.sunya.appspot.com/seed", ""},
	{"POST", "/v2/projects/sunya/locations/local/services?serviceId=m1&validateOnly=true", `{"template":{"scaling":{"maxInstanceCount":3},"timeout":"30s","containers":[{"image":"gcr.io/sunya/none","ports":[{"name":"h2c","containerPort":9000}],"env":[{"name":"A","value":"b"}],"resources":{"limits":{"cpu":"1","memory":"512Mi"}},"startupProbe":{"httpGet":{"path":"/"},"periodSeconds":2},"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","emptyDir":{"medium":"MEMORY"}}]},"traffic":[{"type":"TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST","percent":100,"tag":"t"}]}`},
	{"PATCH", "/v2/projects/sunya/locations/local/services/m1?updateMask=template.containers&allowMissing=true", `{"etag":"x","template":{"containers":[{"image":"gcr.io/sunya/none"}]}}`},
	{"GET", "/v2/projects/sunya/locations/local/services?pageSize=2&pageToken=&showDeleted=true", ""},
	{"GET", "/v2/projects/sunya/locations/local/services/m1/revisions", ""},
	{"POST", "/v2/projects/sunya/locations/local/services/m1:setIamPolicy", `{"policy":{"bindings":[{"role":"roles/run.invoker","members":["allUsers"]}],"etag":"eA=="},"updateMask":"bindings"}`},
	{"DELETE", "/v2/projects/sunya/locations/local/services/m1?etag=x&validateOnly=true", ""},
	{"POST", "/v2/projects/sunya/locations/local/jobs?jobId=j1", `{"template":{"taskCount":2,"parallelism":1,"template":{"maxRetries":1,"timeout":"60s","containers":[{"image":"gcr.io/sunya/none","args":["a"]}]}}}`},
	{"POST", "/v2/projects/sunya/locations/local/jobs/j1:run", `{"overrides":{"taskCount":1,"timeout":"5s","containerOverrides":[{"args":["b"],"env":[{"name":"A","value":"b"}]}]}}`},
	{"GET", "/v2/projects/sunya/locations/local/jobs/j1/executions?pageSize=1", ""},
	{"POST", "/v2/projects/sunya/locations/local/builds:submit", `{"storageSource":{"bucket":"b","object":"o","generation":"1"},"imageUri":"gcr.io/sunya/x","dockerBuild":{}}`},
	{"POST", "/apis/serving.knative.dev/v1/namespaces/sunya/services?dryRun=all", `{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"k1","namespace":"sunya","annotations":{"run.googleapis.com/ingress":"all"},"resourceVersion":"1"},"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/maxScale":"2"}},"spec":{"containerConcurrency":5,"timeoutSeconds":30,"containers":[{"image":"gcr.io/sunya/none","ports":[{"containerPort":8080}],"env":[{"name":"A","value":"b"}]}]}},"traffic":[{"latestRevision":true,"percent":100}]}}`},
	{"PUT", "/apis/serving.knative.dev/v1/namespaces/sunya/services/k1", `{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"k1"},"spec":{"template":{"spec":{"containers":[{"image":"gcr.io/sunya/none"}]}}}}`},
	{"GET", "/apis/serving.knative.dev/v1/namespaces/sunya/revisions?labelSelector=a%3Db&limit=2&continue=", ""},
	{"POST", "/apis/run.googleapis.com/v1/namespaces/sunya/jobs", `{"apiVersion":"run.googleapis.com/v1","kind":"Job","metadata":{"name":"k2"},"spec":{"template":{"spec":{"taskCount":1,"template":{"spec":{"containers":[{"image":"gcr.io/sunya/none"}],"maxRetries":0,"timeoutSeconds":"60"}}}}}}`},
	{"POST", "/v1/projects/sunya/builds", `{"source":{"storageSource":{"bucket":"b","object":"o"}},"steps":[{"name":"gcr.io/cloud-builders/docker","args":["build","-t","gcr.io/sunya/x","."],"env":["A=b"],"dir":"d","timeout":"5s"}],"images":["gcr.io/sunya/x"],"timeout":"60s","substitutions":{"_A":"b"},"tags":["t"]}`},
	{"GET", "/v1/projects/sunya/builds?pageSize=2&filter=status%3D%22SUCCESS%22", ""},
	{"POST", "/v2/projects/sunya/locations/local/functions?functionId=f1", `{"buildConfig":{"runtime":"python311","entryPoint":"f","source":{"storageSource":{"bucket":"b","object":"o"}}},"serviceConfig":{"availableMemory":"256M","timeoutSeconds":60,"environmentVariables":{"A":"b"}}}`},
	{"POST", "/v1/projects/sunya/locations/local/functions", `{"name":"projects/sunya/locations/local/functions/f2","runtime":"python311","entryPoint":"f","availableMemoryMb":256,"sourceUploadUrl":"http://127.0.0.1/x","httpsTrigger":{}}`},
	{"POST", "/v1/projects/sunya/locations/local/functions/f2:call", `{"data":"{}"}`},
	{"GET", "/v1/projects/sunya/locations/local/repositories?pageSize=1", ""},
	{"POST", "/v2/sunya/none/blobs/uploads/?digest=sha256:00", "bytes"},
	{"PUT", "/v2/sunya/none/manifests/latest", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:00","size":2},"layers":[]}`},
	{"GET", "/v2/sunya/none/tags/list?n=1&last=a", ""},
	{"GET", "/sunya/v1/status", ""},
	{"GET", "/sunya/v1/doctor", ""},
	{"GET", "/healthz", ""},
}

// oddities are what a JSON value, a path segment or a parameter is replaced by.
var oddities = []string{
	`null`, `true`, `-1`, `0`, `1e400`, `-9223372036854775809`, `18446744073709551616`, `99999999999999999999`, `1.5`, `"1"`,
	`""`, `"\u0000"`, `"\ud800"`, "\"\xff\xfe\"", `"../../etc/passwd"`, `"%2e%2e%2f"`, `[]`, `{}`, `[[[[]]]]`, `[null]`, `{"":null}`,
	`{"@type":"type.googleapis.com/google.appengine.v1.Version"}`, `"9999-99-99T99:99:99Z"`, `"-1s"`, `"315576000001s"`, `"NaN"`, `NaN`, `"Infinity"`,
	`{"seconds":1e18}`, `"a b"`, `"$(reboot)"`, `"{{.}}"`, `"` + "é\u202e\U0001F4A9" + `"`,
}

func big() []string {
	return []string{
		`"` + strings.Repeat("A", 100_000) + `"`,
		strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		strings.Repeat(`{"a":`, 12_000) + "1" + strings.Repeat("}", 12_000),
		"1" + strings.Repeat("0", 5_000),
	}
}

func oddity(rng *rand.Rand) string {
	if rng.IntN(12) == 0 {
		b := big()
		return b[rng.IntN(len(b))]
	}
	return oddities[rng.IntN(len(oddities))]
}

// mangle returns a call that is wrong somewhere.
func mangle(rng *rand.Rand, c apiCall) apiCall {
	for range 1 + rng.IntN(3) {
		switch k := rng.IntN(10); {
		case k == 0:
			methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "get"}
			c.method = methods[rng.IntN(len(methods))]
		case k <= 3 || c.body == "":
			c.path = manglePath(rng, c.path)
		default:
			c.body = mangleBody(rng, c.body)
		}
	}
	return c
}

var pathTails = []string{
	"?pageToken=%ff%fe", "?pageToken=AAAA", "?pageToken=eyJ4IjoxfQ==", "?pageSize=-1", "?pageSize=99999999999", "?pageSize=x", "?updateMask=*",
	"?updateMask=a.b.c", "?updateMask=split,split,,", "?updateMask=%00", "?filter=((((", "?view=NOPE", "?view=7", "?alt=proto", "?$alt=json;enum-encoding=int",
	"?fields=items(((", "?fields=a/b(c),*", "?maxResults=-5", "?generation=x", "?ifGenerationMatch=-1", "?uploadType=odd", "?prefix=%ff", "?;", "?&&&=%zz",
	"?access_token=x&key=y&callback=z&prettyPrint=maybe", "?id=a&id=b&name=c&automaticScaling.minIdleInstances=x", "/", "//", "/..", "/%2e%2e/x", "/%00", "/%ff", ":verb", ":",
	"/" + strings.Repeat("a", 3000), strings.Repeat("/x", 400),
}

func manglePath(rng *rand.Rand, p string) string {
	path, query, hasQuery := strings.Cut(p, "?")
	switch rng.IntN(4) {
	case 0:
		tail := pathTails[rng.IntN(len(pathTails))]
		if hasQuery && tail[0] == '?' {
			return p + "&" + tail[1:]
		}
		return path + tail
	case 1: // a segment replaced
		segments := strings.Split(path, "/")
		odd := []string{"", ".", "..", "%00", "%ff%fe", "-", "A_B", "a%2fb", "a%0d%0ab", "%F0%9F%92%A9", strings.Repeat("z", 500), "*", "{name}", "-dot-", "x:y"}
		segments[rng.IntN(len(segments))] = odd[rng.IntN(len(odd))]
		path = strings.Join(segments, "/")
	case 2: // shortened
		path = path[:1+rng.IntN(len(path))]
	case 3: // each API under its prefix, right and wrong
		apis := []string{"/appengine.googleapis.com", "/logging.googleapis.com", "/storage.googleapis.com", "/run.googleapis.com"}
		path = apis[rng.IntN(len(apis))] + path
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if hasQuery {
		path += "?" + query
	}
	return path
}

// mangleBody replaces, doubles, cuts or flips some of a body.
func mangleBody(rng *rand.Rand, body string) string {
	at := rng.IntN(len(body))
	switch rng.IntN(6) {
	case 0: // one value
		var v any
		if json.Unmarshal([]byte(body), &v) == nil {
			leaf := rng.IntN(leaves(v))
			out, _ := json.Marshal(replaceLeaf(v, &leaf))
			return strings.Replace(string(out), `"\u0001odd\u0001"`, oddity(rng), 1)
		}
		fallthrough
	case 1:
		return body[:at]
	case 2: // one byte
		b := []byte(body)
		b[at] = byte(rng.IntN(256))
		return string(b)
	case 3: // a key twice, or one more
		if strings.HasPrefix(body, "{") {
			keys := []string{"name", "id", "entries", "deployment", "split", "zzz", "", "@type", "pageSize", "labels"}
			return `{"` + keys[rng.IntN(len(keys))] + `":` + oddity(rng) + `,` + body[1:]
		}
		return body + body
	case 4:
		return oddity(rng)
	}
	return body[:at] + oddity(rng) + body[at:]
}

func leaves(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += leaves(e)
		}
	case []any:
		for _, e := range v {
			n += leaves(e)
		}
	}
	return n
}

func replaceLeaf(v any, n *int) any {
	*n--
	if *n < 0 {
		if *n == -1 {
			return "\x01odd\x01"
		}
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = replaceLeaf(e, n)
		}
	case []any:
		for i, e := range v {
			v[i] = replaceLeaf(e, n)
		}
	}
	return v
}

// TestMangledCallsOfEveryAPI: whatever a client sends, it gets an answer in the
// API's own form that blames the call and not the server.
func TestMangledCallsOfEveryAPI(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.Deploy(platform.Bare(t, "hi"), "--version", "v1")
	post(t, s.URL()+"/upload/storage/v1/b/staging.sunya.appspot.com/o?uploadType=media&name=seed", "text/plain", []byte("seed"))
	rng := seeded(t)
	contentTypes := []string{"application/json", "application/json; charset=utf-16", "text/plain", "multipart/related; boundary=b", "multipart/related", "application/x-protobuf", "application/grpc", "application/grpc-web", "", "a/b/c;;"}
	status := map[int]int{}
	for i := range calls() {
		c := rightCalls[rng.IntN(len(rightCalls))]
		if i >= len(rightCalls) {
			c = mangle(rng, c)
		} else {
			c = rightCalls[i]
		}
		contentType := contentTypes[0]
		if strings.HasPrefix(c.body, "--b") {
			contentType = contentTypes[3]
		}
		if rng.IntN(10) == 0 {
			contentType = contentTypes[rng.IntN(len(contentTypes))]
		}
		code := checkCall(t, s, c, contentType)
		status[code]++
	}
	t.Logf("answers by status: %v", status)
	if out := s.Output(); strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
		t.Errorf("a panic in the server's log:\n%s", platform.Tail(out, 3000))
	}
	s.NoOrphans()
}

// hungUp reports whether a server that did not want the rest of a large body has
// closed the connection, which can overtake its answer.
func hungUp(err error, c apiCall) bool {
	return len(c.body) > 32<<10 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// checkCall makes a call and returns the status of its answer.
func checkCall(t *testing.T, s *platform.Server, c apiCall, contentType string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.method, s.URL(), strings.NewReader(c.body))
	if err != nil {
		return 0 // not to be sent by any client
	}
	path, query, _ := strings.Cut(c.path, "?")
	req.URL.Opaque, req.URL.RawQuery = "//"+req.URL.Host+path, query
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := platform.Client.Do(req)
	if err != nil {
		if !hungUp(err, c) {
			t.Errorf("%s: no answer: %v", describe(c), err)
		}
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if hungUp(err, c) && resp.StatusCode < 500 {
		return resp.StatusCode
	}
	if err != nil {
		t.Errorf("%s: %s, and then %v", describe(c), resp.Status, err)
		return resp.StatusCode
	}
	explained := resp.StatusCode == http.StatusNotImplemented || resp.StatusCode == http.StatusServiceUnavailable
	if resp.StatusCode >= 500 && !explained {
		t.Errorf("%s as %q: %s %s", describe(c), contentType, resp.Status, platform.Tail(string(body), 600))
	}
	if resp.StatusCode >= 400 && c.method != http.MethodHead && !errorForm(c.path, resp, body) {
		t.Errorf("%s as %q: %s, not in the form of an error: %s %q", describe(c), contentType, resp.Status, resp.Header.Get("Content-Type"), platform.Tail(string(body), 300))
	}
	return resp.StatusCode
}

func describe(c apiCall) string {
	return fmt.Sprintf("%s %s %q", c.method, platform.Tail(c.path, 200), platform.Tail(c.body, 300))
}

// errorForm reports whether an answer is Google's JSON envelope; the XML
// paths and downloads of Storage say it in XML and in plain words, and what
// beneath /v2/ is no other API's in the words of the registry.
func errorForm(path string, resp *http.Response, body []byte) bool {
	var doc struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &doc) == nil && doc.Error.Code == resp.StatusCode && doc.Error.Message != "" {
		return true
	}
	if strings.HasPrefix(path, "/v2") && len(doc.Errors) == 1 && doc.Errors[0].Code != "" && doc.Errors[0].Message != "" {
		return true
	}
	if bytes.HasPrefix(body, []byte("400 Bad Request")) || bytes.HasPrefix(body, []byte("431 ")) {
		return true // no HTTP at all: net/http refuses it before anybody sees it
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/xml") {
		return bytes.Contains(body, []byte("<Error><Code>"))
	}
	kind := resp.Header.Get("Content-Type")
	media := strings.Contains(path, "/download/") || strings.Contains(path, "alt=media") || strings.Contains(path, "upload")
	return media && strings.HasPrefix(kind, "text/") && len(body) > 0
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "proto" }

var _ encoding.CodecV2 = rawCodec{}

// TestMangledGRPC: bytes that are no message, or a message full of nonsense, on
// every method of every service.
func TestMangledGRPC(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.Deploy(platform.Bare(t, "hi"), "--version", "v1")
	rng := seeded(t)
	conn, err := grpc.NewClient(strings.TrimPrefix(s.URL(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var methods []string
	for _, file := range []protoreflect.FileDescriptor{appenginepb.File_google_appengine_v1_appengine_proto, loggingpb.File_google_logging_v2_logging_proto, longrunningpb.File_google_longrunning_operations_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				methods = append(methods, fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name()))
			}
		}
	}
	answers := map[codes.Code]int{}
	for range calls() / 2 {
		method := methods[rng.IntN(len(methods))]
		msg := garbage(rng, 0)
		code := grpcCall(t, conn, method, msg)
		answers[code]++
	}
	t.Logf("%d methods, answers by code: %v", len(methods), answers)
	if out := s.Output(); strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
		t.Errorf("a panic in the server's log:\n%s", platform.Tail(out, 3000))
	}
}

func grpcCall(t *testing.T, conn *grpc.ClientConn, method string, msg []byte) codes.Code {
	t.Helper()
	limit := 10 * time.Second
	if strings.HasSuffix(method, "TailLogEntries") || strings.HasSuffix(method, "WaitOperation") {
		limit = 100 * time.Millisecond // these wait by design
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var reply []byte
	err := conn.Invoke(ctx, method, &msg, &reply, grpc.ForceCodecV2(rawCodec{}))
	code := status.Code(err)
	noMessage := strings.Contains(status.Convert(err).Message(), "unmarshal") // grpc-go says INTERNAL to that
	if (code == codes.Internal || code == codes.Unknown) && !noMessage || code == codes.DeadlineExceeded && limit > time.Second {
		t.Errorf("%s %x: %v", method, msg[:min(len(msg), 100)], err)
	}
	return code
}

// garbage is often a message in form: fields of low numbers with odd contents.
func garbage(rng *rand.Rand, depth int) []byte {
	names := []string{"apps/sunya", "apps/sunya/services/default", "apps/sunya/services/default/versions/v1", "apps/sunya/operations/x", "projects/sunya", "projects/sunya/logs/x", "apps/", "", "a\x00b", "\xff", strings.Repeat("x", 70000)}
	var out []byte
	for range rng.IntN(6) {
		field := uint64(1 + rng.IntN(20))
		if rng.IntN(3) == 0 {
			field = 1
		}
		switch rng.IntN(5) {
		case 0:
			out = appendVarint(out, field<<3)
			out = appendVarint(out, rng.Uint64()>>rng.IntN(64))
		case 1, 2:
			name := names[rng.IntN(len(names))]
			out = appendVarint(appendVarint(out, field<<3|2), uint64(len(name)))
			out = append(out, name...)
		case 3:
			if depth < 4 {
				inner := garbage(rng, depth+1)
				out = appendVarint(appendVarint(out, field<<3|2), uint64(len(inner)))
				out = append(out, inner...)
			}
		case 4:
			out = append(out, byte(rng.IntN(256)), byte(rng.IntN(256)))
		}
	}
	return out
}

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b, v = append(b, byte(v)|0x80), v>>7
	}
	return append(b, byte(v))
}
