package linuxns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// wires collects the packet sockets of sandboxes and whether they were closed.
type wires struct {
	sockets chan *os.File
	closed  sync.WaitGroup
}

func (w *wires) network(_ sandbox.Spec, packet *os.File) (io.Closer, error) {
	w.closed.Add(1)
	w.sockets <- packet
	return closerFunc(func() error {
		defer w.closed.Done()
		return packet.Close()
	}), nil
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

func TestNetwork(t *testing.T) {
	w := &wires{sockets: make(chan *os.File, 1)}
	cfg := config(dataDir(t))
	cfg.Network = w.network
	e := open(t, cfg)
	s := start(t, e, sandbox.Spec{Args: []string{"/app/probe", "udp", sandbox.MetadataIP + ":53"}, Network: true})
	packet := <-w.sockets
	if err := packet.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 70000)
	n := readUDP(t, packet, frame)
	question := frame[:n]
	checkQuestion(t, question)
	if _, err := packet.Write(answerTo(question)); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := output(t, s); stdout != "answer!! <nil>\n" {
		t.Errorf("output = %q", stdout)
	}
	stop(t, s)
	shutdown(t, e)
	w.closed.Wait()
}

// readUDP reads frames until one is IPv4 and UDP.
func readUDP(t *testing.T, packet *os.File, frame []byte) int {
	t.Helper()
	for {
		n, err := packet.Read(frame)
		if err != nil {
			t.Fatal(err)
		}
		if n > 42 && binary.BigEndian.Uint16(frame[12:]) == 0x0800 && frame[23] == 17 {
			return n
		}
		t.Logf("unexpected frame % x", frame[:min(n, 64)])
	}
}

func checkQuestion(t *testing.T, f []byte) {
	t.Helper()
	addr := func(b []byte) string { a, _ := netip.AddrFromSlice(b); return a.String() }
	got := []string{net.HardwareAddr(f[0:6]).String(), net.HardwareAddr(f[6:12]).String(), addr(f[26:30]), addr(f[30:34])}
	want := []string{sandbox.GatewayMAC, sandbox.GuestMAC, sandbox.GuestIP, sandbox.MetadataIP}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame has %s, want %s", got[i], want[i])
		}
	}
	if string(f[42:]) != "question" {
		t.Errorf("payload = %q", f[42:])
	}
	if sum := udpSum(f); sum != 0xffff {
		t.Errorf("UDP checksum is not finished: sums to %#x", sum)
	}
}

// udpSum adds up pseudo header and datagram (RFC 768); 0xffff is right.
func udpSum(f []byte) uint32 {
	sum := uint32(17) + uint32(binary.BigEndian.Uint16(f[38:]))
	for _, part := range [][]byte{f[26:34], f[34:]} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}

// answerTo turns a frame around. The UDP checksum may be left out.
func answerTo(f []byte) []byte {
	a := append([]byte(nil), f...)
	copy(a[0:6], f[6:12])
	copy(a[6:12], f[0:6])
	copy(a[26:30], f[30:34])
	copy(a[30:34], f[26:30])
	copy(a[34:36], f[36:38])
	copy(a[36:38], f[34:36])
	a[40], a[41] = 0, 0
	copy(a[42:], "answer!!")
	return a
}

func TestNetworkFails(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Network = func(_ sandbox.Spec, packet *os.File) (io.Closer, error) {
		return nil, errors.Join(errors.New("no network today"), packet.Close())
	}
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	spec := sandbox.Spec{ID: "box", Profile: sandbox.App, Args: shell("sleep 1000"), Network: true}
	for range 2 { // the first leaves nothing behind
		_, err := e.Start(t.Context(), spec)
		if err == nil || !strings.Contains(err.Error(), "no network today") {
			t.Errorf("error = %v", err)
		}
	}
}

func TestNetworkIsAdopted(t *testing.T) {
	dir := dataDir(t)
	w := &wires{sockets: make(chan *os.File, 1)}
	cfg := config(dir)
	cfg.Network = w.network
	first := open(t, cfg)
	spec := sandbox.Spec{
		ID: "box", Profile: sandbox.App, Args: []string{"/app/probe", "udp", "192.0.2.1:9"}, Network: true,
		Mounts: []sandbox.Mount{probeMount(t, dir)},
	}
	if _, err := first.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	<-w.sockets
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg)
	t.Cleanup(func() { shutdown(t, second) })
	all, err := second.Adopt(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("adopted %d, %v", len(all), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-ctx.Done():
		t.Fatal("the network was not connected again")
	case packet := <-w.sockets:
		// What was sent while no server was there has waited.
		if err := packet.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		frame := make([]byte, 70000)
		if n := readUDP(t, packet, frame); string(frame[42:n]) != "question" {
			t.Errorf("frame = % x", frame[:n])
		}
	}
}
