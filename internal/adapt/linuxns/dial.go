package linuxns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// When fewer than refillBelow sockets are left, refillCount more are fetched.
const (
	refillBelow = 4
	refillCount = 16
	// refillTimeout bounds a refill that no Dial waits for.
	refillTimeout = 10 * time.Second
)

// Dial implements sandbox.Sandbox. The socket was made inside, so the
// connection is one within the sandbox's own network.
func (b *box) Dial(ctx context.Context) (net.Conn, error) {
	if err := b.Ready(ctx); err != nil {
		return nil, err
	}
	if b.spec.Port == 0 {
		return nil, sunya.Errorf(sunya.FailedPrecondition, b.spec.ID, "sandbox has no port")
	}
	socket, err := b.socket(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", b.spec.ID, err)
	}
	return b.open(ctx, socket, b.address(), b.spec.Port)
}

// DialPort implements sandbox.Sandbox.
func (b *box) DialPort(ctx context.Context, port int) (net.Conn, error) {
	conn, err := b.dialPort(ctx, loopback4, port)
	if errors.Is(err, unix.ECONNREFUSED) {
		conn, err = b.dialPort(ctx, loopback6, port)
	}
	return conn, err
}

// The addresses that a program of the sandbox is found on.
const (
	loopback4 = "127.0.0.1"
	loopback6 = "::1"
)

func (b *box) dialPort(ctx context.Context, address string, port int) (net.Conn, error) {
	sockets, err := b.fetch(ctx, 1, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", b.spec.ID, err)
	}
	ipc.CloseAll(sockets[1:])
	return b.open(ctx, sockets[0], address, port)
}

// open makes a connection of a socket, which it takes over.
func (b *box) open(ctx context.Context, socket *os.File, address string, port int) (net.Conn, error) {
	defer func() { _ = socket.Close() }()
	if err := handshake(ctx, socket, address, port); err != nil {
		return nil, fmt.Errorf("dial %s: %w", b.spec.ID, err)
	}
	conn, err := net.FileConn(socket) // a duplicate
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", b.spec.ID, err)
	}
	return conn, nil
}

// socket takes a spare socket, or fetches some.
func (b *box) socket(ctx context.Context) (*os.File, error) {
	b.mu.Lock()
	var socket *os.File
	if n := len(b.spare); n > 0 {
		socket, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	refill := len(b.spare) < refillBelow && !b.refilling && !b.ended && socket != nil
	if refill {
		b.refilling = true
	}
	b.mu.Unlock()
	if refill {
		go b.refill()
	}
	if socket != nil {
		return socket, nil
	}
	sockets, err := b.fetch(ctx, refillCount, b.address())
	if err != nil {
		return nil, err
	}
	b.keep(sockets[1:])
	return sockets[0], nil
}

// refill fetches spare sockets beside the request that found few left. It ends
// with its timeout or with the engine.
func (b *box) refill() {
	ctx, cancel := context.WithTimeout(context.Background(), refillTimeout)
	defer cancel()
	sockets, _ := b.fetch(ctx, refillCount, b.address())
	b.keep(sockets)
	b.mu.Lock()
	b.refilling = false
	b.mu.Unlock()
}

// fetch asks for sockets of the family that an address has.
func (b *box) fetch(ctx context.Context, n int, address string) ([]*os.File, error) {
	_, sockets, err := b.engine.call(ctx, &ipc.Message{
		Verb: ipc.Sockets, Sandbox: b.spec.ID, N: n, IPv6: strings.Contains(address, ":"),
	})
	if err != nil {
		return nil, err
	}
	if len(sockets) == 0 {
		return nil, errors.New("launcher sent no sockets")
	}
	return sockets, nil
}

func (b *box) keep(sockets []*os.File) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		ipc.CloseAll(sockets)
		return
	}
	b.spare = append(b.spare, sockets...)
}

func (b *box) address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listener
}

// handshake connects a non-blocking socket. On loopback the kernel usually finishes
// the handshake within the call.
func handshake(ctx context.Context, socket *os.File, address string, port int) error {
	target, err := sockaddr(address, port)
	if err != nil {
		return err
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var dialErr error
	if err := raw.Control(func(fd uintptr) { dialErr = unix.Connect(int(fd), target) }); err != nil {
		return err
	}
	if dialErr == unix.EINPROGRESS {
		return waitConnected(ctx, socket)
	}
	if dialErr != nil {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", dialErr)}
	}
	return nil
}

// waitConnected waits until the handshake is over, the context ends or the
// peer refuses.
func waitConnected(ctx context.Context, socket *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var state error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code != 0 {
			state = errors.Join(err, unix.Errno(code))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err != unix.ENOTCONN
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := errors.Join(err, state); err != nil {
		return &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return nil
}

func sockaddr(address string, port int) (unix.Sockaddr, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil, err
	}
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: ip.As4()}, nil
	}
	return &unix.SockaddrInet6{Port: port, Addr: ip.As16()}, nil
}
