package usernet

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// resolver is a DNS server on loopback that knows *.test.
type resolver struct {
	addr    netip.AddrPort
	queries atomic.Int64
}

// startResolver answers over UDP and TCP; big.test is too large for a datagram,
// and broken makes it refuse everything.
func startResolver(t testing.TB, broken bool) *resolver {
	t.Helper()
	u, l := samePort(t)
	r := &resolver{addr: netip.MustParseAddrPort(u.LocalAddr().String())}
	t.Cleanup(func() { u.Close(); l.Close() })
	go func() {
		buf := make([]byte, maxMessage)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			if b := r.answer(buf[:n], broken, true); b != nil {
				_, _ = u.WriteTo(b, from)
			}
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if q, err := readMessage(c, maxMessage); err == nil {
				_ = writeMessage(c, r.answer(q, broken, false))
			}
			c.Close()
		}
	}()
	return r
}

// samePort listens on a port that is free for both UDP and TCP.
func samePort(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := net.Listen("tcp", u.LocalAddr().String()); err == nil {
			return u, l
		}
		u.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

func (r *resolver) answer(raw []byte, broken, datagram bool) []byte {
	r.queries.Add(1)
	q, err := parseQuery(raw)
	if err != nil {
		return nil
	}
	name := strings.TrimSuffix(q.question.Name.String(), ".")
	switch {
	case broken:
		return q.reply(dnsmessage.RCodeServerFailure, nil)
	case name == "silent.test":
		return nil
	case name == "big.test" && datagram:
		return q.truncated()
	case strings.HasSuffix(name, ".test") && q.question.Type == dnsmessage.TypeA:
		return q.reply(dnsmessage.RCodeSuccess, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}})
	case strings.HasSuffix(name, ".test"):
		return q.reply(dnsmessage.RCodeSuccess, nil)
	}
	return q.reply(dnsmessage.RCodeNameError, nil)
}

func TestDNSFromTheGuest(t *testing.T) {
	good, bad := startResolver(t, false), startResolver(t, true)
	g := startGuest(t, Policy{Resolvers: []netip.AddrPort{bad.addr, good.addr}})
	for _, tt := range []struct{ name, network, query, want string }{
		{"over UDP", "udp", "hello.test", "192.0.2.1"},
		{"over TCP", "tcp", "hello.test", "192.0.2.1"},
		{"truncated, then over TCP", "", "big.test", "192.0.2.1"},
		{"localhost", "udp", "localhost.", "127.0.0.1 ::1"},
		{"below localhost", "udp", "app.localhost.", "127.0.0.1 ::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Fields(g.run(t, "lookup", tt.network, tt.query))
			if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("no such name", func(t *testing.T) {
		if r := g.try(t, "lookup", "udp", "nowhere.invalid."); !strings.Contains(r.Err, "no such host") {
			t.Errorf("lookup = %+v", r)
		}
	})
	t.Run("a name of ours", func(t *testing.T) {
		before := good.queries.Load()
		if r := g.try(t, "lookup", "udp", "hello.sunya.internal."); !strings.Contains(r.Err, "no such host") {
			t.Errorf("lookup = %+v", r)
		}
		if good.queries.Load() != before {
			t.Error("the name left the machine")
		}
	})
}

// ask runs one query through a forwarder.
func ask(t testing.TB, f *forwarder, network, name string, kind dnsmessage.Type) dnsmessage.Message {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4242, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var reply dnsmessage.Message
	if err := reply.Unpack(f.answer(t.Context(), network, raw)); err != nil {
		t.Fatal(err)
	}
	if reply.ID != 4242 || !reply.Response {
		t.Errorf("header = %+v", reply.Header)
	}
	return reply
}

func TestForwarderReplies(t *testing.T) {
	good, bad := startResolver(t, false), startResolver(t, true)
	f := newForwarder(Policy{Resolvers: []netip.AddrPort{good.addr}})
	if m := ask(t, f, "udp", "big.test.", dnsmessage.TypeA); !m.Truncated {
		t.Error("truncation was not passed on")
	}
	if m := ask(t, f, "tcp", "big.test.", dnsmessage.TypeA); len(m.Answers) != 1 {
		t.Errorf("answers = %v", m.Answers)
	}
	if m := ask(t, f, "udp", "LocalHost.", dnsmessage.TypeMX); len(m.Answers) != 0 || m.RCode != dnsmessage.RCodeSuccess {
		t.Errorf("MX of localhost = %v", m)
	}
	f = newForwarder(Policy{Resolvers: []netip.AddrPort{bad.addr}})
	if m := ask(t, f, "udp", "hello.test.", dnsmessage.TypeA); m.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("code = %v", m.RCode)
	}
}

func TestForwarderGivesUp(t *testing.T) {
	silent := startResolver(t, false)
	f := newForwarder(Policy{Resolvers: []netip.AddrPort{silent.addr}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	q := query{question: dnsmessage.Question{Name: dnsmessage.MustNewName("silent.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	q.raw = (&q).reply(0, nil)
	q.raw[2] &^= 0x80 // a question again
	if got := f.forward(ctx, "udp", &q); got != nil {
		t.Errorf("reply = %v", got)
	}
}

func TestBadQueries(t *testing.T) {
	f := newForwarder(Policy{Resolvers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	header := make([]byte, 12)
	response := append([]byte(nil), header...)
	response[2] = 0x80
	status := append([]byte(nil), header...)
	status[2] = 2 << 3
	for _, tt := range []struct {
		name  string
		query []byte
		code  int // -1: no answer
	}{
		{"empty", nil, -1},
		{"short", header[:5], -1},
		{"a response", response, -1},
		{"no question", header, int(dnsmessage.RCodeFormatError)},
		{"another operation", status, int(dnsmessage.RCodeNotImplemented)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.answer(t.Context(), "udp", tt.query)
			switch {
			case tt.code < 0 && got != nil:
				t.Errorf("answer = %v", got)
			case tt.code >= 0 && (len(got) < 12 || int(got[3]&0xf) != tt.code):
				t.Errorf("answer = %v, want code %d", got, tt.code)
			}
		})
	}
}

func TestResolvConfIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	c := &resolvConf{path: path}
	want := func(addrs ...string) {
		t.Helper()
		var list []netip.AddrPort
		for _, a := range addrs {
			list = append(list, netip.MustParseAddrPort(a))
		}
		if diff := cmp.Diff(list, c.resolvers(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	}
	want("127.0.0.1:53") // no file
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# comment\nsearch x\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver nonsense\nnameserver\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n")
	want("192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53")
	write("nameserver 192.0.2.9\n")
	want("192.0.2.9:53")
	write("")
	want("127.0.0.1:53")
}

func FuzzQuery(f *testing.F) {
	q := query{question: dnsmessage.Question{Name: dnsmessage.MustNewName("localhost."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	seed := q.reply(0, nil)
	seed[2] &^= 0x80
	f.Add(seed)
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parseQuery(b)
		if err != nil {
			return
		}
		if q.udpSize < 512 {
			t.Errorf("size = %d", q.udpSize)
		}
		if reply, ok := q.local(); ok && (len(reply) < 12 || binary.BigEndian.Uint16(reply) != q.header.ID) {
			t.Errorf("reply = %v", reply)
		}
		q.answeredBy(b, q.header.ID)
		q.truncated()
	})
}
