// Package peeruid tells the uid of the process at the other end of a loopback
// TCP connection, from the kernel's socket table: official clients in emulator
// mode send no credentials, and this is what a server can know of them.
//
// The answer is the uid that created the peer's socket. It is asked for by the
// exact addresses and ports of the connection; as long as our end is open no
// other socket can have them.
package peeruid

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrNotFound is returned when no socket is the other end: the connection does
// not come from this machine's network namespace, or the peer has gone.
var ErrNotFound = errors.New("no such socket")

// Lookup returns the uid of the socket at the other end of conn.
func Lookup(conn net.Conn) (uid int, err error) {
	local, remote, err := ends(conn)
	if err != nil {
		return -1, fmt.Errorf("look up peer: %w", err)
	}
	// Seen from the peer, our remote address is its local one.
	uid, err = diag(remote, local)
	if err == nil {
		return uid, nil
	}
	if errors.Is(err, ErrNotFound) {
		return -1, fmt.Errorf("look up peer %s: %w", remote, err)
	}
	uid, procErr := procnet(remote, local)
	if procErr != nil {
		return -1, fmt.Errorf("look up peer %s: %w", remote, errors.Join(err, procErr))
	}
	return uid, nil
}

// ends returns both addresses of a loopback TCP connection.
func ends(conn net.Conn) (local, remote netip.AddrPort, err error) {
	l, lok := conn.LocalAddr().(*net.TCPAddr)
	r, rok := conn.RemoteAddr().(*net.TCPAddr)
	if !lok || !rok {
		return local, remote, errors.New("not a TCP connection")
	}
	local, remote = l.AddrPort(), r.AddrPort()
	if !local.Addr().Unmap().IsLoopback() || !remote.Addr().Unmap().IsLoopback() {
		return local, remote, fmt.Errorf("%s is not on loopback", remote)
	}
	return local, remote, nil
}
