package usernet

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const (
	// maxFrame holds the largest IPv4 packet and its Ethernet header. The
	// guest's kernel hands over segments it would have cut only on a real
	// device (GSO), so a frame may be larger than the MTU.
	maxFrame = 65535 + header.EthernetMinimumSize
	// socketBuffer is what the packet socket asks for; the kernel grants less
	// to the unprivileged (net.core.rmem_max). What does not fit is dropped
	// and sent again by TCP.
	socketBuffer = 4 << 20
)

// frames lends out buffers for one frame; none is held while a link is quiet.
var frames = sync.Pool{New: func() any { return new([maxFrame]byte) }}

// link is a stack.LinkEndpoint over a packet socket. Both Ethernet addresses
// are fixed, so it writes and checks the header itself and the stack above
// knows nothing of neighbours.
type link struct {
	file   *os.File
	raw    syscall.RawConn
	header [header.EthernetMinimumSize]byte // of every frame sent
	guest  netip.Addr

	first    *os.File // read to its end before the packet socket; nil: none
	isOpen   func(frame []byte) bool
	diverted atomic.Pointer[diversion]

	dispatcher atomic.Pointer[stack.NetworkDispatcher]
	closed     atomic.Bool // set before file is closed; the raw connection's error does not tell
}

var _ stack.LinkEndpoint = (*link)(nil)

// newLink takes over f and prepares its socket.
func newLink(f *os.File) (*link, error) {
	file, err := pollable(f)
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l := &link{file: file, raw: raw, guest: netip.MustParseAddr(sandbox.GuestIP)}
	src, dst := mac(sandbox.GatewayMAC), mac(sandbox.GuestMAC)
	header.Ethernet(l.header[:]).Encode(&header.EthernetFields{
		SrcAddr: src, DstAddr: dst, Type: header.IPv4ProtocolNumber,
	})
	err = raw.Control(func(fd uintptr) {
		// Without these the link is slower, not wrong, hence no errors.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		// A fresh interface drops what is sent through its queue until the
		// kernel's link watcher has run: a sandbox's first SYN would wait a
		// second for its answer. Passing the queue by is also faster.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
		growBuffer(int(fd))
	})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// growBuffer gives a socket a receive buffer of socketBuffer, or as near to it
// as the kernel allows. One that is larger stays: whoever made the socket may
// have had more rights than this process.
func growBuffer(fd int) {
	if size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil && size >= socketBuffer {
		return
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	}
}

// pollable returns f's description as a file that waits in Go's poller, which
// only happens when the descriptor was non-blocking at os.NewFile. f is closed.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	dup, dupErr := -1, error(nil)
	if err := raw.Control(func(fd uintptr) {
		dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	if err := unix.SetNonblock(dup, true); err != nil {
		unix.Close(dup)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(dup), "link"), nil
}

// mac parses one of the constants of package sandbox.
func mac(s string) tcpip.LinkAddress {
	hw, err := net.ParseMAC(s)
	if err != nil {
		return tcpip.LinkAddress(make([]byte, 6))
	}
	return tcpip.LinkAddress(hw)
}

// readLoop delivers frames until the link is closed: first what another Net
// leaves to this one, for as long as there is one.
func (l *link) readLoop(log *slog.Logger) {
	if l.first != nil {
		if raw, err := l.first.SyscallConn(); err == nil {
			_ = l.readFrom(raw) // it ends, and this link is read alone
		}
		_ = l.first.Close()
	}
	for !l.closed.Load() {
		err := l.readFrom(l.raw)
		if l.closed.Load() {
			return
		}
		if !errors.Is(err, unix.ENETDOWN) { // the interface was set down; a later frame means it is up again
			log.Warn("sandbox network ended", "component", "usernet", "err", err)
			return
		}
	}
}

// readFrom delivers frames until there will be no more.
func (l *link) readFrom(raw syscall.RawConn) error {
	var fatal error
	err := raw.Read(func(fd uintptr) bool {
		fatal = l.drain(int(fd))
		return fatal != nil // else: wait until readable
	})
	return errors.Join(err, fatal)
}

// drain delivers what is there and returns nil once there is nothing more.
func (l *link) drain(fd int) error {
	frame := frames.Get().(*[maxFrame]byte)
	defer frames.Put(frame)
	for {
		n, err := unix.Read(fd, frame[:])
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("read frame: %w", err)
		case n == 0:
			return io.EOF
		default:
			l.deliver(frame[:n])
		}
	}
}

// deliver copies an acceptable frame into the stack.
func (l *link) deliver(frame []byte) {
	if !l.accept(frame) || l.divert(frame) {
		return
	}
	d := l.dispatcher.Load()
	if d == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		Payload: buffer.MakeWithData(frame[header.EthernetMinimumSize:]),
	})
	(*d).DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
	pkt.DecRef()
}

