package usernet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// serveTCP runs handle for each connection on a loopback port; it returns the
// policy that lets a guest in and the address that the guest uses.
func serveTCP(t testing.TB, handle func(*net.TCPConn)) (Policy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			}()
		}
	}()
	return allow(l.Addr())
}

// allow is the policy and the guest's address for a loopback address.
func allow(a net.Addr) (Policy, string) {
	addr := netip.MustParseAddrPort(a.String())
	return Policy{Allow: []netip.AddrPort{addr}},
		net.JoinHostPort(sandbox.GatewayIP, strconv.Itoa(int(addr.Port())))
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

func TestTCPEchoWithHalfClose(t *testing.T) {
	p, addr := serveTCP(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c) // returns only when the guest's FIN has come through
		_, _ = fmt.Fprintf(c, "got %q", b)
	})
	g := startGuest(t, p)
	if got, want := g.run(t, "echo", addr, "hello"), `got "hello"`; got != want {
		t.Errorf("reply = %q, want %q", got, want)
	}
}

func TestHundredMegabytesEachWay(t *testing.T) {
	const size = 100 << 20
	sum := sha256.New()
	_, _ = io.Copy(sum, pattern(size))
	want := fmt.Sprintf("%d %x", size, sum.Sum(nil))

	t.Run("to the guest", func(t *testing.T) {
		p, addr := serveTCP(t, func(c *net.TCPConn) { _, _ = io.Copy(c, pattern(size)) })
		if got := startGuest(t, p).run(t, "download", addr); got != want {
			t.Errorf("received %s, want %s", got, want)
		}
	})
	t.Run("from the guest", func(t *testing.T) {
		p, addr := serveTCP(t, func(c *net.TCPConn) {
			h := sha256.New()
			n, _ := io.Copy(h, c)
			_, _ = fmt.Fprintf(c, "%d %x", n, h.Sum(nil))
		})
		if got := startGuest(t, p).run(t, "upload", addr, strconv.Itoa(size)); got != want {
			t.Errorf("received %s, want %s", got, want)
		}
	})
}

// TestSegmentsLargerThanTheMTU: with a small MTU the guest's kernel hands over
// segments that it would have cut for a real device, without checksums.
func TestSegmentsLargerThanTheMTU(t *testing.T) {
	t.Setenv("USERNET_TEST_MTU", "1500")
	const size = 10 << 20
	p, addr := serveTCP(t, func(c *net.TCPConn) {
		h := sha256.New()
		n, _ := io.Copy(h, c)
		_, _ = fmt.Fprintf(c, "%d %x", n, h.Sum(nil))
	})
	sum := sha256.New()
	_, _ = io.Copy(sum, pattern(size))
	want := fmt.Sprintf("%d %x", size, sum.Sum(nil))
	if got := startGuest(t, p).run(t, "upload", addr, strconv.Itoa(size)); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
}

func TestBeyondTheCapConnectionsAreRefused(t *testing.T) {
	p, addr := serveTCP(t, echo)
	g := startGuest(t, p)
	g.net.tcp.used.Store(maxTCP - 2)
	g.run(t, "hold", addr)
	g.run(t, "hold", addr)
	if got := g.run(t, "connect", addr); got != "refused" {
		t.Errorf("third connection: %s, want refused", got)
	}
}

func TestThousandConnections(t *testing.T) {
	p, addr := serveTCP(t, echo)
	g := startGuest(t, p)
	if got := g.run(t, "many", addr, "1000"); got != "ok" {
		t.Error(got)
	}
}

func TestResetIsPassedOn(t *testing.T) {
	p, addr := serveTCP(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		abort(c)
	})
	if got := startGuest(t, p).run(t, "reset", addr); got != "reset" {
		t.Errorf("read = %s, want reset", got)
	}
}

// TestClosingIsNotWorthALogLine: sandboxes end all the time.
func TestClosingIsNotWorthALogLine(t *testing.T) {
	_, link := startGuestProcess(t)
	var lines bytes.Buffer
	n, err := Attach(link, Policy{}, slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if lines.Len() > 0 {
		t.Error(lines.String())
	}
}

// TestNextServerTakesOver: whoever keeps the socket can attach a new Net; what
// the old one carried is reset at the next packet, and new connections work.
func TestNextServerTakesOver(t *testing.T) {
	p, addr := serveTCP(t, echo)
	g, link := startGuestProcess(t)
	fd, err := unix.FcntlInt(link.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Attach(link, p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.run(t, "hold", addr)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Attach(os.NewFile(uintptr(fd), "link"), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := g.run(t, "held"); got != "reset" {
		t.Errorf("old connection: %s, want reset", got)
	}
	if got := g.run(t, "connect", addr); got != "ok" {
		t.Errorf("new connection: %s", got)
	}
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	p, addr := allow(c.LocalAddr())
	if got := startGuest(t, p).run(t, "udp", addr, "1", "1400", "9000", "60000", "5"); got != "ok" {
		t.Error(got)
	}
}

func TestRefusedIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, addr := allow(l.Addr())
	l.Close() // allowed, but nobody listens
	if got := startGuest(t, p).run(t, "connect", addr); got != "refused" {
		t.Errorf("connect = %s, want refused", got)
	}
}

// TestS08DeniedAddresses: a listener on every address of the host is out of a
// sandbox's reach, however it is spelled.
func TestS08DeniedAddresses(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	targets := []string{
		sandbox.GatewayIP, sandbox.MetadataIP, "10.213.0.7", "10.213.0.255",
		"169.254.169.253", "0.0.0.1", "224.0.0.1", "255.255.255.255", "100.100.100.200",
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; ip.To4() != nil && !ip.IsLoopback() {
			targets = append(targets, ip.String(), "::ffff:"+ip.String())
		}
	}
	g := startGuest(t, Policy{})
	for _, addr := range targets {
		if got := g.run(t, "connect", net.JoinHostPort(addr, port)); got == "ok" {
			t.Errorf("%s: connected", addr)
		}
	}
}
