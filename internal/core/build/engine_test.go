package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// chrootEngine runs steps in a mount namespace of their own, with the mounts
// that the spec asks for: enough to see what a build does, no isolation.
type chrootEngine struct {
	sandbox.Engine
	starts []sandbox.Spec
}

// enter makes a root of nothing but /usr, a few files of /etc and the mounts,
// and runs the command there. Arguments: root, directory, then "source target"
// pairs up to --, then the command.
const enter = `set -e
root=$1 dir=$2; shift 2
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir -p usr etc proc dev tmp
ln -s usr/bin usr/lib usr/lib64 usr/sbin .
mount --rbind /usr usr; mount --rbind /etc etc; mount --rbind /dev dev; mount --rbind /proc proc
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
shift
exec /usr/sbin/chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$dir" "$@"`

func newChrootEngine(t testing.TB) *chrootEngine {
	t.Helper()
	if out, err := exec.Command("unshare", unshareArgs("true")...).CombinedOutput(); err != nil {
		t.Skipf("SKIP: no mount namespaces here: %v %s", err, out)
	}
	return &chrootEngine{}
}

func unshareArgs(more ...string) []string {
	args := []string{"--mount"}
	if os.Getuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	return append(args, more...)
}

func (e *chrootEngine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	e.starts = append(e.starts, s)
	root, err := os.MkdirTemp("", "root-")
	if err != nil {
		return nil, err
	}
	args := unshareArgs("/bin/sh", "-c", enter, "sh", root, s.Dir)
	for _, m := range s.Mounts {
		args = append(args, m.Source, m.Target)
	}
	cmd := exec.Command("unshare", append(append(args, "--"), s.Args...)...)
	cmd.Env = s.Env
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, spec: s, out: stdout, err: stderr, done: make(chan struct{}), root: root}
	go p.wait()
	return p, nil
}

// process is a sandbox that is only a process.
type process struct {
	cmd      *exec.Cmd
	spec     sandbox.Spec
	out, err io.ReadCloser
	done     chan struct{} // closed by wait
	root     string
	exit     sandbox.Exit
}

// wait waits for the process only: the pipes are the caller's.
func (p *process) wait() {
	defer close(p.done)
	state, err := p.cmd.Process.Wait()
	if err == nil {
		p.exit.Code = state.ExitCode()
	}
	os.Remove(p.root)
}

func (p *process) Spec() sandbox.Spec                           { return p.spec }
func (p *process) StartTime() time.Time                         { return time.Time{} }
func (p *process) Ready(context.Context) error                  { return errors.ErrUnsupported }
func (p *process) Dial(context.Context) (net.Conn, error)       { return nil, errors.ErrUnsupported }
func (p *process) Freeze(context.Context) error                 { return errors.ErrUnsupported }
func (p *process) Thaw(context.Context) error                   { return errors.ErrUnsupported }
func (p *process) Output() (io.ReadCloser, io.ReadCloser)       { return keepOpen{p.out}, keepOpen{p.err} }
func (p *process) Done() <-chan struct{}                        { return p.done }
func (p *process) Exit() sandbox.Exit                           { <-p.done; return p.exit }
func (p *process) Usage(context.Context) (sandbox.Usage, error) { return sandbox.Usage{}, nil }

func (p *process) Stop(context.Context, time.Duration) error {
	select {
	case <-p.done:
	default:
		p.cmd.Process.Kill()
		<-p.done
	}
	return nil
}

// keepOpen closes a pipe without an error when it was closed before.
type keepOpen struct{ io.ReadCloser }

func (k keepOpen) Close() error {
	if err := k.ReadCloser.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// scriptEngine answers steps without running anything: play gets the spec,
// writes what the step prints and returns its exit.
type scriptEngine struct {
	sandbox.Engine
	play   func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit
	starts []sandbox.Spec
}

func (e *scriptEngine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	e.starts = append(e.starts, s)
	pr, pw := io.Pipe()
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &played{process: process{spec: s, out: pr, err: io.NopCloser(strings.NewReader("")), done: make(chan struct{})}, cancel: cancel}
	go func() {
		defer close(p.done)
		p.exit = e.play(runCtx, s, pw)
		pw.Close()
	}()
	return p, nil
}

type played struct {
	process
	cancel context.CancelFunc
}

func (p *played) Stop(context.Context, time.Duration) error {
	p.cancel()
	<-p.done
	return nil
}

func (e *scriptEngine) steps() string {
	var names []string
	for _, s := range e.starts {
		names = append(names, fmt.Sprint(s.Args[0]))
	}
	return strings.Join(names, " ")
}
