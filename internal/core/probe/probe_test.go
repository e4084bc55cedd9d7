package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/probe"
)

// target finds a listener of the test's own behind each port.
type target map[int]string

func (t target) DialPort(ctx context.Context, port int) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", t[port])
}

// program answers on port 8080 with HTTP/1.1 and HTTP/2, and on 9090 with gRPC.
func program(t *testing.T) target {
	t.Helper()
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/nowhere", http.StatusFound)
		case r.URL.Path == "/slow":
			<-r.Context().Done()
		case r.URL.Path == "/named" && r.Host == "example.org" && r.Header.Get("X-Key") == "k":
		case r.URL.Path != "/healthz" || r.URL.RawQuery != "full=1":
			http.Error(w, "not well", http.StatusServiceUnavailable)
		}
	}))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetHTTP1(true)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Start()
	t.Cleanup(app.Close)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	state := health.NewServer()
	state.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	state.SetServingStatus("ill", healthpb.HealthCheckResponse_NOT_SERVING)
	srv := grpc.NewServer()
	healthpb.RegisterHealthServer(srv, state)
	go srv.Serve(l) // ends with Stop
	t.Cleanup(srv.Stop)
	return target{8080: app.Listener.Addr().String(), 9090: l.Addr().String()}
}

func TestAsk(t *testing.T) {
	web := func(path string) *sunya.Probe { return &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: path}} }
	check := func(port int, service string) *sunya.Probe {
		return &sunya.Probe{GRPC: &sunya.GRPCProbe{Port: port, Service: service}, Timeout: 5 * time.Second}
	}
	box := program(t)
	for _, c := range []struct {
		why      string
		probe    *sunya.Probe
		describe string
		want     string // part of the error; empty: well
	}{
		{"HTTP that is well", web("/healthz?full=1"), "GET :8080/healthz?full=1", ""},
		{"HTTP with a host and a header", &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: "/named", Port: 8080, Header: map[string]string{"Host": "example.org", "X-Key": "k"}}}, "GET :8080/named", ""},
		{"HTTP that redirects", web("/moved"), "GET :8080/moved", ""},
		{"HTTP without a path", web(""), "GET :8080/", "it answered 503 Service Unavailable"},
		{"HTTP that is slow", &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: "/slow"}, Timeout: 20 * time.Millisecond}, "GET :8080/slow", "no answer within 20ms"},
		{"HTTP where nothing listens", &sunya.Probe{HTTP: &sunya.HTTPProbe{Port: 81}}, "GET :81/", "nothing takes connections on port 81"},
		{"TCP", &sunya.Probe{TCP: &sunya.TCPProbe{}}, "connection to :8080", ""},
		{"TCP where nothing listens", &sunya.Probe{TCP: &sunya.TCPProbe{Port: 81}}, "connection to :81", "nothing takes connections on port 81"},
		{"gRPC that is well", check(9090, ""), `gRPC health check of "" at :9090`, ""},
		{"gRPC that is not well", check(9090, "ill"), `gRPC health check of "ill" at :9090`, "it is NOT_SERVING"},
		{"gRPC of a service that is not there", check(9090, "other"), `gRPC health check of "other" at :9090`, "knows no such service"},
		{"gRPC of what is not gRPC", check(0, ""), `gRPC health check of "" at :8080`, "it answered 503 Service Unavailable, not gRPC"},
	} {
		t.Run(c.why, func(t *testing.T) {
			if got := probe.Describe(c.probe, 8080); got != c.describe {
				t.Errorf("described as %q, want %q", got, c.describe)
			}
			err := probe.Ask(t.Context(), box, c.probe, 8080)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

// contextWithCause ends with a cause after some time.
func contextWithCause(t *testing.T, why error, after time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(t.Context(), after, why)
}
