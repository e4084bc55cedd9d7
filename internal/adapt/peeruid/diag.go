package peeruid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// The layout of struct inet_diag_req_v2 and struct inet_diag_msg, see
// linux/inet_diag.h and sock_diag(7).
const (
	requestSize = 56
	answerSize  = 72
	uidOffset   = 64
	inodeOffset = 68
	allStates   = 0xffffffff
)

// diag asks sock_diag for the TCP socket with these ends.
func diag(local, remote netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// The kernel answers before sendto returns; this is for the case that it
	// does not.
	timeout := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	// A dual-stack listener's IPv4 connection is an AF_INET6 socket on our side
	// and usually an AF_INET one on the peer's.
	uid, err := ask(fd, plain(local), plain(remote))
	if errors.Is(err, ErrNotFound) && plain(local).Addr().Is4() {
		return ask(fd, mapped(local), mapped(remote))
	}
	return uid, err
}

// plain returns a with an IPv4-mapped address as IPv4.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// mapped returns a with an IPv4 address as IPv4-mapped.
func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// ask sends one question and reads the answer.
func ask(fd int, local, remote netip.AddrPort) (int, error) {
	if err := unix.Sendto(fd, request(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return -1, os.NewSyscallError("sendto", err)
	}
	buf := make([]byte, 4096)
	n, from, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return -1, os.NewSyscallError("recvfrom", err)
	}
	if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
		return -1, errors.New("answer is not from the kernel")
	}
	return answer(buf[:n], local, remote)
}

// request is a netlink message asking for exactly one socket.
func request(local, remote netip.AddrPort) []byte {
	native, size := binary.NativeEndian, unix.NLMSG_HDRLEN+requestSize
	b := make([]byte, size)
	native.PutUint32(b[0:], uint32(size))
	native.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[unix.NLMSG_HDRLEN:]
	r[0] = unix.AF_INET
	if local.Addr().Is6() {
		r[0] = unix.AF_INET6
	}
	r[1] = unix.IPPROTO_TCP
	native.PutUint32(r[4:], allStates)
	putID(r[8:], local, remote)
	return b
}

// putID writes struct inet_diag_sockid: ports and addresses in network order,
// any interface, no cookie.
func putID(id []byte, local, remote netip.AddrPort) {
	binary.BigEndian.PutUint16(id[0:], local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	copy(id[4:20], local.Addr().AsSlice())
	copy(id[20:36], remote.Addr().AsSlice())
	for i := 40; i < 48; i++ {
		id[i] = 0xff
	}
}

// answer reads the uid out of a netlink message, after checking that it is
// about the socket that was asked for.
func answer(b []byte, local, remote netip.AddrPort) (int, error) {
	native := binary.NativeEndian
	if len(b) < unix.NLMSG_HDRLEN+4 {
		return -1, errors.New("short answer")
	}
	kind, m := native.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:]
	if kind == unix.NLMSG_ERROR {
		errno := unix.Errno(-int32(native.Uint32(m)))
		if errno == unix.ENOENT {
			return -1, ErrNotFound
		}
		return -1, fmt.Errorf("sock_diag: %w", errno)
	}
	if kind != unix.SOCK_DIAG_BY_FAMILY || len(m) < answerSize {
		return -1, fmt.Errorf("answer of type %d and %d bytes", kind, len(m))
	}
	want := make([]byte, 48)
	putID(want, local, remote)
	if string(m[4:4+36]) != string(want[:36]) {
		return -1, ErrNotFound // a listener matches where the connection is gone
	}
	// A socket that its process has closed lives on without an inode, and then
	// the kernel says that it is root's.
	if native.Uint32(m[inodeOffset:]) == 0 {
		return -1, ErrNotFound
	}
	return int(native.Uint32(m[uidOffset:])), nil
}
