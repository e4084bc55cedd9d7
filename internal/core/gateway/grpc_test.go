package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// chat is a gRPC service with one method of each kind that matters here.
var chat = grpc.ServiceDesc{
	ServiceName: "test.Chat",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.StringValue
		if err := decode(&in); err != nil {
			return nil, err
		}
		if in.Value == "wait" {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		md, _ := metadata.FromIncomingContext(ctx)
		grpc.SetTrailer(ctx, metadata.Pairs("x-sum", fmt.Sprint(len(in.Value)), "x-sum-bin", "\x00\xff"))
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "not möglich")
		}
		return wrapperspb.String(in.Value + " " + strings.Join(md["x-in"], ",")), nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Talk", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for n := 0; ; n++ {
			var in wrapperspb.StringValue
			err := s.RecvMsg(&in)
			if errors.Is(err, io.EOF) {
				s.SetTrailer(metadata.Pairs("x-count", fmt.Sprint(n)))
				return nil
			}
			if err != nil {
				return err
			}
			if err := s.SendMsg(wrapperspb.String("echo " + in.Value)); err != nil {
				return err
			}
		}
	}}},
}

// newChat serves chat behind a gateway.
func newChat(t *testing.T, change ...func(*sunya.Revision)) (*world, *grpc.ClientConn) {
	t.Helper()
	engine := &instancetest.Engine{Handler: func(*instancetest.Box) http.Handler {
		srv := grpc.NewServer()
		srv.RegisterService(&chat, nil)
		return srv
	}}
	h2c := func(r *sunya.Revision) { r.Product, r.Protocol, r.Concurrency = sunya.CloudRun, sunya.H2C, 80 }
	w := newWorldOn(t, engine, append([]func(*sunya.Revision){h2c}, change...)...)
	conn, err := grpc.NewClient("passthrough:///"+w.server.Listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("demo.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return w, conn
}

func say(ctx context.Context, conn *grpc.ClientConn, text string, opts ...grpc.CallOption) (string, error) {
	var out wrapperspb.StringValue
	err := conn.Invoke(ctx, "/test.Chat/Say", wrapperspb.String(text), &out, opts...)
	return out.Value, err
}

func TestGRPCUnary(t *testing.T) {
	_, conn := newChat(t)
	var trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-in", "in")
	got, err := say(ctx, conn, "hello", grpc.Trailer(&trailer))
	if err != nil || got != "hello in" || trailer.Get("x-sum")[0] != "5" || trailer.Get("x-sum-bin")[0] != "\x00\xff" {
		t.Errorf("%q, %v, trailer %v", got, err, trailer)
	}
	large := strings.Repeat("x", 3<<20)
	if got, err := say(ctx, conn, large); err != nil || len(got) != len(large)+3 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	trailer = nil
	_, err = say(ctx, conn, "fail", grpc.Trailer(&trailer))
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not möglich" || len(trailer.Get("x-sum")) != 1 {
		t.Errorf("%v, trailer %v: want the program's own status", err, trailer)
	}
	if err := conn.Invoke(ctx, "/test.Chat/Other", wrapperspb.String(""), new(wrapperspb.StringValue)); status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that is not there: %v", err)
	}
}

