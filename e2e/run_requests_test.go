//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestRunRequests: the contract of requests, through containers.
func TestRunRequests(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	image := s.Push(platform.Image(t, map[string][]byte{"talk": platform.Program(t, "./testdata/run/talk")},
		v1.Config{Entrypoint: []string{"/talk"}}), "sunya/talk")
	deploy := func(name string, flags ...string) (host string) {
		s.OK(append([]string{"run", "deploy", name, "--image", image, "--region", "us-central1", "--allow-unauthenticated", "--quiet"}, flags...)...)
		return name + ".localhost:" + s.Port
	}
	t.Run("grpc", func(t *testing.T) {
		host := deploy("talk-grpc", "--use-http2", "--set-env-vars", "MODE=grpc", "--timeout", "3")
		runGRPC(t, s.For(t), host)
	})
	t.Run("http", func(t *testing.T) {
		runHTTP(t, s.For(t), deploy("talk"), deploy("talk-http", "--timeout", "2"))
	})
	t.Run("grace", func(t *testing.T) {
		deploy("talk", "--update-env-vars", "NEXT=1") // and the instance from before ends
		s := s.For(t)
		s.Eventually(20*time.Second, "the program works on after SIGTERM", func() error {
			if out := s.OK("run", "services", "logs", "read", "talk", "--region", "us-central1").Stdout; !strings.Contains(out, "farewell 2") {
				return errors.New(out)
			}
			return nil
		})
	})
	t.Run("inside", func(t *testing.T) { runInside(t, s.For(t), deploy) })
	t.Run("probes", func(t *testing.T) { runProbes(t, s.For(t), image) })
	t.Run("wrong protocol", func(t *testing.T) {
		s := s.For(t)
		host := deploy("talk-wrong", "--set-env-vars", "MODE=grpc")
		if code, body, err := s.Try(host, "/"); code != http.StatusServiceUnavailable || !strings.Contains(body, "--use-http2") {
			t.Errorf("%d %q %v, want 503 and what to do", code, body, err)
		}
	})
	s.NoOrphans()
}

func runGRPC(t *testing.T, s *platform.Server, host string) {
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:"+s.Port, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(host))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(ctx context.Context, what string, opts ...grpc.CallOption) (string, error) {
		var out wrapperspb.StringValue
		err := conn.Invoke(ctx, "/test.Talk/Say", wrapperspb.String(what), &out, opts...)
		return out.Value, err
	}
	var trailer metadata.MD
	if got, err := say(t.Context(), "hello", grpc.Trailer(&trailer)); err != nil || got != "you said hello" || trailer.Get("x-length")[0] != "5" {
		t.Errorf("unary: %q, %v, %v", got, err, trailer)
	}
	if _, err := say(t.Context(), "fail"); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("its own status: %v", err)
	}
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Talk/Talk")
	if err != nil {
		t.Fatal(err)
	}
	var out wrapperspb.StringValue
	for n := range 50 {
		if err := stream.SendMsg(wrapperspb.String(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&out); err != nil || out.Value != fmt.Sprint("echo ", n) {
			t.Fatalf("%q, %v", out.Value, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&out); !errors.Is(err, io.EOF) || stream.Trailer().Get("x-count")[0] != "50" {
		t.Errorf("end of the stream: %v, %v", err, stream.Trailer())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := say(ctx, "wait"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the caller's deadline: %v", err)
	}
	if _, err := say(t.Context(), "wait"); status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "longer than the service allows") {
		t.Errorf("the service's timeout: %v", err)
	}
	if _, err := say(t.Context(), "die"); status.Code(err) != codes.Unavailable {
		t.Errorf("an instance that dies: %v", err)
	}
	s.Eventually(10*time.Second, "it answers again", func() error { _, err := say(t.Context(), "again"); return err })
	s.Eventually(10*time.Second, "the program saw both callers leave", func() error {
		if n := strings.Count(s.OK("run", "services", "logs", "read", "talk-grpc", "--region", "us-central1").Stdout, "the caller has left"); n < 2 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
}

// runHTTP asks host, and hasty for what its timeout ends.
func runHTTP(t *testing.T, s *platform.Server, host, hasty string) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		p := new(http.Protocols)
		p.SetHTTP1(proto == "HTTP/1.1")
		p.SetUnencryptedHTTP2(proto == "HTTP/2.0")
		tr := &http.Transport{Protocols: p}
		defer tr.CloseIdleConnections()
		do := func(host, method, path string, body io.Reader) *http.Response {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			resp, err := tr.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s %s %s: %v", proto, method, path, err)
			}
			t.Cleanup(func() { resp.Body.Close() })
			return resp
		}
		if resp := do(host, "GET", "/", nil); resp.Proto != proto || resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", proto, resp.Proto, resp.Status)
		}
		const size = 40 << 20 // more than Cloud Run takes over HTTP/1.1
		resp := do(host, "POST", "/echo", io.LimitReader(endless{}, size))
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			t.Errorf("%s: %d bytes of %d came back, %v", proto, n, size, err)
		}
		if got := do(host, "GET", "/cookie", nil).Header.Get("Cache-Control"); got != "private" {
			t.Errorf("%s: Cache-Control of a response with a cookie: %q", proto, got)
		}
		lines := bufio.NewScanner(do(hasty, "GET", "/ticks", nil).Body)
		events := 0
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				events++
			}
		}
		if events < 10 || lines.Err() == nil {
			t.Errorf("%s: %d events, end %v: want some, cut off by the timeout", proto, events, lines.Err())
		}
	}
	runWebSocket(t, s, hasty)
}

