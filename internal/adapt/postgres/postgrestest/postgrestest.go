// Package postgrestest starts a real Postgres server for tests: of its own, in a
// folder of its own, reached through a Unix socket alone.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const startTimeout = time.Minute

// Server is a Postgres server.
type Server struct {
	t    testing.TB
	dir  string
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	made int
}

// Start makes a cluster and starts a server on it, which ends with the test. The
// test is skipped where Postgres is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	if program("postgres") == "" || program("initdb") == "" {
		t.Skip("Postgres is not installed (apt-get install postgresql)")
	}
	dir, err := os.MkdirTemp("", "pg") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{t: t, dir: dir, as: credentials(t, dir)}
	init := exec.Command(program("initdb"), "--username=sunya", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions", "--no-sync", "--pgdata="+s.data())
	init.SysProcAttr, init.Dir = s.as, dir
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Up()
	t.Cleanup(s.Kill)
	return s
}

// program finds one of Postgres' programs; distributions keep them out of PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// credentials are those of a user without rights when this one is root, as whom
// Postgres refuses to run. The folder becomes that user's.
func credentials(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err == nil {
		err = errors.Join(os.Chown(dir, uid, uid), os.Chmod(dir, 0o711)) // others may use the socket
	}
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Up starts the server and waits until it answers.
func (s *Server) Up() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(program("postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=")
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.as, s.dir, log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.do(ctx, "SELECT 1")
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			s.t.Fatalf("Postgres does not answer: %v\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the server and all of its processes at once, as a crash does: what
// it has not synced is lost to it.
func (s *Server) Kill() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	// Immediate shutdown: without a checkpoint, so that the next start recovers.
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Database makes an empty database and returns its URL.
func (s *Server) Database() string {
	s.t.Helper()
	s.made++
	name := fmt.Sprint("test", s.made)
	if err := s.do(context.Background(), "CREATE DATABASE "+name); err != nil {
		s.t.Fatal(err)
	}
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://sunya@/%s?host=%s", database, s.dir)
}

// do runs a statement as the owner of the cluster.
func (s *Server) do(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
