package transcode_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// waits answers Check once it is told to.
type waits struct {
	healthpb.UnimplementedHealthServer
	begun, end chan struct{}
}

// Check implements the service.
func (w *waits) Check(_ context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if r.GetService() == "slow" {
		close(w.begun)
		<-w.end
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

// nativeDoor serves until stop is called, which waits. byHTTP counts the calls that
// came by net/http.
func nativeDoor(t *testing.T, impl *waits) (addr string, byHTTP *atomic.Int64, stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := transcode.NewServices(log)
	healthpb.RegisterHealthServer(s, impl)
	byHTTP = new(atomic.Int64)
	f, err := front.New(front.Config{
		Domain: "sunya.test",
		GRPC: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			byHTTP.Add(1)
			s.ServeHTTP(w, r)
		}),
		Native:  s.Native,
		Apps:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "app %s", r.URL.Path) }),
		Owners:  []int{1000},
		PeerUID: func(net.Conn) (int, error) { return 1000, nil },
		Now:     time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := f.NewServer([]front.Listener{{Listener: l, Roles: front.AllRoles}})
	server.Drain = 10 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	return l.Addr().String(), byHTTP, stop
}

func dialed(t *testing.T, addr string, o ...grpc.DialOption) healthpb.HealthClient {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+addr, append(o, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return healthpb.NewHealthClient(c)
}

// TestNative: calls of the API go past net/http, on connections that carry nothing
// else; all other connections are served as before.
func TestNative(t *testing.T) {
	addr, byHTTP, stop := nativeDoor(t, &waits{})
	defer stop()
	ctx := t.Context()
	api := dialed(t, addr, grpc.WithAuthority("localhost:80"))
	for range 3 {
		if _, err := api.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := byHTTP.Load(); n != 0 {
		t.Errorf("%d calls of the API came by net/http", n)
	}
	web := metadata.AppendToOutgoingContext(ctx, "origin", "http://evil.example")
	if _, err := api.Check(web, &healthpb.HealthCheckRequest{}); gstatus.Code(err) != codes.PermissionDenied {
		t.Errorf("of a web page: %v, want PermissionDenied", err)
	}
	proxied := metadata.AppendToOutgoingContext(ctx, "x-forwarded-for", "203.0.113.1")
	if _, err := api.Check(proxied, &healthpb.HealthCheckRequest{}); gstatus.Code(err) != codes.Unauthenticated {
		t.Errorf("of a proxy: %v, want Unauthenticated", err)
	}
	if _, err := api.Watch(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := api.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.CallAuthority("app.sunya.test")); gstatus.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "app.sunya.test") {
		t.Errorf("for an app on the API's connection: %v", err)
	}
	if _, err := dialed(t, addr, grpc.WithAuthority("app.sunya.test")).Check(ctx, &healthpb.HealthCheckRequest{}); err == nil || !strings.Contains(err.Error(), "text/plain") {
		t.Errorf("for an app: %v, want its own answer", err)
	}
	if _, err := dialed(t, addr, grpc.WithAuthority("localhost")).Check(proxied, &healthpb.HealthCheckRequest{}); gstatus.Code(err) != codes.Unauthenticated {
		t.Errorf("first of a proxy: %v, want Unauthenticated", err)
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	defer tr.CloseIdleConnections()
	for range 2 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.sunya.test"
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || string(body) != "app /x" {
			t.Errorf("HTTP/2 of an app: %q, %v", body, err)
		}
	}
}

// TestNativeShutdown: a call that is under way ends well, and a connection that
// has made none yet holds nothing up.
func TestNativeShutdown(t *testing.T) {
	w := &waits{begun: make(chan struct{}), end: make(chan struct{})}
	addr, _, stop := nativeDoor(t, w)
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := io.WriteString(silent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	called := make(chan error, 1)
	api := dialed(t, addr, grpc.WithAuthority("localhost"))
	go func() {
		_, err := api.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "slow"})
		called <- err
	}()
	<-w.begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	for { // until nothing more is accepted
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-called:
		t.Fatalf("the call ended early: %v", err)
	default:
	}
	close(w.end)
	if err := <-called; err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, silent); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("the silent connection: %v", err)
	}
	<-stopped
}