// runWebSocket talks until the request's timeout ends it.
func runWebSocket(t *testing.T, s *platform.Server, host string) {
	c, _, err := websocket.Dial(t.Context(), s.URL()+"/socket", &websocket.DialOptions{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for n := range 5 {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(fmt.Sprint("hi ", n))); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); err != nil || string(b) != fmt.Sprint("HI ", n) {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if _, b, err := c.Read(t.Context()); err == nil {
		t.Errorf("it outlives the timeout: %q", b)
	}
}

// runInside calls a service with internal ingress, and a private one.
func runInside(t *testing.T, s *platform.Server, deploy func(name string, flags ...string) string) {
	caller := "talk.localhost:" + s.Port
	hidden := deploy("talk-hidden", "--ingress", "internal")
	if code, body, err := s.Try(hidden, "/"); code != http.StatusNotFound {
		t.Errorf("internal ingress from outside: %d %q %v, want 404", code, body, err)
	}
	private := deploy("talk-private", "--no-allow-unauthenticated")
	if code, body, err := s.Try(private, "/"); code != http.StatusForbidden {
		t.Errorf("a private service from outside: %d %q %v, want 403", code, body, err)
	}
	for _, c := range []struct{ to, aud, want string }{
		{"http://talk-hidden.sunya.internal/", "", "200 talk-hidden.sunya.internal HTTP/1.1"},
		{"http://" + hidden + "/", "", "200 " + hidden},
		{"http://talk-private.sunya.internal/", "", "403 "},
		{"grpc://talk-grpc.sunya.internal:80", "", "you said hello"},
		{"grpc://talk-grpc.localhost:" + s.Port, "", "you said hello"},
		{"http://talk-private.sunya.internal/", "http://" + private, "200 talk-private.sunya.internal HTTP/1.1 SIGNATURE_REMOVED_BY_GOOGLE"},
		{"http://" + private + "/", "http://talk-private.sunya.internal", "200 " + private},
	} {
		if got := s.Get(caller, "/fetch?"+url.Values{"url": {c.to}, "aud": {c.aud}}.Encode()); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s with a token for %q: %q, want %q", c.to, c.aud, got, c.want)
		}
	}
}

// probed is a service with both probes.
const probed = `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: talk-probed
spec:
  template:
    spec:
      containers:
      - image: IMAGE
        env:
        - name: MODE
          value: "MODE"
        startupProbe:
          httpGet:
            path: /healthz
          periodSeconds: 1
          failureThreshold: 2
        livenessProbe:
          httpGet:
            path: /healthz
          periodSeconds: 1
          failureThreshold: 2
`

// runProbes fails a start by its probe, and an instance by its life.
func runProbes(t *testing.T, s *platform.Server, image string) {
	replace := func(mode string) platform.Result {
		dir := platform.Files(t, map[string]string{"service.yaml": strings.NewReplacer("IMAGE", image, `"MODE"`, mode).Replace(probed)})
		return s.CLI("run", "services", "replace", dir+"/service.yaml", "--region", "us-central1", "--quiet")
	}
	want := "the startup probe (GET :8080/healthz) failed 2 times in a row: it answered 503 Service Unavailable"
	if r := replace("ill"); r.Code == 0 || !strings.Contains(r.Stderr, want) {
		t.Errorf("a start that its probe does not let through: exit %d %s, want %q", r.Code, r.Stderr, want)
	}
	if r := replace("well"); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	s.OK("run", "services", "add-iam-policy-binding", "talk-probed", "--member", "allUsers", "--role", "roles/run.invoker", "--region", "us-central1", "--quiet")
	host := "talk-probed.localhost:" + s.Port
	s.Get(host, "/sicken")
	s.Eventually(20*time.Second, "the sick instance is killed and replaced", func() error {
		if code, body, err := s.Try(host, "/healthz"); code != http.StatusOK { // and keeps it awake
			return fmt.Errorf("%d %s %v", code, body, err)
		}
		return nil
	})
	want = "killed: the liveness probe (GET :8080/healthz) failed 2 times in a row"
	if out := s.OK("run", "services", "logs", "read", "talk-probed", "--region", "us-central1").Stdout; !strings.Contains(out, want) {
		t.Errorf("log = %s, want %q", out, want)
	}
}

// endless is a body of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
