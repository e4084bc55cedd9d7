package pid1

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// requests collects rtnetlink messages (rtnetlink(7)) that go out in one
// packet: the five that a link needs cost one round trip.
type requests struct {
	start int // of the request being written
	buf   []byte
	names []string // what each request does, for errors
}

func (q *requests) linkUp(index int) {
	q.begin(fmt.Sprintf("raise link %d", index), unix.RTM_NEWLINK, 0)
	q.link(index, unix.IFF_UP)
	q.end()
}

func (q *requests) vethPair(mac []byte) {
	q.begin("make eth0", unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	q.link(ethIndex, 0) // raised later: without its peer it cannot be
	q.attr(unix.IFLA_IFNAME, []byte("eth0\x00"))
	q.attr(unix.IFLA_ADDRESS, mac)
	q.attr(unix.IFLA_MTU, u32(sandbox.LinkMTU))
	q.nested(unix.IFLA_LINKINFO, func() {
		q.attr(unix.IFLA_INFO_KIND, []byte("veth"))
		q.nested(unix.IFLA_INFO_DATA, func() {
			q.nested(vethInfoPeer, func() {
				q.link(peerIndex, unix.IFF_NOARP)
				q.attr(unix.IFLA_IFNAME, []byte("link0\x00"))
				q.attr(unix.IFLA_MTU, u32(sandbox.LinkMTU))
			})
		})
	})
	q.end()
}

func (q *requests) address(ip netip.Addr, bits int) {
	q.begin("set address of eth0", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	q.buf = append(q.buf, unix.AF_INET, byte(bits), 0, unix.RT_SCOPE_UNIVERSE)
	q.buf = append(q.buf, u32(ethIndex)...)
	q.attr(unix.IFA_LOCAL, ip.AsSlice())
	q.attr(unix.IFA_ADDRESS, ip.AsSlice())
	q.end()
}

func (q *requests) neighbour(ip netip.Addr, mac []byte) {
	q.begin("set neighbour of eth0", unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	q.buf = append(q.buf, unix.AF_INET, 0, 0, 0)
	q.buf = append(q.buf, u32(ethIndex)...)
	q.buf = binary.NativeEndian.AppendUint16(q.buf, unix.NUD_PERMANENT)
	q.buf = append(q.buf, 0, 0)
	q.attr(unix.NDA_DST, ip.AsSlice())
	q.attr(unix.NDA_LLADDR, mac)
	q.end()
}

func (q *requests) defaultRoute(gateway netip.Addr) {
	q.begin("set default route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	q.buf = append(q.buf, unix.AF_INET, 0, 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0)
	q.attr(unix.RTA_GATEWAY, gateway.AsSlice())
	q.attr(unix.RTA_OIF, u32(ethIndex))
	q.end()
}

// do sends the requests and returns the first error.
func (q *requests) do() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, q.buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send netlink: %w", err)
	}
	answer := make([]byte, 16<<10)
	for seen := 0; seen < len(q.names); {
		n, _, err := unix.Recvfrom(fd, answer, 0)
		if err != nil {
			return fmt.Errorf("read netlink: %w", err)
		}
		count, err := q.acks(answer[:n])
		if err != nil {
			return err
		}
		seen += count
	}
	return nil
}

// acks counts the NLMSG_ERROR messages of an answer; their errno is 0 when the
// request succeeded.
func (q *requests) acks(b []byte) (count int, err error) {
	for len(b) >= unix.NLMSG_HDRLEN+4 {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.NLMSG_HDRLEN+4 || length > len(b) {
			return count, fmt.Errorf("read netlink: message of %d bytes", length)
		}
		if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
			seq := int(binary.NativeEndian.Uint32(b[8:]))
			errno := -int32(binary.NativeEndian.Uint32(b[unix.NLMSG_HDRLEN:]))
			if errno != 0 && seq < len(q.names) {
				return count, fmt.Errorf("%s: %w", q.names[seq], unix.Errno(errno))
			}
			count++
		}
		b = b[min(len(b), align(length)):]
	}
	return count, nil
}

func (q *requests) begin(name string, kind uint16, flags uint16) {
	q.start = len(q.buf)
	q.buf = append(q.buf, 0, 0, 0, 0) // length, written by end
	q.buf = binary.NativeEndian.AppendUint16(q.buf, kind)
	q.buf = binary.NativeEndian.AppendUint16(q.buf, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	q.buf = append(q.buf, u32(uint32(len(q.names)))...) // sequence number
	q.buf = append(q.buf, 0, 0, 0, 0)                   // port id
	q.names = append(q.names, name)
}

func (q *requests) end() {
	binary.NativeEndian.PutUint32(q.buf[q.start:], uint32(len(q.buf)-q.start))
}

// link appends a struct ifinfomsg.
func (q *requests) link(index int, flags uint32) {
	q.buf = append(q.buf, unix.AF_UNSPEC, 0, 0, 0)
	q.buf = append(q.buf, u32(uint32(index))...)
	q.buf = append(q.buf, u32(flags)...)
	q.buf = append(q.buf, u32(flags)...)
}

func (q *requests) attr(kind uint16, data []byte) {
	q.buf = binary.NativeEndian.AppendUint16(q.buf, uint16(4+len(data)))
	q.buf = binary.NativeEndian.AppendUint16(q.buf, kind)
	q.buf = append(q.buf, data...)
	for len(q.buf)%unix.NLA_ALIGNTO != 0 {
		q.buf = append(q.buf, 0)
	}
}

func (q *requests) nested(kind uint16, body func()) {
	start := len(q.buf)
	q.attr(kind, nil)
	body()
	binary.NativeEndian.PutUint16(q.buf[start:], uint16(len(q.buf)-start))
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }
