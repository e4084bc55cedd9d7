//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/coder/websocket"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// Each upgrade meets so many requests; together robustness.md F23.
const (
	upgrades           = 5
	requestsPerUpgrade = 2000
)

// TestUpgradeUnderLoad (F23) upgrades the server again and again: no request
// fails, on kept or fresh connections, over HTTP/1.1 or HTTP/2; streams go on; the
// instance stays.
func TestUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--public", "127.0.0.1:0")
	image := s.Push(platform.Image(t, map[string][]byte{"talk": platform.Program(t, "./testdata/run/talk")},
		v1.Config{Entrypoint: []string{"/talk"}}), "sunya/talk")
	for name, flags := range map[string][]string{"talk": nil, "talk-grpc": {"--use-http2", "--set-env-vars", "MODE=grpc"}} {
		s.OK(append([]string{"run", "deploy", name, "--image", image, "--region", "us-central1", "--allow-unauthenticated", "--quiet"}, flags...)...)
	}
	before := s.Instances()
	host := "talk.localhost:" + s.Port
	for n := range upgrades {
		open := openStreams(t, s, host, "talk-grpc.localhost:"+s.Port)
		pid := s.PID()
		upgradeUnder(t, s, host, n)
		if s.PID() == pid {
			t.Fatal("the server is the same")
		}
		open.goOn(t)
		open.end()
	}
	after := map[string]bool{}
	for _, i := range s.Instances() {
		after[i.ID] = true
	}
	for _, i := range before {
		if !after[i.ID] {
			t.Errorf("%s is gone: %v", i.ID, after)
		}
	}
	s.NoOrphans()
}

// upgradeUnder upgrades while requests are made, half of them before it and half
// after it began.
func upgradeUnder(t *testing.T, s *platform.Server, host string, round int) {
	t.Helper()
	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	half := make(chan struct{})
	var once sync.Once
	for name, client := range clientsOf(s, host) {
		clients.Go(func() {
			for {
				n := asked.Add(1)
				if n > requestsPerUpgrade {
					return
				}
				if n >= requestsPerUpgrade/2 {
					once.Do(func() { close(half) })
				}
				if got, err := client(); err != nil || !strings.HasPrefix(got, host) {
					failed.Add(1)
					t.Errorf("upgrade %d, request %d, %s: %q, %v", round, n, name, got, err)
					return
				}
			}
		})
	}
	<-half
	s.Upgrade()
	clients.Wait()
	client := &http.Client{Timeout: 10 * time.Second}
	if got, err := ask(client, s.URL(), host, "/"); err != nil {
		t.Errorf("after upgrade %d: %q, %v", round, got, err)
	}
}

// clientsOf are those that make requests, each by name.
func clientsOf(s *platform.Server, host string) map[string]func() (string, error) {
	h2c := &http.Protocols{}
	h2c.SetUnencryptedHTTP2(true)
	out := map[string]func() (string, error){}
	for name, tr := range map[string]func() *http.Transport{
		"kept":  func() *http.Transport { return &http.Transport{} },
		"fresh": func() *http.Transport { return &http.Transport{DisableKeepAlives: true} },
		"h2c":   func() *http.Transport { return &http.Transport{Protocols: h2c} },
	} {
		for n := range 2 {
			client := &http.Client{Timeout: 20 * time.Second, Transport: tr()}
			out[fmt.Sprint(name, n)] = func() (string, error) { return ask(client, s.URL(), host, "/") }
		}
	}
	out["strict"] = (&strict{addr: "127.0.0.1:" + s.Port, host: host}).ask
	return out
}

// strict never asks twice: it keeps its connection until it is told that this
// ends, and whatever is lost then is lost.
type strict struct {
	addr, host string
	conn       net.Conn
	from       *bufio.Reader
}

func (c *strict) ask() (string, error) {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.addr, 20*time.Second)
		if err != nil {
			return "", err
		}
		c.conn, c.from = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.Close {
		c.conn.Close()
		c.conn = nil
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(b), err
}

// streams are open through an upgrade: a WebSocket, events, and a call of gRPC.
type streams struct {
	socket *websocket.Conn
	events *bufio.Reader
	talk   grpc.ClientStream
	end    func()
}

func openStreams(t *testing.T, s *platform.Server, host, grpcHost string) *streams {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	o := &streams{end: cancel}
	t.Cleanup(cancel)
	var err error
	if o.socket, _, err = websocket.Dial(ctx, s.URL()+"/socket", &websocket.DialOptions{Host: host}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/ticks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	o.events = bufio.NewReader(resp.Body)
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:"+s.Port, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(grpcHost))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if o.talk, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Talk/Talk"); err != nil {
		t.Fatal(err)
	}
	o.say(t, "before")
	return o
}