// accept says whether a frame is IPv4 from the guest in a protocol that is
// carried on. Pings are only for the gateway: the stack would answer in the
// name of any host on earth.
func (l *link) accept(frame []byte) bool {
	if len(frame) < header.EthernetMinimumSize+header.IPv4MinimumSize ||
		header.Ethernet(frame).Type() != header.IPv4ProtocolNumber {
		return false
	}
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	src, dst := ip.SourceAddress().As4(), ip.DestinationAddress().As4()
	if netip.AddrFrom4(src) != l.guest {
		return false
	}
	switch ip.TransportProtocol() {
	case header.TCPProtocolNumber, header.UDPProtocolNumber:
		return true
	case header.ICMPv4ProtocolNumber:
		return isLinkService(netip.AddrFrom4(dst))
	}
	return false
}

// WritePackets implements stack.LinkWriter. What the kernel has no room for is
// dropped, as on a wire.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	sent := 0
	l.diverted.Load().touch()
	for _, pkt := range pkts.AsSlice() {
		parts := pkt.AsSlices()
		err := l.raw.Write(func(fd uintptr) bool {
			_, err := unix.Writev(int(fd), parts)
			for err == unix.EINTR {
				_, err = unix.Writev(int(fd), parts)
			}
			return true // never wait: TCP sends again
		})
		if err != nil {
			return sent, &tcpip.ErrClosedForSend{}
		}
		sent++
	}
	return sent, nil
}

// close ends the read loop and frees the socket.
func (l *link) close() error {
	l.closed.Store(true)
	if l.first != nil {
		_ = l.first.Close()
	}
	err := l.file.Close()
	l.divertTo(nil) // after which the other one reads
	return err
}

// MTU implements stack.LinkEndpoint.
func (l *link) MTU() uint32 { return sandbox.LinkMTU }

// SetMTU implements stack.LinkEndpoint; the MTU is fixed.
func (l *link) SetMTU(uint32) {}

// MaxHeaderLength implements stack.LinkEndpoint.
func (l *link) MaxHeaderLength() uint16 { return header.EthernetMinimumSize }

// LinkAddress implements stack.LinkEndpoint.
func (l *link) LinkAddress() tcpip.LinkAddress { return mac(sandbox.GatewayMAC) }

// SetLinkAddress implements stack.LinkEndpoint; the address is fixed.
func (l *link) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities implements stack.LinkEndpoint. Packets that never crossed a wire
// come with checksums that were never finished.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Attach implements stack.LinkEndpoint.
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.dispatcher.Store(nil)
		return
	}
	l.dispatcher.Store(&d)
}

// IsAttached implements stack.LinkEndpoint.
func (l *link) IsAttached() bool { return l.dispatcher.Load() != nil }

// Wait implements stack.LinkEndpoint; Net owns the goroutine.
func (l *link) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// AddHeader implements stack.LinkEndpoint.
func (l *link) AddHeader(pkt *stack.PacketBuffer) {
	copy(pkt.LinkHeader().Push(header.EthernetMinimumSize), l.header[:])
}

// ParseHeader implements stack.LinkEndpoint; deliver has taken it off.
func (l *link) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements stack.LinkEndpoint; Net.Close closes.
func (l *link) Close() {}

// SetOnCloseAction implements stack.LinkEndpoint; there is no device to remove.
func (l *link) SetOnCloseAction(func()) {}
