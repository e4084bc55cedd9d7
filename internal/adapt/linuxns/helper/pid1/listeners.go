package pid1

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// stateListen is TCP_LISTEN of the kernel's net/tcp_states.h, as the table
// prints it.
const stateListen = "0A"

// listener is a listening TCP socket.
type listener struct {
	ip   netip.Addr
	port int
}

// parseListeners reads /proc/net/tcp or tcp6 (proc_net(5)): "sl local_address
// rem_address st …", the address as 32-bit words in host order (little-endian
// here), in hexadecimal. Lines that do not fit are passed over.
func parseListeners(table string, ipv6 bool) []listener {
	var ls []listener
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != stateListen {
			continue
		}
		host, hexPort, ok := strings.Cut(fields[1], ":")
		ip, good := parseAddress(host, ipv6)
		port, err := strconv.ParseUint(hexPort, 16, 16)
		if !ok || !good || err != nil {
			continue
		}
		ls = append(ls, listener{ip, int(port)})
	}
	return ls
}

func parseAddress(text string, ipv6 bool) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	want := 4
	if ipv6 {
		want = 16
	}
	if err != nil || len(raw) != want {
		return netip.Addr{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	return netip.AddrFromSlice(raw)
}

// dialAddress returns the address under which the port is reached from inside,
// or "" if nothing listens on it. A socket on all IPv6 addresses may or may not
// take IPv4 too, so it is dialled over IPv6.
func dialAddress(ls []listener, port int) string {
	address := ""
	for _, l := range ls {
		if l.port != port {
			continue
		}
		switch {
		case !l.ip.IsUnspecified():
			address = l.ip.Unmap().String()
		case l.ip.Is4():
			return "127.0.0.1"
		default:
			address = "::1"
		}
	}
	return address
}

func portsOf(ls []listener) []int {
	var ports []int
	for _, l := range ls {
		ports = append(ports, l.port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }
