// Package launcher is the small process that does everything that needs
// privilege, so that the server needs none. It starts, freezes, counts and ends
// sandboxes for one server, keeps them while the server is away for a moment,
// and takes them with it when it ends.
package launcher

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/cgroup"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/source"
)

// firstFD is the connection to the server that started the launcher.
const firstFD = 3

// SocketPath is where a launcher listens, below the data directory.
const SocketPath = "run/launcher.sock"

// Main runs the launcher and returns its exit status. build identifies the
// binary to servers that look for their own.
func Main(build string) int {
	conn, err := ipc.NewConn(firstFD)
	if err != nil {
		return fail(err)
	}
	m, files, err := conn.Recv()
	ipc.CloseAll(files)
	if err != nil || m.Verb != ipc.Hello || m.Hello == nil || m.Hello.Config == nil {
		return fail(errors.New("first message is not a configuration"))
	}
	s := newServer(*m.Hello.Config, build)
	if err := s.run(conn, m); err != nil {
		_ = conn.Send(&ipc.Message{ID: m.ID, Verb: ipc.Hello, Error: ipc.Errorf(ipc.Internal, "%v", err)})
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "launcher:", err)
	return 1
}

// server is the launcher's state.
type server struct {
	cfg     ipc.Config
	build   string
	full    bool // running as root
	tree    *cgroup.Tree
	roots   source.Roots
	spawner *spawner
	maps    idmaps
	ranges  ranges
	reserve *reserve
	born    atomic.Int64 // numbers the prepared
	remaps  bool         // the data directory can be shown as another user's
	swept   []string
	done    chan struct{} // closed when everything has ended

	mu        sync.Mutex
	boxes     map[string]*box // nil while one is being created
	templates map[string]*template
	client    *ipc.Conn
	retired   map[*ipc.Conn]bool // servers that finish what they have
	command   *ipc.Command       // how the server was started; nil when it did not say
	linger    *time.Timer
	absence   int // how often the launcher was without a server
	closing   bool
}

func newServer(cfg ipc.Config, build string) *server {
	s := &server{
		cfg: cfg, build: build, full: os.Geteuid() == 0,
		tree:    cgroup.Open(cfg.Name),
		roots:   source.Roots{Data: cfg.DataDir, Host: cfg.HostPaths},
		spawner: newSpawner(),
		boxes:   map[string]*box{},
		retired: map[*ipc.Conn]bool{},
		done:    make(chan struct{}),
	}
	s.maps.spawner = s.spawner
	s.reserve = newReserve(cfg.Prepared, s.prepare, s.dispose)
	s.remaps = s.canRemap()
	// Whatever is there belonged to a launcher that is gone.
	s.swept = s.tree.Sweep()
	return s
}

// run serves the first connection and those that come later, until shutdown.
func (s *server) run(first *ipc.Conn, hello *ipc.Message) error {
	listener, err := s.listen()
	if err != nil {
		return err
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		<-terminate
		s.shutdown()
	}()
	s.attach(first)
	s.learn(hello, os.Geteuid())
	s.answerHello(first, hello)
	go s.serve(first)
	go s.accept(listener)
	go s.reserve.run()
	<-s.done
	_ = os.Remove(filepath.Join(s.cfg.DataDir, SocketPath))
	return s.tree.Close()
}

// listen binds the socket through a descriptor of its directory: a socket
// address holds 107 bytes, a data directory may be deeper.
func (s *server) listen() (int, error) {
	dir, err := unix.Open(filepath.Join(s.cfg.DataDir, filepath.Dir(SocketPath)), unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, fmt.Errorf("open run directory: %w", err)
	}
	defer func() { _ = unix.Close(dir) }()
	name := filepath.Base(SocketPath)
	if err := unix.Unlinkat(dir, name, 0); err != nil && err != unix.ENOENT {
		return -1, fmt.Errorf("remove old socket: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	unix.Umask(0o177)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)})
	unix.Umask(0o022)
	if err == nil && s.full {
		err = unix.Fchownat(dir, name, s.cfg.ServerUID, s.cfg.ServerGID, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = unix.Listen(fd, 8)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("listen on %s: %w", SocketPath, err), unix.Close(fd))
	}
	return fd, nil
}

// accept takes later servers. It ends with the process.
func (s *server) accept(listener int) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			if err == unix.EINTR || err == unix.ECONNABORTED {
				continue
			}
			s.shutdown()
			return
		}
		conn, err := ipc.NewConn(fd)
		if err != nil {
			continue
		}
		go s.welcome(conn)
	}
}

