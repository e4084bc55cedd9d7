package platform

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Holdings are what a server and everything below it hold of the machine while
// they rest.
type Holdings struct {
	Processes, Files int
	Goroutines       int // of the server
}

// Holdings counts what is held, and ends the server to see its goroutines.
func (s *Server) Holdings() Holdings {
	s.t.Helper()
	below := s.Descendants()
	h := Holdings{Processes: len(below)}
	for _, p := range append(below, Process{PID: s.PID()}) {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
		if err != nil {
			s.t.Fatal(err)
		}
		h.Files += len(open)
	}
	mark := len(s.out.String())
	if err := s.proc.Signal(syscall.SIGQUIT); err != nil {
		s.t.Fatal(err)
	}
	<-s.done
	h.Goroutines = strings.Count(s.out.String()[mark:], "\ngoroutine ")
	return h
}
