package pid1

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

// A program's port is looked for again after a part of the time that it has taken
// so far: what boots in a moment is found at once, and what takes long does not
// notice. What listens elsewhere is looked for less often.
const (
	lookPart, lookMin, lookMax = 200, 100 * time.Microsecond, 10 * time.Millisecond
	elsePart, elseMin, elseMax = 20, 5 * time.Millisecond, 200 * time.Millisecond
)

func pauseAfter(passed time.Duration, part int, least, most time.Duration) time.Duration {
	return min(max(passed/time.Duration(part), least), most)
}

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

// watch asks the kernel until something listens on the port. No connection is
// ever made to the program for this.
func (p *process) watch() {
	port, _ := strconv.ParseUint(p.doc.Annotations[ipc.AnnotationPort], 10, 16)
	if port == 0 {
		return
	}
	d, err := openDiag()
	if err == nil {
		defer d.close()
	}
	var told []int
	begin := time.Now()
	for next := begin; ; { // when to look at everything
		if address := d.loopback(uint16(port)); address != "" {
			p.ready(address)
			return
		}
		passed := time.Since(begin)
		if d == nil || !time.Now().Before(next) {
			listeners := p.listeners(d)
			if address := dialAddress(listeners, int(port)); address != "" {
				p.ready(address)
				return
			}
			if ports := portsOf(listeners); len(ports) > 0 && !slices.Equal(ports, told) {
				told = ports
				_ = p.conn.Send(&ipc.Message{Verb: ipc.Elsewhere, Ports: ports})
			}
			next = time.Now().Add(pauseAfter(passed, elsePart, elseMin, elseMax))
		}
		pause := pauseAfter(passed, lookPart, lookMin, lookMax)
		if d == nil { // looking takes what may be a lot of time from the program
			pause = max(pause, time.Since(begin)-passed)
		}
		nap(pause)
	}
}

// nap sleeps for less than a millisecond too, which the runtime's timers do not.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // one that is cut short is looked after sooner
}

// loopback returns the loopback address under which the port is reached, or "";
// without a diag always that.
func (d *diag) loopback(port uint16) string {
	if d == nil {
		return ""
	}
	for _, ip := range []netip.Addr{loopback4, loopback6} {
		if there, _ := d.listens(ip, port); there {
			return ip.String()
		}
	}
	return ""
}

func (p *process) ready(address string) {
	m := &ipc.Message{Verb: ipc.Ready, Listener: address}
	files, _ := makeSockets(spareSockets, isIPv6(address)) // none: they can be asked for
	_ = p.conn.Send(m, files...)
	ipc.CloseAll(files)
}

// listeners returns everything that listens; without a diag from the socket
// tables, which takes a walk through the sockets of the whole machine.
func (p *process) listeners(d *diag) []listener {
	if d != nil {
		if all, err := d.all(); err == nil {
			return all
		}
	}
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
