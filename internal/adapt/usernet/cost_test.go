package usernet

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// idleNets attaches n networks to sockets on which nothing ever comes; a Net
// cannot tell one kind of datagram socket from another.
func idleNets(t testing.TB, n int) []*Net {
	t.Helper()
	nets := make([]*Net, n)
	for i := range nets {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(pair[1]) })
		nets[i], err = Attach(os.NewFile(uintptr(pair[0]), "link"), Policy{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
	}
	return nets
}

// TestIdleNetsCostLittle keeps an eye on what an attached, silent network
// holds.
func TestIdleNetsCostLittle(t *testing.T) {
	const n = 100
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	idleNets(t, 1)[0].Close() // what is allocated once
	goroutines, bytes := runtime.NumGoroutine(), heap()
	nets := idleNets(t, n)
	each := (runtime.NumGoroutine() - goroutines) / n
	size := (heap() - bytes) / n
	t.Logf("an idle network: %d goroutines, %d bytes", each, size)
	if limit := 2 + runtime.GOMAXPROCS(0); each > limit {
		t.Errorf("%d goroutines each, want at most %d", each, limit)
	}
	if size > 200<<10 {
		t.Errorf("%d bytes each, want at most 200 KiB", size)
	}
	for _, n := range nets {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCloseLeavesNothing: no goroutine outlives Close, whatever was open.
func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	p, addr := allow(l.Addr())
	g := startGuest(t, p)
	g.run(t, "hold", addr)
	host := <-accepted
	if err := g.net.Close(); err != nil {
		t.Error(err)
	}
	if err := g.net.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	// The connection was cut off, not left to its timeouts.
	_ = host.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := host.Read(make([]byte, 16)); err == nil {
		t.Error("read more than was sent")
	}
	host.Close()
	l.Close()
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
}

func BenchmarkThroughput(b *testing.B) {
	const size = 256 << 20
	for _, dir := range []string{"download", "upload"} {
		b.Run(dir, func(b *testing.B) {
			p, addr := serveTCP(b, func(c *net.TCPConn) {
				if dir == "download" {
					_, _ = io.Copy(c, pattern(size))
					return
				}
				_, _ = io.Copy(io.Discard, c)
			})
			g := startGuest(b, p)
			direct := p.Allow[0].String()
			for _, way := range []struct{ name, addr string }{{"usernet", addr}, {"loopback", direct}} {
				b.Run(way.name, func(b *testing.B) {
					b.SetBytes(size)
					for b.Loop() {
						var err error
						switch {
						case way.name == "usernet" && dir == "download":
							g.run(b, "sink", way.addr)
						case way.name == "usernet":
							g.run(b, "upload", way.addr, "268435456")
						case dir == "download":
							_, err = scenarioSink([]string{way.addr})
						default:
							_, err = scenarioUpload([]string{way.addr, "268435456"})
						}
						if err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

func BenchmarkConnect(b *testing.B) {
	p, addr := serveTCP(b, echo)
	g := startGuest(b, p)
	for b.Loop() {
		g.run(b, "echo", addr, "x")
	}
}

func BenchmarkResolve(b *testing.B) {
	var p Policy
	dst := netip.MustParseAddrPort("198.51.100.1:443")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.resolve(dst)
	}
}
