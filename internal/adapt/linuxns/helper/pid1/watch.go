package pid1

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// fastWatch is how long the port is looked for every millisecond; a program
// that takes longer does not notice ten.
const fastWatch = 5 * time.Second

// openTables opens this namespace's socket tables once, to be read again and
// again.
func (p *process) openTables() (err error) {
	if p.tcp, err = os.Open("/proc/self/net/tcp"); err != nil {
		return fmt.Errorf("open socket table: %w", err)
	}
	p.tcp6, err = os.Open("/proc/self/net/tcp6")
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("open socket table: %w", err)
	}
	return nil
}

// watch asks the kernel's socket tables until something listens on the port.
// No connection is ever made to the program for this.
func (p *process) watch() {
	port, _ := strconv.Atoi(p.doc.Annotations[ipc.AnnotationPort])
	if port == 0 {
		return
	}
	var told []int
	begin := time.Now()
	for {
		listeners := p.listeners()
		if address := dialAddress(listeners, port); address != "" {
			p.ready(address)
			return
		}
		if ports := portsOf(listeners); len(ports) > 0 && !slices.Equal(ports, told) {
			told = ports
			_ = p.conn.Send(&ipc.Message{Verb: ipc.Elsewhere, Ports: ports})
		}
		pause := time.Millisecond
		if time.Since(begin) > fastWatch {
			pause = 10 * time.Millisecond
		}
		time.Sleep(pause)
	}
}

func (p *process) ready(address string) {
	m := &ipc.Message{Verb: ipc.Ready, Listener: address}
	files, _ := makeSockets(spareSockets, isIPv6(address)) // none: they can be asked for
	_ = p.conn.Send(m, files...)
	ipc.CloseAll(files)
}

func (p *process) listeners() []listener {
	ls := parseListeners(readTable(p.tcp), false)
	if p.tcp6 == nil {
		return ls
	}
	return append(ls, parseListeners(readTable(p.tcp6), true)...)
}

// sendSockets answers a request for unconnected sockets, with fewer than asked
// where descriptors run out.
func (p *process) sendSockets(m *ipc.Message) {
	files, err := makeSockets(min(m.N, 64), m.IPv6)
	answer := &ipc.Message{ID: m.ID, Verb: ipc.Sockets}
	if err != nil {
		answer.Error = ipc.Errorf(ipc.Unavailable, "%v", err)
	}
	_ = p.conn.Send(answer, files...)
	ipc.CloseAll(files)
}

func makeSockets(n int, ipv6 bool) ([]*os.File, error) {
	family := unix.AF_INET
	if ipv6 {
		family = unix.AF_INET6
	}
	var files []*os.File
	for range n {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return files, fmt.Errorf("make socket: %w", err)
		}
		files = append(files, os.NewFile(uintptr(fd), "tcp"))
	}
	return files, nil
}

// readTable returns the table's text of the moment.
func readTable(f *os.File) string {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	return string(data)
}
