package peeruid

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const dialEnv = "PEERUID_TEST_DIAL"

// TestMain makes the test binary a client of another user when it is told to.
func TestMain(m *testing.M) {
	if addr := os.Getenv(dialEnv); addr != "" {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, c)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// pair returns both ends of a connection to a listener on addr; dial may differ
// from it.
func pair(t testing.TB, network, addr, dialHost string) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skipf("listen on %s: %v", addr, err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	client, err = net.Dial("tcp", net.JoinHostPort(dialHost, port))
	if err != nil {
		t.Skipf("dial %s: %v", dialHost, err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server, client
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct{ name, network, listen, dial string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "tcp6", "[::1]:0", "::1"},
		{"IPv4 to a dual-stack listener", "tcp", "[::]:0", "127.0.0.1"},
		{"IPv4-mapped client", "tcp", "127.0.0.1:0", "::ffff:127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := pair(t, tt.network, tt.listen, tt.dial)
			for _, end := range []net.Conn{server, client} {
				uid, err := Lookup(end)
				if err != nil || uid != os.Getuid() {
					t.Errorf("Lookup = %d, %v, want %d", uid, err, os.Getuid())
				}
			}
			local, remote, err := ends(server)
			if err != nil {
				t.Fatal(err)
			}
			if uid, err := procnet(remote, local); err != nil || uid != os.Getuid() {
				t.Errorf("procnet = %d, %v, want %d", uid, err, os.Getuid())
			}
		})
	}
}

func TestLookupOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{dialEnv + "=" + l.Addr().String()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	uid, err := Lookup(c)
	if err != nil || uid != 12345 {
		t.Errorf("Lookup = %d, %v, want 12345", uid, err)
	}
	c.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestClosedPeerIsNobody: the kernel reports closed sockets as root's, which
// would let everybody in who hangs up fast enough.
func TestClosedPeerIsNobody(t *testing.T) {
	server, client := pair(t, "tcp4", "127.0.0.1:0", "127.0.0.1")
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if _, err := io.ReadAll(server); err != nil { // until the FIN is here
		t.Fatal(err)
	}
	if uid, err := Lookup(server); !errors.Is(err, ErrNotFound) {
		t.Errorf("Lookup = %d, %v, want not found", uid, err)
	}
	local, remote, err := ends(server)
	if err != nil {
		t.Fatal(err)
	}
	if uid, err := procnet(remote, local); !errors.Is(err, ErrNotFound) {
		t.Errorf("procnet = %d, %v, want not found", uid, err)
	}
}

func TestLookupRefuses(t *testing.T) {
	t.Run("a pipe", func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		if _, err := Lookup(a); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a connection that does not exist", func(t *testing.T) {
		l, r := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
		if _, err := diag(l, r); !errors.Is(err, ErrNotFound) {
			t.Errorf("diag = %v, want not found", err)
		}
		if _, err := procnet(l, r); !errors.Is(err, ErrNotFound) {
			t.Errorf("procnet = %v, want not found", err)
		}
	})
	t.Run("a listener in place of the peer", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		l := netip.MustParseAddrPort(ln.Addr().String())
		if uid, err := diag(l, netip.MustParseAddrPort("127.0.0.1:9")); !errors.Is(err, ErrNotFound) {
			t.Errorf("diag = %d, %v, want not found", uid, err)
		}
	})
}

func TestScanSkipsWhatItCannotRead(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: nonsense
   1: XX:1F90 0100007F:0016 01 00000000:00000000 00:00000000 00000000  7 0 1
`
	_, ok, err := scan(strings.NewReader(table), netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("127.0.0.1:22"))
	if ok || err != nil {
		t.Errorf("scan = %v, %v", ok, err)
	}
}

func FuzzAnswer(f *testing.F) {
	l, r := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	f.Add(request(l, r))
	f.Add(make([]byte, 88))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = answer(b, l, r) // must not panic
		_, _ = parseEnd(string(b))
	})
}

func BenchmarkLookup(b *testing.B) {
	server, _ := pair(b, "tcp4", "127.0.0.1:0", "127.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Lookup(server); err != nil {
			b.Fatal(err)
		}
	}
}
