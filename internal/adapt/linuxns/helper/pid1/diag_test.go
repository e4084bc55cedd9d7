package pid1

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestListens(t *testing.T) {
	d, err := openDiag()
	if err != nil {
		t.Skip(err)
	}
	defer d.close()
	for _, tt := range []struct {
		network, address string
		four, six        bool
	}{
		{"tcp4", "127.0.0.1:0", true, false},
		{"tcp4", "0.0.0.0:0", true, false},
		{"tcp", "[::]:0", true, true},
		{"tcp6", "[::]:0", false, true},
		{"tcp6", "[::1]:0", false, true},
		{"tcp4", "127.0.0.2:0", false, false},
	} {
		t.Run(tt.network+" "+tt.address, func(t *testing.T) {
			l, err := net.Listen(tt.network, tt.address)
			if err != nil {
				t.Skip(err)
			}
			port := l.Addr().(*net.TCPAddr).AddrPort().Port()
			conn, err := net.Dial(tt.network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			check := func(ip netip.Addr, want bool) {
				t.Helper()
				if got, err := d.listens(ip, port); err != nil || got != want {
					t.Errorf("%s: %v, %v; want %v", ip, got, err, want)
				}
			}
			check(loopback4, tt.four)
			check(loopback6, tt.six)
			_ = l.Close()
			check(loopback4, false)
			check(loopback6, false)
			_ = conn.Close()
		})
	}
}

func TestAllListeners(t *testing.T) {
	d, err := openDiag()
	if err != nil {
		t.Skip(err)
	}
	defer d.close()
	for _, address := range []string{"127.0.0.3:0", "[::1]:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		want := l.Addr().(*net.TCPAddr).AddrPort()
		all, err := d.all()
		if err != nil {
			t.Fatal(err)
		}
		found := func(l listener) bool {
			return l.port == int(want.Port()) && l.ip.IsUnspecified() == want.Addr().IsUnspecified()
		}
		if !slices.ContainsFunc(all, found) {
			t.Errorf("%v is not among %v", want, all)
		}
	}
}

// BenchmarkListens is a question about one port, BenchmarkAllListeners one about
// all, BenchmarkTables a read of the socket tables, which depends on the size of
// the kernel's hash table.
func BenchmarkListens(b *testing.B) {
	benchmarkDiag(b, func(d *diag) error { _, err := d.listens(loopback4, 1); return err })
}

func BenchmarkAllListeners(b *testing.B) {
	benchmarkDiag(b, func(d *diag) error { _, err := d.all(); return err })
}

func benchmarkDiag(b *testing.B, ask func(*diag) error) {
	d, err := openDiag()
	if err != nil {
		b.Skip(err)
	}
	defer d.close()
	for b.Loop() {
		if err := ask(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTables(b *testing.B) {
	p := &process{}
	if err := p.openTables(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.listeners(nil)
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 88))
	f.Fuzz(func(_ *testing.T, answer []byte) { _, _, _ = parseDiag(answer) })
}
