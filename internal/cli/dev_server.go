package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// devServer is the platform that a session works with: the one that was found,
// or one of its own.
type devServer struct {
	client *client

	// Of its own server:
	process *exec.Cmd // nil: the server is somebody else's
	stdin   io.Closer // the server ends when it is closed, or when this process dies
	output  *tailBuffer
	ended   chan struct{}
}

// findServer connects to the server. Where none answers at the default address,
// it starts one, with its data in a directory that belongs to the source.
func findServer(ctx context.Context, env *Env, data, source string) (*devServer, error) {
	c, err := connect(ctx, env)
	if err == nil {
		return &devServer{client: c}, nil
	}
	var gone *unreachable
	if !errors.As(err, &gone) || env.flags.Server != defaultServer {
		return nil, err
	}
	if data == "" {
		data = devData(env, source)
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(env.Dir, data)
	}
	s, err := startServer(ctx, env, data)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(env.Stderr, "No server was running: started one until the end of this session (%s, data in %s).\n", s.client.base, data)
	return s, nil
}

// devData is where the server of a session keeps its data: one directory a
// source, so that what was installed and stored is there the next time.
func devData(env *Env, source string) string {
	sum := sha256.Sum256([]byte(source))
	name := filepath.Base(source) + "-" + hex.EncodeToString(sum[:4])
	return filepath.Join(cacheDir(env), "dev", name)
}

// cacheDir is where this user keeps what may be deleted at any time.
func cacheDir(env *Env) string {
	if dir := env.Getenv("SUNYA_CACHE"); dir != "" {
		return dir
	}
	// As root the server gives its rights up, and home directories are closed
	// to it then.
	if os.Getuid() == 0 {
		return "/var/cache/sunya"
	}
	if dir := env.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "sunya")
	}
	return filepath.Join(env.Getenv("HOME"), ".cache", "sunya")
}

// startServer runs sunya up in a process of its own, which gives up root; this
// one still has to read the source. Its standard input is a pipe from here: it
// ends with this process, however that ends.
func startServer(ctx context.Context, env *Env, data string) (*devServer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(data), 0o755); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	args := []string{"up", "--data", data, "--listen", address, "--while-stdin"}
	if env.flags.Project != "" {
		args = append(args, "--project", env.flags.Project)
	}
	s := &devServer{process: exec.Command(exe, args...), output: &tailBuffer{}, ended: make(chan struct{})}
	s.process.Stdout, s.process.Stderr = s.output, s.output
	// Ctrl-C is for this process alone, which then ends the server in order.
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.stdin, err = s.process.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // what it said tells more than its status
	}()
	env.flags.Server = "http://" + address
	if err := s.await(ctx, env); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// freeAddress is the default address, or another where it is taken.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", strings.TrimPrefix(defaultServer, "http://"))
	if err != nil {
		l, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

const (
	startPatience = 30 * time.Second
	startPause    = 20 * time.Millisecond
)

// await waits until the own server answers.
func (s *devServer) await(ctx context.Context, env *Env) error {
	late, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		c, err := connect(late, env)
		if err == nil {
			s.client = c
			return nil
		}
		select {
		case <-s.ended:
			return s.died()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.Done():
			return &failure{err: fmt.Errorf("the server did not become ready within %v: %w", startPatience, err), logs: s.output.lines()}
		case <-time.After(startPause):
		}
	}
}

func (s *devServer) died() error {
	return &failure{err: errors.New("the session's own server ended"), logs: s.output.lines(), try: "sunya up   (in another terminal, then sunya dev)"}
}

// wait returns when ctx ends, with its cause, or when the own server does.
func (s *devServer) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ended: // nil, and so never, where the server is somebody else's
		return s.died()
	}
}

// stopPatience bounds the end of the own server, which drains its requests and
// stops its instances.
const stopPatience = 40 * time.Second

// stop ends the own server and waits until it is gone.
func (s *devServer) stop() error {
	if s.client != nil {
		s.client.close()
	}
	if s.process == nil {
		return nil
	}
	_ = s.stdin.Close() // closed already where the server has ended
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopPatience):
		err := s.process.Process.Kill()
		<-s.ended
		return errors.Join(fmt.Errorf("the session's own server did not end within %v", stopPatience), err)
	}
}

// tailBuffer keeps the end of what is written to it. It is safe for concurrent
// use.
type tailBuffer struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 64 << 10

// Write implements io.Writer.
func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text) - maxTail; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
	return len(p), nil
}

// lines returns the last lines.
func (t *tailBuffer) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(string(bytes.TrimSpace(t.text)), "\n")
	return all[max(0, len(all)-failureLines):]
}