func TestGRPCStreamingBothWays(t *testing.T) {
	w, conn := newChat(t)
	s, err := conn.NewStream(t.Context(), &chat.Streams[0], "/test.Chat/Talk")
	if err != nil {
		t.Fatal(err)
	}
	var out wrapperspb.StringValue
	for n := range 100 {
		if err := s.SendMsg(wrapperspb.String(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		if err := s.RecvMsg(&out); err != nil || out.Value != fmt.Sprint("echo ", n) { // before the next is sent
			t.Fatalf("%q, %v", out.Value, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(&out); !errors.Is(err, io.EOF) || s.Trailer().Get("x-count")[0] != "100" {
		t.Errorf("%v, trailer %v", err, s.Trailer())
	}
	if e := w.entries(1)[0]; e.HTTP.Status != 200 || e.HTTP.RequestSize == 0 || e.HTTP.Protocol != "HTTP/2.0" {
		t.Errorf("entry = %+v", e.HTTP)
	}
}

// TestGRPCEndsEarly: the client's deadline and its leaving reach the program,
// and the service's own timeout reaches the client in words.
func TestGRPCEndsEarly(t *testing.T) {
	w, conn := newChat(t, func(r *sunya.Revision) { r.RequestTimeout = time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := say(ctx, conn, "wait"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("deadline of the client: %v", err)
	}
	if e := w.entries(1)[0]; e.HTTP.Status != 200 && e.HTTP.Status != 499 { // who was first
		t.Errorf("entry = %+v", e.HTTP)
	}
	_, err := say(t.Context(), conn, "wait")
	if s := status.Convert(err); s.Code() != codes.DeadlineExceeded || !strings.Contains(s.Message(), "longer than the service allows") {
		t.Errorf("timeout of the service: %v", err)
	}
	s, err := conn.NewStream(t.Context(), &chat.Streams[0], "/test.Chat/Talk")
	if err != nil {
		t.Fatal(err)
	}
	var out wrapperspb.StringValue
	s.SendMsg(wrapperspb.String("a"))
	if err := s.RecvMsg(&out); err != nil {
		t.Fatal(err)
	}
	err = s.RecvMsg(&out)
	if st := status.Convert(err); st.Code() != codes.DeadlineExceeded || !strings.Contains(st.Message(), "timeout") {
		t.Errorf("timeout of the service in a stream: %v", err)
	}
}

// TestGRPCOverdue: a program that keeps its caller's deadline breaks off, and a
// caller whose own clock is a little late learns what happened.
func TestGRPCOverdue(t *testing.T) {
	const allowed = 20 * time.Millisecond
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			rw.Header().Set("Content-Type", "application/grpc")
			rw.(http.Flusher).Flush()
		}
		time.Sleep(allowed) // its own timer
		panic(http.ErrAbortHandler)
	}, func(r *sunya.Revision) { r.Protocol = sunya.H2C })
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	for _, path := range []string{"/silent", "/begun"} {
		r := w.request(http.MethodPost, path, strings.NewReader("\x00\x00\x00\x00\x00"))
		r.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Grpc-Timeout": {"20m"}}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if status := append(resp.Header["Grpc-Status"], resp.Trailer["Grpc-Status"]...); err != nil || len(status) != 1 || status[0] != "4" {
			t.Errorf("%s: %v %v, want DEADLINE_EXCEEDED: %v %v", path, err, status, resp.Header, resp.Trailer)
		}
	}
}

func TestGRPCErrorsOfThePlatform(t *testing.T) {
	w, conn := newChat(t)
	if _, err := say(t.Context(), conn, "a"); err != nil {
		t.Fatal(err)
	}
	s, err := conn.NewStream(t.Context(), &chat.Streams[0], "/test.Chat/Talk")
	if err != nil {
		t.Fatal(err)
	}
	var out wrapperspb.StringValue
	s.SendMsg(wrapperspb.String("a"))
	if err := s.RecvMsg(&out); err != nil {
		t.Fatal(err)
	}
	w.engine.Boxes()[0].End(sandbox.Exit{Code: 1})
	if err := s.RecvMsg(&out); status.Code(err) != codes.Unavailable {
		t.Errorf("an instance that ends: %v", err)
	}
	if _, err := say(t.Context(), conn, "b"); err != nil {
		t.Errorf("the next call: %v", err)
	}
	other, err := grpc.NewClient("passthrough:///"+w.server.Listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("nobody.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := say(t.Context(), other, "a"); status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "nobody.localhost") {
		t.Errorf("an unknown host: %v", err)
	}
}

// TestH2CFromHTTP1: clients of HTTP/1.1 are served by a program that speaks
// HTTP/2 only, with everything but the switch to WebSocket.
func TestH2CFromHTTP1(t *testing.T) {
	app := func(rw http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			rw.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		rw.Header().Set("Link", "</style.css>")
		rw.WriteHeader(http.StatusEarlyHints)
		rw.Header().Set("Trailer", "X-Sum")
		n, _ := io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", fmt.Sprint(n, " ", r.Host, " ", r.Header.Get("Te")))
	}
	w := newWorld(t, app, func(r *sunya.Revision) { r.Protocol = sunya.H2C })
	r := w.request("POST", "/", io.MultiReader(strings.NewReader("abc")))
	r.Header.Set("Te", "trailers, gzip")
	resp, body := w.do(r)
	if resp.StatusCode != 200 || body != "abc" || resp.Trailer.Get("X-Sum") != "3 demo.localhost trailers" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Trailer)
	}
	got := w.raw("GET / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "has no WebSocket") {
		t.Errorf("WebSocket: %q", got)
	}
}
