// Talk speaks whatever a service can be asked: gRPC when MODE=grpc, else HTTP/1.1
// with WebSocket, streams and cookies.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	l, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	go farewell()
	if os.Getenv("MODE") == "grpc" {
		log.Fatal(serveGRPC(l))
	}
	log.Fatal(serveHTTP(l))
}

// farewell works on through the time of grace.
func farewell() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
	for n := range 3 {
		fmt.Println("farewell", n)
		time.Sleep(300 * time.Millisecond)
	}
	os.Exit(0)
}

func serveGRPC(l net.Listener) error {
	srv := grpc.NewServer()
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Talk",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.StringValue
			if err := decode(&in); err != nil {
				return nil, err
			}
			return say(ctx, in.Value)
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Talk", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return talk(s) }}},
	}, nil)
	healthpb.RegisterHealthServer(srv, health.NewServer())
	return srv.Serve(l)
}

func say(ctx context.Context, what string) (*wrapperspb.StringValue, error) {
	switch what {
	case "wait":
		<-ctx.Done()
		fmt.Println("the caller has left:", ctx.Err())
		return nil, status.FromContextError(ctx.Err()).Err()
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "not today")
	case "die":
		os.Exit(3)
	}
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-length", fmt.Sprint(len(what)))); err != nil {
		return nil, err
	}
	return wrapperspb.String("you said " + what), nil
}

func talk(s grpc.ServerStream) error {
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
}

// well is what /healthz answers.
var well atomic.Bool

func serveHTTP(l net.Listener) error {
	well.Store(os.Getenv("MODE") != "ill")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), ".")
		fmt.Fprint(w, r.Host, " ", r.Proto, " ", signature[strings.LastIndexByte(signature, '.')+1:])
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			log.Print(err)
		}
		_, _ = io.Copy(w, r.Body) // its client may leave
	})
	mux.HandleFunc("/cookie", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	mux.HandleFunc("/ticks", ticks)
	mux.HandleFunc("/fetch", fetch)
	mux.HandleFunc("/socket", socket)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			http.Error(w, "ill", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/sicken", func(http.ResponseWriter, *http.Request) { well.Store(false) })
	return http.Serve(l, mux)
}

// ticks sends an event every 20 ms, without end.
func ticks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 0; r.Context().Err() == nil; n++ {
		fmt.Fprintf(w, "data: %d\n\n", n)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const metadataServer = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"

// fetch asks url, with an identity token for aud if there is one, and answers
// with the status and the body.
func fetch(w http.ResponseWriter, r *http.Request) {
	header := http.Header{}
	if aud := r.FormValue("aud"); aud != "" {
		_, token := get(metadataServer+"identity?audience="+url.QueryEscape(aud), http.Header{"Metadata-Flavor": {"Google"}})
		header.Set("Authorization", "Bearer "+token)
	}
	if host, ok := strings.CutPrefix(r.FormValue("url"), "grpc://"); ok {
		fmt.Fprint(w, call(r.Context(), host))
		return
	}
	status, body := get(r.FormValue("url"), header)
	fmt.Fprint(w, status, " ", body)
}

// call says hello to a service of gRPC.
func call(ctx context.Context, host string) string {
	conn, err := grpc.NewClient(host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	var out wrapperspb.StringValue
	if err := conn.Invoke(ctx, "/test.Talk/Say", wrapperspb.String("hello"), &out); err != nil {
		return err.Error()
	}
	return out.Value
}

func get(url string, header http.Header) (status int, body string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, []byte(strings.ToUpper(string(b)))); err != nil {
			return
		}
	}
}
