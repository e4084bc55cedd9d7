package launcher

import (
	"os"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// learn keeps how a server was started, when the launcher's own user says so. A
// server that has given up root is not asked what root is to start.
func (s *server) learn(hello *ipc.Message, uid int) {
	if uid != os.Geteuid() || hello.Hello == nil || hello.Hello.Command == nil {
		return
	}
	s.mu.Lock()
	s.command = hello.Hello.Command
	s.mu.Unlock()
}

// describe tells the launcher's own user how the server was started.
func (s *server) describe(conn *ipc.Conn, m *ipc.Message, uid int) {
	answer := &ipc.Message{ID: m.ID, Verb: m.Verb}
	if uid == os.Geteuid() {
		s.mu.Lock()
		answer.Command = s.command
		s.mu.Unlock()
	}
	if answer.Command == nil {
		answer.Error = ipc.Errorf(ipc.NotFound, "it is not known how the server was started")
	}
	_ = conn.Send(answer)
	_ = conn.Close()
}

// retire makes room for the next server.
func (s *server) retire(conn *ipc.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != conn {
		return ipc.Errorf(ipc.FailedPrecondition, "the sandboxes have another server")
	}
	s.client = nil
	s.retired[conn] = true
	return nil
}

// reclaim gives the sandboxes back to a server that has retired, unless there is
// another.
func (s *server) reclaim(conn *ipc.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil || s.closing || !s.retired[conn] {
		return ipc.Errorf(ipc.FailedPrecondition, "the sandboxes have another server")
	}
	delete(s.retired, conn)
	s.client = conn
	return nil
}

// allowed says whether a connection may ask for something: a server that has
// retired may finish its requests and nothing else.
func (s *server) allowed(conn *ipc.Conn, v ipc.Verb) bool {
	switch v {
	case ipc.Sockets, ipc.Thaw, ipc.Usage, ipc.List, ipc.Reclaim:
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.retired[conn]
}
