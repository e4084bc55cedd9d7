package handover

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

// old is a server that gives what it has.
type old struct {
	t      *testing.T
	socket *net.TCPListener
	refuse error
	served chan error // what came of Give
}

// Sockets implements Server.
func (o *old) Sockets() ([]Socket, error) {
	f, err := o.socket.File()
	return []Socket{{Name: "127.0.0.1:0", File: f}}, err
}

// Yield implements Server.
func (o *old) Yield(_ context.Context, s *Successor) {
	if o.refuse != nil {
		s.Refuse(o.refuse)
		return
	}
	g := &Gift{Lock: file(o.t), Networks: map[string]*os.File{}, Busy: map[string]int{"a": 2}}
	for n := range 300 { // more than fit in one packet
		g.Networks[string(rune('a'+n%26))+string(rune('A'+n/26))] = file(o.t)
	}
	err := s.Give(g)
	g.Close()
	if err == nil {
		f := file(o.t)
		err = errors.Join(s.Pass("127.0.0.1:80", f), s.Busy(map[string]int{"a": 1}))
		_ = f.Close()
	}
	o.served <- err
}

func file(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run opens a desk with an old server at it.
func run(t *testing.T, refuse error) (dir string, o *old) {
	t.Helper()
	dir = t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o = &old{t: t, socket: l.(*net.TCPListener), refuse: refuse, served: make(chan error, 1)}
	d, err := Open(dir, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Run(ctx, o) }()
	t.Cleanup(func() { cancel(); <-done; l.Close() })
	return dir, o
}

// heard is what a successor hears after it serves.
type heard struct {
	busy   []map[string]int
	passed []string
}

// Busy implements Watcher.
func (h *heard) Busy(instances map[string]int) { h.busy = append(h.busy, instances) }

// Admit implements Watcher.
func (h *heard) Admit(listener string, connection *os.File) {
	h.passed = append(h.passed, listener)
	_ = connection.Close()
}

func TestTheNextServerGetsAll(t *testing.T) {
	dir, o := run(t, nil)
	p, err := Ask(t.Context(), dir, "v2")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Version != "v1" || p.PID != os.Getpid() || len(p.Sockets) != 1 || p.Sockets[0].Name != "127.0.0.1:0" {
		t.Fatalf("offer = %+v", p)
	}
	l, err := net.FileListener(p.Sockets[0].File)
	if err != nil || l.Addr().String() != o.socket.Addr().String() {
		t.Fatalf("socket = %v, %v", l, err)
	}
	defer l.Close()
	g, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Lock == nil || len(g.Networks) != 300 || g.Busy["a"] != 2 {
		t.Errorf("gift: %v, %d networks, busy %v", g.Lock, len(g.Networks), g.Busy)
	}
	if err := p.Serving(); err != nil {
		t.Fatal(err)
	}
	if err := <-o.served; err != nil {
		t.Fatal(err)
	}
	var h heard
	if err := p.Watch(t.Context(), &h); err != nil {
		t.Error(err)
	}
	if len(h.passed) != 1 || h.passed[0] != "127.0.0.1:80" || len(h.busy) != 2 || h.busy[0]["a"] != 1 || h.busy[1] != nil {
		t.Errorf("heard %+v", h)
	}
}

func TestASuccessorThatLeavesChangesNothing(t *testing.T) {
	dir, o := run(t, nil)
	early, err := Ask(t.Context(), dir, "v2") // before it is ready
	if err != nil {
		t.Fatal(err)
	}
	if err := early.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := Ask(t.Context(), dir, "v2")
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	if err := p.Close(); err != nil { // without having served
		t.Fatal(err)
	}
	select {
	case err := <-o.served:
		if err == nil {
			t.Error("the old server believes that somebody serves")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the old server did not notice")
	}
}

func TestWhoIsRefused(t *testing.T) {
	dir, _ := run(t, errors.New("not now"))
	p, err := Ask(t.Context(), dir, "v2")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Take(); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("err = %v, want FailedPrecondition", err)
	}
	if _, err := Ask(t.Context(), t.TempDir(), "v2"); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("no desk: %v, want NotFound", err)
	}
}

func TestLook(t *testing.T) {
	dir, _ := run(t, nil)
	r, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stdout.Close()
	defer r.Stderr.Close()
	if r.Version != "v1" || r.PID != os.Getpid() {
		t.Errorf("%+v", r)
	}
	if _, err := io.WriteString(r.Stderr, ""); err != nil {
		t.Error(err)
	}
}

// TestGarbage: what is no message ends the conversation, and nothing
// else.
func TestGarbage(t *testing.T) {
	dir, _ := run(t, nil)
	for _, data := range []string{"{", `{"verb":"take"}`, `{"verb":"hello","left":-1}`, "\x00"} {
		c, err := dial(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	if _, err := Look(dir); err != nil {
		t.Errorf("after garbage: %v", err)
	}
}