// welcome lets a new server in if it is the right user and the only one.
func (s *server) welcome(conn *ipc.Conn) {
	m, files, err := conn.Recv()
	ipc.CloseAll(files)
	uid, credErr := conn.PeerUID()
	if err != nil || credErr != nil || (uid != s.cfg.ServerUID && uid != os.Geteuid()) {
		_ = conn.Close()
		return
	}
	if m.Verb == ipc.Describe {
		s.describe(conn, m, uid)
		return
	}
	if m.Verb != ipc.Hello {
		_ = conn.Close()
		return
	}
	if !s.replace(conn) {
		s.refuse(conn, m)
		return
	}
	s.learn(m, uid)
	s.answerHello(conn, m)
	s.serve(conn)
}

// replaceTimeout is how long the end of one server may take to be noticed when
// the next is there already.
const replaceTimeout = 500 * time.Millisecond

// replace lets a server in as soon as the one before it is gone.
func (s *server) replace(conn *ipc.Conn) bool {
	for deadline := time.Now().Add(replaceTimeout); !s.attach(conn); time.Sleep(time.Millisecond) {
		if s.isClosing() || time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func (s *server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// refuse says why a server cannot come in. One that came too late may wait for
// the end of this process, and of the connection with it.
func (s *server) refuse(conn *ipc.Conn, m *ipc.Message) {
	answer := &ipc.Message{ID: m.ID, Verb: ipc.Hello}
	if s.isClosing() {
		answer.Error = ipc.Errorf(ipc.Unavailable, "launcher is ending")
		_ = conn.Send(answer)
		_, _, _ = conn.Recv()
		return
	}
	answer.Error = ipc.Errorf(ipc.FailedPrecondition, "another server is connected to the launcher")
	_ = conn.Send(answer)
	_ = conn.Close()
}

func (s *server) attach(conn *ipc.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil || s.closing {
		return false
	}
	s.client = conn
	if s.linger != nil {
		s.linger.Stop()
	}
	return true
}

// detach starts the clock that ends everything unless a server returns, or one
// that has retired is still there.
func (s *server) detach(conn *ipc.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = conn.Close()
	delete(s.retired, conn)
	if s.client == conn {
		s.client = nil
	}
	if s.client != nil || len(s.retired) > 0 {
		return
	}
	s.absence++
	absence := s.absence
	s.linger = time.AfterFunc(time.Duration(s.cfg.LingerMS)*time.Millisecond, func() { s.lapse(absence) })
}

// lapse ends everything if the server is still away, in this absence and not a
// later one.
func (s *server) lapse(absence int) {
	s.mu.Lock()
	over := s.client != nil || s.absence != absence || s.closing
	s.closing = s.closing || !over
	s.mu.Unlock()
	if over {
		return
	}
	s.end()
	close(s.done)
}

func (s *server) answerHello(conn *ipc.Conn, m *ipc.Message) {
	s.mu.Lock()
	live := len(s.boxes)
	s.mu.Unlock()
	info := &ipc.HelloInfo{
		Version: ipc.Version, Build: s.build, PID: os.Getpid(), Live: live,
		Level: "user", Facts: s.facts(), Missing: s.missing(), Swept: s.swept, Config: &s.cfg,
	}
	if s.full {
		info.Level = "full"
	}
	_ = conn.Send(&ipc.Message{ID: m.ID, Verb: ipc.Hello, Hello: info})
}

// serve handles the requests of one server, each in its own goroutine: one
// slow stop must not hold up a start.
func (s *server) serve(conn *ipc.Conn) {
	for {
		m, files, err := conn.Recv()
		ipc.CloseAll(files)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "launcher: read request:", err)
			}
			s.detach(conn)
			return
		}
		go s.handle(conn, m)
	}
}

// send tells the current server something; without one it is lost, and the
// next server reads the state instead. A server that has retired is told as well,
// but the files are the other one's: two cannot use one socket.
func (s *server) send(m *ipc.Message, files ...*os.File) {
	s.mu.Lock()
	client, retired := s.client, slices.Collect(maps.Keys(s.retired))
	s.mu.Unlock()
	if client != nil {
		_ = client.Send(m, files...)
	}
	for _, conn := range retired {
		_ = conn.Send(m)
	}
}

// shutdown ends every sandbox and then the launcher.
func (s *server) shutdown() {
	s.mu.Lock()
	already := s.closing
	s.closing = true
	s.mu.Unlock()
	if already {
		return
	}
	s.end()
	close(s.done)
}

// end kills every sandbox and waits until nothing is left of any.
func (s *server) end() {
	s.mu.Lock()
	var all []*box
	for _, b := range s.boxes {
		if b != nil {
			all = append(all, b)
		}
	}
	s.mu.Unlock()
	for _, b := range all {
		b.kill()
	}
	s.reserve.close()
	for _, b := range all {
		<-b.ended
	}
	// What was being created at this moment is not in the list.
	s.tree.Sweep()
}
