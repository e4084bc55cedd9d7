package launcher

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// handle answers one request.
func (s *server) handle(conn *ipc.Conn, m *ipc.Message) {
	answer := &ipc.Message{ID: m.ID, Verb: m.Verb, Sandbox: m.Sandbox}
	var files []*os.File
	var after func()
	var err error
	if !s.allowed(conn, m.Verb) {
		answer.Error = ipc.Errorf(ipc.Unavailable, "another server has taken the sandboxes over")
		_ = conn.Send(answer)
		return
	}
	switch m.Verb {
	case ipc.Retire:
		err = s.retire(conn)
	case ipc.Reclaim:
		err = s.reclaim(conn)
	case ipc.Create:
		files, after, err = s.create(m, answer)
	case ipc.Keep:
		err = s.keep(m.Document)
	case ipc.Discard:
		err = s.discard(m)
	case ipc.List:
		answer.Names, answer.N = s.names(), s.reserve.count()
	case ipc.Shutdown:
		s.shutdownFor(conn, answer)
		return
	default:
		files, err = s.handleBox(m, answer)
	}
	if err != nil {
		answer.Error = asError(err)
	}
	if err := conn.Send(answer, files...); err != nil && errors.Is(err, ipc.ErrTooLarge) {
		_ = conn.Send(&ipc.Message{ID: m.ID, Verb: m.Verb, Error: asError(err)})
	}
	if m.Verb == ipc.Sockets {
		// The server has its own now. A copy left here would keep a connection
		// open that the server has closed, and the program waiting on it.
		ipc.CloseAll(files)
	}
	if after != nil {
		after()
	}
}

// handleBox answers a request about one sandbox. Stopping an unknown one is
// not an error.
func (s *server) handleBox(m, answer *ipc.Message) ([]*os.File, error) {
	s.mu.Lock()
	b := s.boxes[m.Sandbox]
	s.mu.Unlock()
	if b == nil {
		if m.Verb == ipc.Stop {
			return nil, nil
		}
		return nil, ipc.Errorf(ipc.NotFound, "no sandbox %q", m.Sandbox)
	}
	switch m.Verb {
	case ipc.Freeze:
		return nil, b.freeze()
	case ipc.Thaw:
		return nil, b.thaw()
	case ipc.PageOut:
		return nil, b.group.PageOut()
	case ipc.Stop:
		b.stop(time.Duration(m.GraceMS) * time.Millisecond)
		s.forget(b)
		return nil, nil
	case ipc.Usage:
		answer.Usage = b.usage()
		return nil, nil
	case ipc.Sockets:
		return b.sockets(m)
	case ipc.Adopt:
		answer.State = b.snapshot()
		answer.Packet = b.packet != nil
		return b.files(), nil
	}
	return nil, ipc.Errorf(ipc.InvalidArgument, "no verb %q", m.Verb)
}

func (s *server) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, b := range s.boxes {
		if b != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// forget drops a sandbox that has ended, with the files kept for a later
// server.
func (s *server) forget(b *box) {
	s.mu.Lock()
	if s.boxes[b.name] == b {
		delete(s.boxes, b.name)
	}
	s.mu.Unlock()
	s.leave(b)
	b.closeOnce.Do(func() { ipc.CloseAll([]*os.File{b.stdout, b.stderr, b.packet}) })
}

// shutdownFor answers before the process ends, but after everything else has.
func (s *server) shutdownFor(conn *ipc.Conn, answer *ipc.Message) {
	s.mu.Lock()
	already := s.closing
	s.closing = true
	s.mu.Unlock()
	if !already {
		s.end()
	}
	_ = conn.Send(answer)
	if !already {
		close(s.done)
	}
}

func asError(err error) *ipc.Error {
	var e *ipc.Error
	if errors.As(err, &e) {
		return e
	}
	return ipc.Errorf(ipc.Internal, "%v", err)
}
