package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is the desk's, in the directory that Open and Ask are given.
const socketName = "server.sock"

// What one packet holds. Files beyond maxFiles go in further packets.
const (
	maxMessage = 128 << 10
	maxFiles   = 200
)

type verb string

const (
	hello   verb = "hello"   // to the old server: who asks; answered by offer
	offer   verb = "offer"   // what the old server has, with its listening sockets
	take    verb = "take"    // the new server is ready; answered by gift or refused
	gift    verb = "gift"    // what only one can have
	more    verb = "more"    // further files of the message before
	serving verb = "serving" // the new server serves
	busy    verb = "busy"    // which instances the old server has requests in
	passed  verb = "passed"  // a connection without a request, by its listener's address
	refused verb = "refused"
	output  verb = "output" // where the old server prints to; answered with two files
)

// message is one packet.
type message struct {
	Verb    verb           `json:"verb"`
	Version string         `json:"version,omitempty"` // of the program
	PID     int            `json:"pid,omitempty"`
	Names   []string       `json:"names,omitempty"` // of the files
	Left    int            `json:"left,omitempty"`  // files that come in further packets
	Busy    map[string]int `json:"busy,omitempty"`  // requests by instance
	Error   string         `json:"error,omitempty"`
}

// conn keeps messages whole: a SOCK_SEQPACKET unix socket.
type conn struct{ *net.UnixConn }

// send writes one message; the files stay the caller's.
func (c conn) send(m message, files ...*os.File) error {
	for first := true; first || len(files) > 0; first = false {
		part := files[:min(len(files), maxFiles)]
		files = files[len(part):]
		if m.Left = len(files); !first {
			m = message{Verb: more, Left: len(files)}
		}
		if err := c.packet(m, part); err != nil {
			return err
		}
	}
	return nil
}

func (c conn) packet(m message, files []*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(data) > maxMessage {
		return fmt.Errorf("message of %d bytes is too large", len(data))
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	_, _, err = c.WriteMsgUnix(data, rights, nil)
	return err
}

// recv reads one message with all of its files, which are the caller's. io.EOF
// says that the other side is gone.
func (c conn) recv() (message, []*os.File, error) {
	m, files, err := c.recvPacket()
	for left := m.Left; err == nil && left > 0; {
		var part message
		var extra []*os.File
		part, extra, err = c.recvPacket()
		files, left = append(files, extra...), part.Left
		if err == nil && part.Verb != more {
			err = fmt.Errorf("%s in the middle of %s", part.Verb, m.Verb)
		}
	}
	if err != nil {
		closeAll(files)
		return message{}, nil, err
	}
	return m, files, nil
}

func (c conn) recvPacket() (m message, files []*os.File, err error) {
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(maxFiles*4))
	n, oobn, flags, _, err := c.ReadMsgUnix(buf, oob)
	if err != nil {
		return m, nil, err
	}
	if files, err = parseFiles(oob[:oobn]); err != nil {
		return m, nil, err
	}
	switch {
	case n == 0:
		err = io.EOF
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errors.New("message is too large")
	default:
		err = json.Unmarshal(buf[:n], &m)
	}
	return m, files, err
}

func parseFiles(oob []byte) ([]*os.File, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // nobody asked for it
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

// peerUID is the user of the other side.
func (c conn) peerUID() (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid, credErr := -1, error(nil)
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); credErr == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, credErr)
}

// within bounds what is read and written next.
func (c conn) within(d time.Duration) { _ = c.SetDeadline(time.Now().Add(d)) }

// forever lifts the bound.
func (c conn) forever() { _ = c.SetDeadline(time.Time{}) }

// address reaches the desk through a descriptor of its directory, because a
// socket's address holds 107 bytes. The caller closes the file.
func address(dir string) (*net.UnixAddr, *os.File, error) {
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, nil, err
	}
	name := filepath.Join("/proc/self/fd", fmt.Sprint(f.Fd()), socketName)
	return &net.UnixAddr{Net: "unixpacket", Name: name}, f, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
