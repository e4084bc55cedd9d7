package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// The interfaces' indices are chosen, so that all requests can go out at once.
const (
	loIndex   = 1
	ethIndex  = 100
	peerIndex = 101
)

// receiveBuffer of the packet socket in bytes: room for a burst of full
// windows, as a packet that finds none is lost.
const receiveBuffer = 8 << 20

// setSysctls sets what the network needs from /proc/sys, which is read-only in
// the new root.
func setSysctls(link bool) error {
	if err := sysctl("ipv4/ip_unprivileged_port_start", "0"); err != nil {
		return err
	}
	if !link {
		return nil
	}
	// Without this eth0 would look for IPv6 routers that nobody plays.
	if err := sysctl("ipv6/conf/default/disable_ipv6", "1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setUpNetwork raises loopback and, with link, makes eth0 and returns the
// packet socket at its other end. The peer has no address, so the kernel
// answers nothing on it: whoever holds the socket is the whole network.
func setUpNetwork(link bool) (*os.File, error) {
	var q requests
	q.linkUp(loIndex)
	if !link {
		return nil, q.do()
	}
	guestMAC, gatewayMAC := parseMAC(sandbox.GuestMAC), parseMAC(sandbox.GatewayMAC)
	guest, gateway := netip.MustParseAddr(sandbox.GuestIP), netip.MustParseAddr(sandbox.GatewayIP)
	q.vethPair(guestMAC)
	q.linkUp(peerIndex)
	q.linkUp(ethIndex)
	q.address(guest, sandbox.LinkBits)
	q.neighbour(gateway, gatewayMAC)
	q.defaultRoute(gateway)
	if err := q.do(); err != nil {
		return nil, err
	}
	if err := offloadOff("eth0"); err != nil {
		return nil, err
	}
	for _, name := range []string{"eth0", "link0"} {
		if err := settleLink(name); err != nil {
			return nil, err
		}
	}
	return packetSocket(peerIndex)
}

// packetSocket returns a socket that sees what eth0 sends and sends what eth0
// sees.
func packetSocket(index int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "packet socket")
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, receiveBuffer)
	}
	// What the reader itself sends is not news to it.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: index})
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	return file, nil
}

// offloadOff makes the kernel finish checksums and segments before a packet
// leaves eth0: its far end is a program, not a network card.
func offloadOff(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, cmd := range []uint32{unix.ETHTOOL_STXCSUM, unix.ETHTOOL_STSO} {
		if err := ethtool(fd, name, cmd); err != nil {
			return fmt.Errorf("switch offload %#x of %s off: %w", cmd, name, err)
		}
	}
	return nil
}

// settleLink makes the kernel notice now that an interface has a carrier, which
// it does when asked for it: until then it drops what is sent, and the first
// answer from outside would be lost.
func settleLink(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := ethtool(fd, name, unix.ETHTOOL_GLINK); err != nil {
		return fmt.Errorf("ask for the carrier of %s: %w", name, err)
	}
	return nil
}

// ethtool asks an interface something, with the value 0. What the kernel does not
// know is not an error.
func ethtool(fd int, name string, cmd uint32) error {
	value := struct{ cmd, data uint32 }{cmd, 0}
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:], name)
	req.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	if errno != 0 && errno != unix.EOPNOTSUPP {
		return errno
	}
	return nil
}

// sysctl sets a value of this network namespace.
func sysctl(name, value string) error {
	f, err := os.OpenFile("/proc/sys/net/"+name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set net/%s: %w", name, err)
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("set net/%s: %w", name, err)
	}
	return nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// parseMAC reads one of the constants of core/sandbox.
func parseMAC(s string) []byte {
	var mac []byte
	for part := range strings.SplitSeq(s, ":") {
		b, _ := strconv.ParseUint(part, 16, 8)
		mac = append(mac, byte(b))
	}
	return mac
}
