package peeruid

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// procnet looks through the kernel's textual tables, for kernels and sandboxes
// without sock_diag.
func procnet(local, remote netip.AddrPort) (int, error) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue // a kernel without IPv6 has no tcp6
		}
		uid, ok, err := scan(f, plain(local), plain(remote))
		f.Close()
		if err != nil {
			return -1, fmt.Errorf("read %s: %w", name, err)
		}
		if ok {
			return uid, nil
		}
	}
	return -1, ErrNotFound
}

// scan reads a table of proc(5)'s /proc/net/tcp form.
func scan(r io.Reader, local, remote netip.AddrPort) (uid int, ok bool, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		// Without an inode the socket is closed and its uid not the peer's.
		if len(f) < 10 || f[9] == "0" {
			continue
		}
		l, lok := parseEnd(f[1])
		p, pok := parseEnd(f[2])
		if !lok || !pok || l != local || p != remote {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		return uid, err == nil, err
	}
	return -1, false, lines.Err()
}

// parseEnd reads ADDRESS:PORT in hexadecimal; the address is in words of the
// machine's byte order.
func parseEnd(s string) (netip.AddrPort, bool) {
	a, p, _ := strings.Cut(s, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(a)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}
