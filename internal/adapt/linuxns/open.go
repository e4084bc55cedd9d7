package linuxns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const (
	runDir     = "run"
	socketName = "launcher.sock"
	logName    = "launcher.log"
)

// Open connects to the launcher of the data directory, starting it when there
// is none. A server that is root opens the engine before it gives root up.
// Unavailable means that a launcher is ending or has another server.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if len(cfg.Launcher) == 0 {
		program, err := helper.Binary()
		if err != nil {
			return nil, sunya.Errorf(sunya.FailedPrecondition, "", "open sandbox engine: %v", err)
		}
		cfg.Launcher = program
	}
	if err := makeRunDir(cfg); err != nil {
		return nil, err
	}
	e, err := connect(ctx, cfg)
	if err == nil && e == nil && cfg.Inherit {
		err = sunya.Errorf(sunya.Unavailable, "", "the launcher is gone: start the server without taking over")
	}
	if err == nil && e == nil {
		if e, err = launch(ctx, cfg); err == nil {
			err = e.prove(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open sandbox engine: %w", err)
	}
	if err := e.checkLevel(); err != nil {
		return nil, errors.Join(err, e.end(ctx))
	}
	e.keepReady(ctx)
	return e, nil
}

func makeRunDir(cfg Config) error {
	dir := filepath.Join(cfg.DataDir, runDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if err := os.Lchown(dir, cfg.ServerUID, cfg.ServerGID); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	return nil
}

// connect adopts a launcher that runs. It returns nil without an error where
// there is none, or none that fits.
func connect(ctx context.Context, cfg Config) (*Engine, error) {
	fd, err := dial(cfg.DataDir)
	if err != nil {
		return nil, nil // nobody listens: an old socket, or none
	}
	conn, err := ipc.NewConn(fd)
	if err != nil {
		return nil, err
	}
	e := newEngine(cfg, conn)
	if err := e.hello(ctx, nil); err != nil {
		return nil, e.refused(ctx, err)
	}
	if e.isUsable(buildID(cfg.Launcher)) {
		return e, nil
	}
	if cfg.Inherit {
		e.disconnect()
		return nil, sunya.Errorf(sunya.FailedPrecondition, "", "the launcher that runs speaks version %d, this server %d to %d: stop the server that runs and start this one, instances restart then",
			e.info.Version, ipc.Oldest, ipc.Version)
	}
	cfg.Log.Info("replace launcher", "build", e.info.Build, "sandboxes", e.info.Live)
	return nil, e.Shutdown(ctx)
}

// isUsable says whether the launcher that was found stays: its own, or that of
// another build that speaks a version this server knows and has sandboxes to lose,
// or that has rights which a new one could not have.
func (e *Engine) isUsable(build string) bool {
	if e.info.Version < ipc.Oldest || e.info.Version > ipc.Version {
		return false
	}
	rights := e.info.Level == string(sandbox.Full) && os.Geteuid() != 0
	return e.info.Build == build || e.info.Live > 0 || rights || e.cfg.Inherit
}

// end gives up a launcher that this server cannot use.
func (e *Engine) end(ctx context.Context) error {
	if e.cfg.Inherit {
		return e.Close()
	}
	return e.Shutdown(ctx)
}

// refused waits for a launcher that is ending, so that a new one can take its
// place, and passes every other refusal on.
func (e *Engine) refused(ctx context.Context, err error) error {
	defer e.disconnect()
	if sunya.CodeOf(err) != sunya.Unavailable {
		return err
	}
	select {
	case <-e.lost:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func dial(dataDir string) (int, error) {
	dir, err := unix.Open(filepath.Join(dataDir, runDir), unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	// Through the descriptor, because a socket address holds 107 bytes.
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, socketName)})
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// launch starts a launcher. It gets a session of its own, so that a Ctrl-C in
// the server's terminal is the server's to handle.
func launch(ctx context.Context, cfg Config) (*Engine, error) {
	program, path, err := programFile(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = program.Close() }()
	logFile, err := openLog(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("start launcher: %w", err)
	}
	defer func() { _ = null.Close() }()
	conn, peer, err := ipc.Pair()
	if err != nil {
		return nil, err
	}
	proc, err := os.StartProcess(path, []string{"sunya-launcher", "launcher", buildID(cfg.Launcher)}, &os.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=4"}, Files: []*os.File{null, null, logFile, peer},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	_ = peer.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start launcher: %w", err), conn.Close())
	}
	e := newEngine(cfg, conn)
	e.reapLauncher(proc)
	if err := e.hello(ctx, cfg.launcher()); err != nil {
		e.disconnect()
		return nil, fmt.Errorf("%w (see %s)", err, filepath.Join(cfg.DataDir, runDir, logName))
	}
	return e, nil
}

func openLog(cfg Config) (*os.File, error) {
	name := filepath.Join(cfg.DataDir, runDir, logName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open launcher's log: %w", err)
	}
	return f, nil
}

// programFile returns the launcher as a sealed file in memory, which nothing
// can overwrite and no mount option forbids to execute; or as a file below the
// data directory where the kernel has no such thing.
func programFile(cfg Config) (*os.File, string, error) {
	f, err := sealedProgram(cfg.Launcher)
	if err == nil {
		return f, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), nil
	}
	path := filepath.Join(cfg.DataDir, runDir, "launcher-"+buildID(cfg.Launcher))
	_ = os.Remove(path)
	if err := os.WriteFile(path, cfg.Launcher, 0o555); err != nil {
		return nil, "", fmt.Errorf("write launcher: %w", err)
	}
	f, err = os.Open(path)
	return f, path, err
}

func sealedProgram(program []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("sunya-launcher", flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("sunya-launcher", flags)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "sunya-launcher")
	if _, err := f.Write(program); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// prove starts one sandbox to its end: whether this kernel lets the launcher do
// its work is found out now, not by the first request. What forbids it varies
// (containers, security modules, sysctls), so nothing but trying tells.
func (e *Engine) prove(ctx context.Context) error {
	s, err := e.Start(ctx, sandbox.Spec{ID: "self-check", Profile: sandbox.App, Args: []string{"/bin/sh", "-c", ":"}})
	if err == nil {
		err = errors.Join(s.Stop(ctx, proveTimeout), exitError(s.Exit()))
	}
	if err != nil {
		return errors.Join(sunya.Errorf(sunya.FailedPrecondition, "", "this machine cannot run sandboxes: %v", err), e.Shutdown(ctx))
	}
	return nil
}

// proveTimeout is how long an empty script may take.
const proveTimeout = 10 * time.Second

func exitError(exit sandbox.Exit) error {
	// The request to stop may be faster than the script.
	if exit.Code == 0 || exit.Signal == int(syscall.SIGTERM) {
		return nil
	}
	return errors.New("self-check ended with " + describe(exit))
}

func (e *Engine) checkLevel() error {
	if e.cfg.Level == sandbox.Full && (e.info.Level != string(sandbox.Full) || len(e.info.Missing) > 0) {
		return &sunya.Error{Code: sunya.FailedPrecondition, Reason: sunya.ReasonIsolation,
			Message: fmt.Sprintf("isolation %q is demanded but not possible here: %s", e.cfg.Level, strings.Join(e.info.Missing, "; "))}
	}
	return nil
}
