// Package ipc is how the server, the launcher and the first process of a
// sandbox talk: one JSON message per packet of a SOCK_SEQPACKET unix socket,
// with file descriptors beside it. Packets keep messages whole, so there is no
// framing to get wrong.
package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxMessage is the largest message in bytes, below the kernel's default send
// buffer (net.core.wmem_default, 212992).
const MaxMessage = 160 << 10

// maxFiles is how many descriptors one message may carry (SCM_MAX_FD is 253).
const maxFiles = 200

// ErrTooLarge says that a message does not fit in one packet.
var ErrTooLarge = errors.New("message larger than 160 KiB")

// Conn is one end of a connection. Send may be called concurrently; Recv is
// for one reader.
type Conn struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte
	oob  []byte

	mu sync.Mutex // one packet at a time, so that back-pressure is fair
}

// NewConn takes ownership of a connected SOCK_SEQPACKET descriptor.
func NewConn(fd int) (*Conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("set nonblocking: %w", err)
	}
	file := os.NewFile(uintptr(fd), "launcher socket")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Conn{
		file: file, raw: raw,
		buf: make([]byte, MaxMessage),
		oob: make([]byte, unix.CmsgSpace(maxFiles*4)),
	}, nil
}

// Pair returns a connection and the descriptor of its other end, which is
// closed on exec and belongs to the caller.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	conn, err := NewConn(fds[0])
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[1]))
	}
	return conn, os.NewFile(uintptr(fds[1]), "peer socket"), nil
}

// Send writes one message; the files stay the caller's.
func (c *Conn) Send(m *Message, files ...*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(data) > MaxMessage {
		return ErrTooLarge
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var sendErr error
	err = c.raw.Write(func(fd uintptr) bool {
		sendErr = retry(func() error {
			return unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL)
		})
		return sendErr != unix.EAGAIN
	})
	return errors.Join(err, sendErr)
}

// Recv reads one message. The files belong to the caller. io.EOF says that the
// other end is gone.
func (c *Conn) Recv() (*Message, []*os.File, error) {
	var n, oobn, flags int
	var recvErr error
	err := c.raw.Read(func(fd uintptr) bool {
		recvErr = retry(func() (err error) {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), c.buf, c.oob, unix.MSG_CMSG_CLOEXEC)
			if err == unix.ECONNRESET {
				// The other end closed without reading everything. The error
				// comes once, and before what it had written.
				return unix.EINTR
			}
			return err
		})
		return recvErr != unix.EAGAIN
	})
	if err := errors.Join(err, recvErr); err != nil {
		return nil, nil, err
	}
	files, err := parseFiles(c.oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	m, err := decode(c.buf[:n], flags)
	if err != nil {
		CloseAll(files)
		return nil, nil, err
	}
	return m, files, nil
}

// Close closes this end; the other end reads io.EOF.
func (c *Conn) Close() error { return c.file.Close() }

// PeerUID returns the user id of the process that connected.
func (c *Conn) PeerUID() (int, error) {
	uid, credErr := -1, error(nil)
	err := c.raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			credErr = err
			return
		}
		uid = int(cred.Uid)
	})
	return uid, errors.Join(err, credErr)
}

// CloseAll closes files that nobody will use; errors of close are of no use
// there.
func CloseAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

func decode(data []byte, flags int) (*Message, error) {
	if len(data) == 0 {
		return nil, io.EOF
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return nil, ErrTooLarge
	}
	var m Message
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return &m, nil
}

func parseFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse control message: %w", err)
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // credentials and the like, which nobody asked for
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
