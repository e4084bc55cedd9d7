package usernet

import (
	"log/slog"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConnectionsOutliveASuccession: what was open stays with the Net that has it,
// what is new goes to the next one, also once that is alone.
func TestConnectionsOutliveASuccession(t *testing.T) {
	p, addr := serveTCP(t, echo)
	g, link := startGuestProcess(t)
	first, err := Attach(duplicate(t, link), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.run(t, "hold", addr)
	second := succeed(t, first, duplicate(t, link), p)
	defer second.Close()
	g.run(t, "hold", addr)
	if n, m := first.tcp.used.Load(), second.tcp.used.Load(); n != 1 || m != 1 {
		t.Errorf("connections: %d with the first, %d with the second", n, m)
	}
	if got := g.run(t, "held"); got != "<nil>" {
		t.Errorf("the old connection: %s", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := g.run(t, "connect", addr); got != "ok" {
		t.Errorf("without the first: %s", got)
	}
}

// TestASuccessionThatFails leaves the first Net as it was.
func TestASuccessionThatFails(t *testing.T) {
	p, addr := serveTCP(t, echo)
	g, link := startGuestProcess(t)
	first, err := Attach(duplicate(t, link), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	g.run(t, "hold", addr)
	second := succeed(t, first, duplicate(t, link), p)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	first.Undivert()
	if got := g.run(t, "held"); got != "<nil>" {
		t.Errorf("the old connection: %s", got)
	}
	if got := g.run(t, "connect", addr); got != "ok" {
		t.Errorf("a new connection: %s", got)
	}
}

func succeed(t *testing.T, first *Net, link *os.File, p Policy) *Net {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Divert(os.NewFile(uintptr(pair[0]), "frames")); err != nil {
		t.Fatal(err)
	}
	second, err := AttachAfter(link, os.NewFile(uintptr(pair[1]), "frames"), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return second
}

func duplicate(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "link")
}
