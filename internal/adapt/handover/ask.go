package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Predecessor is the server whose place is wanted. The caller must Close it.
type Predecessor struct {
	Version string
	PID     int
	Sockets []Socket // what it listens on; the files are the caller's

	c conn
}

// Ask reaches the server whose desk is in dir. NotFound: there is none.
func Ask(ctx context.Context, dir, version string) (*Predecessor, error) {
	c, err := dial(dir)
	if err != nil {
		return nil, err
	}
	c.within(answerTime)
	err = c.send(message{Verb: hello, Version: version, PID: os.Getpid()})
	if err != nil {
		return nil, errors.Join(lost(err), c.Close())
	}
	c.within(prepareTime) // another successor may be at the desk
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	m, files, err := c.expect(offer)
	if err == nil && len(files) != len(m.Names) {
		err = fmt.Errorf("%d sockets for %d names", len(files), len(m.Names))
	}
	if err != nil {
		closeAll(files)
		return nil, errors.Join(err, c.Close())
	}
	p := &Predecessor{Version: m.Version, PID: m.PID, c: c}
	for i, f := range files {
		p.Sockets = append(p.Sockets, Socket{m.Names[i], f})
	}
	return p, nil
}

func dial(dir string) (conn, error) {
	addr, f, err := address(dir)
	if err != nil {
		return conn{}, errNoServer(dir)
	}
	defer func() { _ = f.Close() }()
	c, err := net.DialUnix("unixpacket", nil, addr)
	if err != nil {
		return conn{}, errNoServer(dir)
	}
	return conn{c}, nil
}

// expect reads an answer of one kind.
func (c conn) expect(v verb) (message, []*os.File, error) {
	m, files, err := c.recv()
	switch {
	case err != nil:
		return m, nil, lost(err)
	case m.Verb == v:
		return m, files, nil
	}
	closeAll(files)
	if m.Verb == refused {
		return m, nil, sunya.Errorf(sunya.FailedPrecondition, "", "the server that runs does not give up its place: %s", m.Error)
	}
	return m, nil, fmt.Errorf("the server that runs said %s instead of %s", m.Verb, v)
}

func lost(err error) error {
	return sunya.Errorf(sunya.Unavailable, "", "the server that runs went away while it was asked for its place: %v", err)
}

// Take asks for the place, when everything is ready that can be. From then on
// nobody accepts connections: be quick. The gift is the caller's to Close.
func (p *Predecessor) Take() (*Gift, error) {
	p.c.within(serveTime)
	if err := p.c.send(message{Verb: take}); err != nil {
		return nil, lost(err)
	}
	m, files, err := p.c.expect(gift)
	if err != nil {
		return nil, err
	}
	if len(files) != len(m.Names)+1 {
		closeAll(files)
		return nil, fmt.Errorf("%d files for %d names", len(files), len(m.Names))
	}
	g := &Gift{Lock: files[0], Networks: map[string]*os.File{}, Busy: m.Busy}
	for i, name := range m.Names {
		g.Networks[name] = files[i+1]
	}
	return g, nil
}

// Serving says that this server serves: the other one has nothing to take back any
// more.
func (p *Predecessor) Serving() error {
	p.c.within(answerTime)
	if err := p.c.send(message{Verb: serving}); err != nil {
		return lost(err)
	}
	return nil
}

// Watcher hears what the other server does on its way out.
type Watcher interface {
	// Busy says in which instances it has requests, and how many.
	Busy(instances map[string]int)
	// Admit takes a connection over that has no request under way, which came in by
	// the listener with this address. The file is its own.
	Admit(listener string, connection *os.File)
}

// Watch reports what the other server does, until it has nothing left and is gone,
// or ctx ends.
func (p *Predecessor) Watch(ctx context.Context, w Watcher) error {
	p.c.forever()
	stop := context.AfterFunc(ctx, func() { _ = p.c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	defer w.Busy(nil)
	for {
		m, files, err := p.c.recv()
		switch {
		case ctx.Err() != nil:
			closeAll(files)
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Verb == passed && len(files) == 1 && len(m.Names) == 1:
			w.Admit(m.Names[0], files[0])
			continue
		case m.Verb == busy:
			w.Busy(m.Busy)
		}
		closeAll(files)
	}
}

// Close ends the conversation: before Serving it leaves the place to the other
// server.
func (p *Predecessor) Close() error {
	for _, s := range p.Sockets {
		_ = s.File.Close()
	}
	return p.c.Close()
}

// Running is a server that runs on a data directory, seen from outside.
type Running struct {
	Version        string
	PID            int
	Stdout, Stderr *os.File // where it prints to; the caller's
}

// Look finds the server whose desk is in dir. NotFound: there is none.
func Look(dir string) (*Running, error) {
	c, err := dial(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	c.within(answerTime)
	if err := c.send(message{Verb: output}); err != nil {
		return nil, lost(err)
	}
	m, files, err := c.expect(output)
	if err != nil {
		return nil, err
	}
	if len(files) != 2 {
		closeAll(files)
		return nil, errors.New("the server that runs does not say where it prints to")
	}
	return &Running{Version: m.Version, PID: m.PID, Stdout: files[0], Stderr: files[1]}, nil
}
