package linuxns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// Command is how a server was started.
type Command ipc.Command

// Describe asks the launcher of a data directory how its server was started. Only
// the user who started both is told; NotFound means that it is not known. What
// root reads here, root has written.
func Describe(dataDir string) (*Command, error) {
	fd, err := dial(dataDir)
	if err != nil {
		return nil, sunya.Errorf(sunya.NotFound, dataDir, "no server runs on this data directory")
	}
	conn, err := ipc.NewConn(fd)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if uid, err := conn.PeerUID(); err != nil || uid != os.Geteuid() {
		return nil, errors.Join(err, sunya.Errorf(sunya.PermissionDenied, dataDir, "the server was started by uid %d: ask as that user", uid))
	}
	if err := conn.Send(&ipc.Message{ID: 1, Verb: ipc.Describe}); err != nil {
		return nil, fmt.Errorf("ask launcher: %w", err)
	}
	m, files, err := conn.Recv()
	ipc.CloseAll(files)
	switch {
	case errors.Is(err, io.EOF):
		return nil, sunya.Errorf(sunya.NotFound, dataDir, "the launcher of an older Sunya does not know how its server was started")
	case err != nil:
		return nil, fmt.Errorf("ask launcher: %w", err)
	}
	return (*Command)(m.Command), (answer{m: m}).err()
}

// Retire leaves the sandboxes to the next server. From then on nothing is
// started or ended here: Stop lets go. What is needed to finish requests goes on
// working, networks among it: see Divert. A start that is under way is waited for.
func (e *Engine) Retire(ctx context.Context) error {
	e.setRetired(true)
	e.starting.Wait() // each at most as long as the launcher takes to answer
	if _, _, err := e.call(ctx, &ipc.Message{Verb: ipc.Retire}); err != nil {
		e.setRetired(false)
		return fmt.Errorf("leave sandboxes to another server: %w", err)
	}
	return nil
}

// Reclaim takes the sandboxes back after Retire, when no other server has come.
func (e *Engine) Reclaim(ctx context.Context) error {
	for _, d := range e.diverters() {
		d.Undivert()
	}
	if _, _, err := e.call(ctx, &ipc.Message{Verb: ipc.Reclaim}); err != nil {
		return fmt.Errorf("take sandboxes back: %w", err)
	}
	e.setRetired(false)
	return nil
}

func (e *Engine) setRetired(yes bool) {
	e.mu.Lock()
	e.retired = yes
	e.mu.Unlock()
}

func (e *Engine) hasRetired() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.retired
}

// beginStart counts a start in; starting.Done counts it out.
func (e *Engine) beginStart() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.retired {
		return sunya.Errorf(sunya.Unavailable, "", "another server takes over: try again")
	}
	e.starting.Add(1)
	return nil
}

func (e *Engine) knows(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.boxes[name] != nil
}

// Diverter is a network (Config.Network) that can leave new connections to
// another server while it carries on its own.
type Diverter interface {
	// Divert sends what belongs to none of its connections to the given end of a
	// packet socket pair, which it owns.
	Divert(to *os.File) error
	// Undivert ends that.
	Undivert()
	// Quiet reports whether none of its connections has carried anything for d,
	// since Divert.
	Quiet(d time.Duration) bool
}

func (e *Engine) diverters() map[string]Diverter {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]Diverter{}
	for owner, link := range e.links {
		if d, ok := link.(Diverter); ok {
			out[owner] = d
		}
	}
	return out
}

// Divert leaves the networks to the next server. It returns, by the sandbox that
// each was made for, where that server reads what is not for a connection which
// is open here, until the end of file: after that the network is its alone. The
// files are the caller's.
func (e *Engine) Divert() (map[string]*os.File, error) {
	out := map[string]*os.File{}
	for owner, d := range e.diverters() {
		ours, theirs, err := framePair()
		if err == nil {
			err = d.Divert(ours)
			out[owner] = theirs
		}
		if err != nil {
			for _, f := range out {
				_ = f.Close()
			}
			return nil, fmt.Errorf("divert network of %s: %w", owner, err)
		}
	}
	return out, nil
}

// framePair is a connection that keeps frames apart.
func framePair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "frames"), os.NewFile(uintptr(fds[1]), "frames"), nil
}

// Quiet reports whether nothing has passed for d on the connections that the
// networks carry here, since Divert.
func (e *Engine) Quiet(d time.Duration) bool {
	for _, n := range e.diverters() {
		if !n.Quiet(d) {
			return false
		}
	}
	return true
}