// say expects an answer on each of the streams that answer.
func (o *streams) say(t *testing.T, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := o.socket.Write(ctx, websocket.MessageText, []byte(what)); err != nil {
		t.Errorf("WebSocket: %v", err)
	} else if _, b, err := o.socket.Read(ctx); err != nil || string(b) != strings.ToUpper(what) {
		t.Errorf("WebSocket: %q, %v", b, err)
	}
	var heard wrapperspb.StringValue
	if err := o.talk.SendMsg(wrapperspb.String(what)); err != nil {
		t.Errorf("gRPC: %v", err)
	} else if err := o.talk.RecvMsg(&heard); err != nil || heard.Value != "echo "+what {
		t.Errorf("gRPC: %q, %v", heard.Value, err)
	}
}

func (o *streams) goOn(t *testing.T) {
	t.Helper()
	o.say(t, "after")
	// What was read ahead would be there from before: these take longer.
	for range 100 {
		if _, err := o.events.ReadString('\n'); err != nil {
			t.Errorf("events: %v", err)
			return
		}
	}
}

// TestUpgradeIsRefused: whatever the new server does not get along with, the old
// one goes on as if nothing had been.
func TestUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "still here"))
	s.Get(host, "/")
	there, pid := s.Instances()[0].ID, s.PID()
	version := 0
	refused := func(name, want string, args ...string) {
		t.Helper()
		version++
		if out, err := s.TryReplace(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if s.Get(host, "/"); !has(s, there) || s.PID() != pid {
			t.Errorf("%s: the instance or the server is another one", name)
		}
		s.Deploy(platform.Bare(t, "still here"), "--no-promote", "--version", fmt.Sprint("v", version)) // the old one still works
	}
	refused("a certificate that is not there", "no such file", "--public", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere")
	refused("an address that is taken", "address already in use", "--public", "127.0.0.1:"+s.Port)
	if out, err := s.TryStart("--data", s.Data, "--replace", "--listen", "127.0.0.2:0"); err == nil || !strings.Contains(out, "also listens on") {
		t.Errorf("an address that was left out: %v\n%s", err, out)
	}
	future(t, s.Data, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	refused("a database of the future", "a newer Sunya wrote this database")
	future(t, s.Data, `DELETE FROM goose_db_version WHERE version_id = 9999`)
	s.Upgrade()
	if s.Get(host, "/"); !has(s, there) || s.PID() == pid {
		t.Errorf("the upgrade after all of them: the instance is another one, or the server the same")
	}
}

// has reports whether an instance is there.
func has(s *platform.Server, id string) bool {
	return slices.ContainsFunc(s.Instances(), func(i platform.Instance) bool { return i.ID == id })
}

// future changes the database of a server that runs.
func future(t *testing.T, data, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// TestUpgradeCommand is the command that operators and systemd call.
func TestUpgradeCommand(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "hello"))
	s.Get(host, "/")
	there, pid := s.Instances()[0].ID, s.PID()
	finish := uploading(t, s)
	s.OK("upgrade", "--data", s.Data)
	s.Adopt()
	if s.Get(host, "/"); !has(s, there) || s.PID() == pid {
		t.Errorf("pid %d after %d: %s is not among %v", s.PID(), pid, there, s.Instances())
	}
	finish()
	if r := s.CLI("upgrade", "--data", t.TempDir()); r.Code != 3 {
		t.Errorf("no server there: exit %d, %s", r.Code, r.Stderr)
	}
}

// uploading begins to send an object in one request, and in a resumable upload, in the
// middle of which there will be another server.
func uploading(t *testing.T, s *platform.Server) (finish func()) {
	t.Helper()
	s.OK("storage", "mb", "gs://upgraded")
	c := emulated(t, s.URL())
	half := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	var writers []*storage.Writer
	for name, chunk := range map[string]int{"single": 0, "resumable": 256 << 10} {
		w := c.Bucket("upgraded").Object(name).Retryer(storage.WithPolicy(storage.RetryNever)).NewWriter(t.Context())
		w.ChunkSize = chunk
		if _, err := w.Write(half); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	return func() {
		t.Helper()
		for _, w := range writers {
			_, err := w.Write(half)
			if err := errors.Join(err, w.Close()); err != nil {
				t.Errorf("upload of %s over an upgrade: %v", w.Name, err)
			}
			if got := s.OK("storage", "cat", "gs://upgraded/"+w.Name).Stdout; got != string(half)+string(half) {
				t.Errorf("%d bytes of %s came back", len(got), w.Name)
			}
		}
	}
}

// TestUpgradeIsKilled: whichever of the two servers dies at whatever moment, there
// is one that serves, or one can be started, and nothing that was acknowledged is
// lost.
func TestUpgradeIsKilled(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--verbosity", "info")
	host := s.Deploy(platform.Bare(t, "here"))
	s.Get(host, "/")
	there := s.Instances()[0].ID
	rng := seeded(t)
	for n := range 8 {
		old, next := s.PID(), s.Replace()
		s.Eventually(20*time.Second, "the succession begins", next.AtWork)
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		victim := next.PID()
		if n%2 == 0 {
			victim = old
		}
		_ = syscall.Kill(victim, syscall.SIGKILL)
		next.Settle(victim)
		if s.Get(host, "/"); !has(s, there) {
			t.Fatalf("round %d: %s is not among %v", n, there, s.Instances())
		}
	}
	s.NoOrphans()
	checkNothingLeft(t, s)
}
