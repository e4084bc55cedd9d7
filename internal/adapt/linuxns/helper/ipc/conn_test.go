package ipc

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	a, peer, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(peer.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = NewConn(fd); err != nil {
		t.Fatal(err)
	}
	_ = peer.Close()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func TestMessageAndFiles(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sent := &Message{ID: 7, Verb: Ready, Sandbox: "x", Ports: []int{1, 2}}
	if err := a.Send(sent, r, w); err != nil {
		t.Fatal(err)
	}
	CloseAll([]*os.File{r, w})
	got, files, err := b.Recv()
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	defer CloseAll(files)
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if _, err := io.WriteString(files[1], "through"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := files[0].Read(buf); err != nil || string(buf[:n]) != "through" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

func TestLargeMessages(t *testing.T) {
	a, b := pair(t)
	if err := a.Send(&Message{Sandbox: strings.Repeat("x", MaxMessage)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error = %v", err)
	}
	large := &Message{Sandbox: strings.Repeat("x", MaxMessage-100)}
	errs := make(chan error, 1)
	go func() { errs <- a.Send(large) }()
	got, _, err := b.Recv()
	if err != nil || len(got.Sandbox) != len(large.Sandbox) {
		t.Errorf("%v", err)
	}
	if err := <-errs; err != nil {
		t.Error(err)
	}
}

func TestEndAndGarbage(t *testing.T) {
	a, b := pair(t)
	if _, err := a.file.Write([]byte("not json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("error = %v", err)
	}
	if uid, err := b.PeerUID(); err != nil || uid != os.Getuid() {
		t.Errorf("peer = %d, %v", uid, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("error = %v", err)
	}
}

// TestLastWordsSurviveReset is how the exit status of a program was lost when
// it ended by itself at the moment it was told to.
func TestLastWordsSurviveReset(t *testing.T) {
	a, b := pair(t)
	if err := b.Send(&Message{Verb: Terminate}); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(&Message{Verb: Exited}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil { // with the request unread
		t.Fatal(err)
	}
	if m, _, err := b.Recv(); err != nil || m.Verb != Exited {
		t.Fatalf("message = %+v, %v", m, err)
	}
	if _, _, err := b.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("error = %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"verb":"create","document":{"linux":{"resources":{"memory":{"limit":1}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decode(data, 0); (m == nil) == (err == nil) {
			t.Errorf("decode(%q) = %v, %v", data, m, err)
		}
	})
}
