package pid1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// diag asks the kernel about single sockets of this network namespace
// (sock_diag(7)): a look into its hash table, where the socket tables of /proc
// are a walk through all of it.
type diag struct {
	fd     int
	answer [32 << 10]byte
}

// sockDiagByFamily is SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const sockDiagByFamily = 20

// diagRequest is struct inet_diag_req_v2 of linux/inet_diag.h after its
// struct nlmsghdr.
type diagRequest struct {
	header   unix.NlMsghdr
	family   uint8
	protocol uint8
	_        [2]uint8
	states   uint32
	sport    [2]byte // big-endian, as are the next
	dport    [2]byte
	src      [16]byte
	dst      [16]byte
	ifindex  uint32
	cookie   [2]uint32
}

// openDiag fails where the kernel has no such thing.
func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open socket diagnosis: %w", err)
	}
	d := &diag{fd: fd}
	if _, err := d.listens(loopback4, 1); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return d, nil
}

func (d *diag) close() { _ = unix.Close(d.fd) }

// listens reports whether a TCP connection to the address would find somebody
// who listens: on it, or on all addresses.
func (d *diag) listens(ip netip.Addr, port uint16) (bool, error) {
	q := newDiagRequest(0, familyOf(ip))
	q.cookie = [2]uint32{^uint32(0), ^uint32(0)} // whichever socket it is
	copy(q.src[:], ip.AsSlice())
	copy(q.dst[:], ip.AsSlice())
	binary.BigEndian.PutUint16(q.sport[:], port)
	found, _, err := d.ask(q)
	return len(found) > 0, err
}

// all returns everything that listens.
func (d *diag) all() ([]listener, error) {
	var all []listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, more, err := d.ask(newDiagRequest(unix.NLM_F_DUMP, family))
		for err == nil && more {
			all = append(all, found...)
			found, more, err = d.read()
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func familyOf(ip netip.Addr) uint8 {
	if ip.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func newDiagRequest(flags uint16, family uint8) *diagRequest {
	return &diagRequest{
		header: unix.NlMsghdr{
			Len: uint32(unsafe.Sizeof(diagRequest{})), Type: sockDiagByFamily, Flags: unix.NLM_F_REQUEST | flags,
		},
		family: family, protocol: unix.IPPROTO_TCP, states: 1 << stateListening,
	}
}

func (d *diag) ask(q *diagRequest) (found []listener, more bool, err error) {
	request := unsafe.Slice((*byte)(unsafe.Pointer(q)), unsafe.Sizeof(*q))
	if err := unix.Sendto(d.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, false, fmt.Errorf("ask for listeners: %w", err)
	}
	return d.read()
}

func (d *diag) read() (found []listener, more bool, err error) {
	n, _, err := unix.Recvfrom(d.fd, d.answer[:], 0)
	if err != nil {
		return nil, false, fmt.Errorf("ask for listeners: %w", err)
	}
	return parseDiag(d.answer[:n])
}

// stateListening is TCP_LISTEN of net/tcp_states.h.
const stateListening = 10

// diagBytes is the part of struct inet_diag_msg up to the source address: family,
// state, two timers, both ports, and the address.
const diagBytes = 4 + 4 + 16

// parseDiag reads one packet of an answer; more says that it is not the last of
// several. ENOENT is how the kernel says that there is no such socket.
func parseDiag(answer []byte) (found []listener, more bool, err error) {
	more = true
	for len(answer) >= unix.NLMSG_HDRLEN+4 {
		length := int(binary.NativeEndian.Uint32(answer))
		if length < unix.NLMSG_HDRLEN+4 || length > len(answer) {
			return nil, false, fmt.Errorf("ask for listeners: message of %d bytes", length)
		}
		body := answer[unix.NLMSG_HDRLEN:length]
		switch binary.NativeEndian.Uint16(answer[4:]) {
		case unix.NLMSG_DONE:
			return found, false, nil
		case unix.NLMSG_ERROR:
			if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body))); errno != unix.ENOENT {
				return nil, false, fmt.Errorf("ask for listeners: %w", errno)
			}
			return found, false, nil
		case sockDiagByFamily:
			if l, ok := diagListener(body); ok {
				found = append(found, l)
			}
		}
		answer = answer[min(len(answer), align(length)):]
	}
	return found, more, nil
}

func diagListener(body []byte) (listener, bool) {
	if len(body) < diagBytes || body[1] != stateListening {
		return listener{}, false
	}
	l := listener{ip: netip.AddrFrom16([16]byte(body[8:24])), port: int(binary.BigEndian.Uint16(body[4:]))}
	if body[0] == unix.AF_INET {
		l.ip = netip.AddrFrom4([4]byte(body[8:12]))
	}
	return l, true
}
