package front

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/http2"
)

// TestOpening: the settings that clients are told of before it is known whose they
// are, are those of net/http, which will not be asked.
func TestOpening(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := New((&door{}).config())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{front: f}
	srv := s.httpServer(Listener{Listener: l})
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	defer func() { srv.Close(); <-done }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, http2.Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	want := http2.Answer(opening, 0)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("net/http begins with %x (%v), the front with %x", got, err, want)
	}
}
