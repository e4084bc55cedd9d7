package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Upgrade starts another server that takes over from this one, and returns when
// it serves. The old one ends by itself once its requests are over.
func (s *Server) Upgrade() {
	s.t.Helper()
	mark := len(s.out.String())
	next := s.run(s.upArgs("--replace")...)
	s.succeed(next)
	s.awaitReady(mark)
	s.Eventually(10*time.Second, "the new server has the place", func() error { return s.holds(next.proc.Pid) })
}

// succeed makes another process this server's.
func (s *Server) succeed(next *process) {
	old := *s.process
	next.before = append(old.before, &process{proc: old.proc, done: old.done})
	*s.process = *next
}

// holds is nil when a process has noted that the data directory is its own.
func (s *Server) holds(pid int) error {
	b, err := os.ReadFile(filepath.Join(s.Data, "lock"))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(b)); got != fmt.Sprint(pid) {
		return fmt.Errorf("the lock names %s", got)
	}
	return nil
}

// TryReplace starts another server that is to take over from this one, with more
// flags, and returns what it said when it does not come up.
func (s *Server) TryReplace(more ...string) (output string, err error) {
	return s.TryStart(s.upArgs(append(more, "--replace")...)[1:]...)
}

// TryStart runs sunya up and returns what it said when it does not come up.
func (s *Server) TryStart(args ...string) (output string, err error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := exec.CommandContext(ctx, bin(s.t), append([]string{"up"}, args...)...).CombinedOutput()
	return string(b), err
}

// Adopt makes the server that runs on the data directory now this one: somebody
// else has started it.
func (s *Server) Adopt() {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Data, "lock"))
	if err != nil {
		s.t.Fatal(err)
	}
	pid := 0
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		s.t.Fatal(err)
	}
	proc, err := os.FindProcess(pid)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{proc: proc, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			if _, runs := readProcess(filepath.Join("/proc", fmt.Sprint(pid))); !runs {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	s.succeed(p)
}

// Succession is another server on its way to take over.
type Succession struct {
	s    *Server
	next *process
	mark int
}

// Replace starts another server that is to take over, and does not wait.
func (s *Server) Replace() *Succession {
	s.t.Helper()
	mark := len(s.out.String())
	return &Succession{s: s, next: s.run(s.upArgs("--replace")...), mark: mark}
}

// PID is the new server's process id.
func (n *Succession) PID() int { return n.next.proc.Pid }

// AtWork is nil once the old server makes room, which it says with --verbosity
// info.
func (n *Succession) AtWork() error {
	if !strings.Contains(n.s.out.String()[n.mark:], "make room for the next server") {
		return errors.New("nobody has made room yet")
	}
	return nil
}

// Settle finds out who serves after one of the two was killed, and starts a server
// when neither does.
func (n *Succession) Settle(killed int) {
	s := n.s
	s.t.Helper()
	old := *s.process
	left := n.next
	if killed == left.proc.Pid {
		<-left.done
		left = &old
	} else {
		<-old.done
	}
	s.Eventually(60*time.Second, "somebody serves", func() error {
		select {
		case <-left.done: // neither does, which is no worse than a restart
			*s.process = process{proc: left.proc, done: left.done}
			s.Up()
			return nil
		default:
		}
		resp, err := (&http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(s.URL() + "/healthz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		*s.process = *left
		return nil
	})
}
