package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The bounds of what a successor does.
const (
	answerTime  = 10 * time.Second // for what needs no thought
	prepareTime = 10 * time.Minute // from hello to take
	serveTime   = 2 * time.Minute  // from take to serving: it migrates and reads the state
)

// Socket is a listening socket and the address that it was configured by.
type Socket struct {
	Name string
	File *os.File
}

// Gift is what only one server can have.
type Gift struct {
	Lock     *os.File            // of the data directory, held
	Networks map[string]*os.File // by sandbox: where its frames come from at first
	Busy     map[string]int      // requests of the old server, by instance
}

// Close closes the files.
func (g *Gift) Close() {
	closeAll([]*os.File{g.Lock})
	for _, f := range g.Networks {
		_ = f.Close()
	}
}

// Server is the server that runs.
type Server interface {
	// Sockets are what it listens on; the files are the caller's to close.
	Sockets() ([]Socket, error)
	// Yield gives the place to s, or refuses. It returns when nothing more is said
	// to s.
	Yield(ctx context.Context, s *Successor)
}

// Desk is where successors ask.
type Desk struct {
	listener *net.UnixListener
	version  string
	log      *slog.Logger
}

// Open makes the desk in dir, which only the server's user and root can enter. An
// earlier one there is replaced.
func Open(dir, version string, log *slog.Logger) (*Desk, error) {
	addr, f, err := address(dir)
	if err != nil {
		return nil, fmt.Errorf("open desk: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open desk: %w", err)
	}
	l, err := net.ListenUnix("unixpacket", addr)
	if err != nil {
		return nil, fmt.Errorf("open desk: %w", err)
	}
	l.SetUnlinkOnClose(false) // by then it may be the next server's
	if err := os.Chmod(filepath.Join(dir, socketName), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open desk: %w", err), l.Close())
	}
	return &Desk{listener: l, version: version, log: log.With("component", "handover")}, nil
}

// Run hears successors, one at a time, until ctx ends.
func (d *Desk) Run(ctx context.Context, s Server) error {
	stop := context.AfterFunc(ctx, func() { _ = d.listener.Close() })
	defer stop()
	defer func() { _ = d.listener.Close() }()
	for {
		c, err := d.listener.AcceptUnix()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("desk: %w", err)
		}
		d.hear(ctx, conn{c}, s)
	}
}

// hear answers one caller to its end.
func (d *Desk) hear(ctx context.Context, c conn, s Server) {
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	uid, err := c.peerUID()
	if err != nil || uid != 0 && uid != os.Getuid() {
		d.log.Warn("somebody else asked for this server's place", "uid", uid, "err", err)
		return
	}
	c.within(answerTime)
	m, files, err := c.recv()
	closeAll(files)
	if err != nil {
		return
	}
	switch m.Verb {
	case output:
		_ = c.send(message{Verb: output, Version: d.version, PID: os.Getpid()}, os.Stdout, os.Stderr)
	case hello:
		d.log.Info("a successor asks", "version", m.Version, "pid", m.PID)
		if err := d.offer(c, s); err != nil {
			d.log.Warn("the successor did not come to serve", "err", err)
			return
		}
		s.Yield(ctx, &Successor{c: c, Version: m.Version, PID: m.PID, over: make(chan struct{})})
	}
}

// offer shows what there is and returns once the successor is ready to take it.
func (d *Desk) offer(c conn, s Server) error {
	sockets, err := s.Sockets()
	if err != nil {
		_ = c.send(message{Verb: refused, Error: err.Error()})
		return err
	}
	m := message{Verb: offer, Version: d.version, PID: os.Getpid()}
	var files []*os.File
	for _, socket := range sockets {
		m.Names, files = append(m.Names, socket.Name), append(files, socket.File)
	}
	err = c.send(m, files...)
	closeAll(files)
	if err != nil {
		return err
	}
	c.within(prepareTime)
	m, files, err = c.recv()
	closeAll(files)
	if err == nil && m.Verb != take {
		err = fmt.Errorf("%s instead of %s", m.Verb, take)
	}
	return err
}

// Successor is the server that takes over.
type Successor struct {
	Version string
	PID     int
	c       conn
	over    chan struct{} // closed by Done
}

// Done says that nothing more is said to it; Over is closed then.
func (s *Successor) Done() { close(s.over) }

// Over is closed by Done.
func (s *Successor) Over() <-chan struct{} { return s.over }

// Refuse tells it that it cannot have the place.
func (s *Successor) Refuse(why error) {
	s.c.within(answerTime)
	_ = s.c.send(message{Verb: refused, Error: why.Error()})
}

// Give hands over g, whose files stay the caller's, and returns once the successor
// serves. With an error it does not, and never will.
func (s *Successor) Give(g *Gift) error {
	m := message{Verb: gift, Busy: g.Busy}
	files := []*os.File{g.Lock}
	for name, f := range g.Networks {
		m.Names, files = append(m.Names, name), append(files, f)
	}
	s.c.within(serveTime)
	if err := s.c.send(m, files...); err != nil {
		return err
	}
	answer, extra, err := s.c.recv()
	closeAll(extra)
	switch {
	case err != nil:
		return err
	case answer.Verb == refused:
		return errors.New(answer.Error)
	case answer.Verb != serving:
		return fmt.Errorf("%s instead of %s", answer.Verb, serving)
	}
	return nil
}

// Busy tells the successor in which instances this server still has requests.
func (s *Successor) Busy(instances map[string]int) error {
	s.c.within(answerTime)
	return s.c.send(message{Verb: busy, Busy: instances})
}

// Pass gives the successor a connection, which stays the caller's to close, and the
// address of the listener that it came in by.
func (s *Successor) Pass(listener string, connection *os.File) error {
	s.c.within(answerTime)
	return s.c.send(message{Verb: passed, Names: []string{listener}}, connection)
}

// errNoServer is for a directory on which no server runs.
func errNoServer(dir string) error {
	return sunya.Errorf(sunya.NotFound, dir, "no server runs on this data directory")
}
