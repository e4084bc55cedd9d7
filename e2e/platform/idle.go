package platform

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Holdings are what a server holds of the machine while it rests.
type Holdings struct {
	Processes         int // below it
	Files, Goroutines int
}

// Holdings counts what is held, and ends the server to see its goroutines.
func (s *Server) Holdings() Holdings {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	h := Holdings{Processes: len(s.Descendants()), Files: len(open)}
	mark := len(s.out.String())
	if err := s.proc.Signal(syscall.SIGQUIT); err != nil {
		s.t.Fatal(err)
	}
	<-s.done
	h.Goroutines = strings.Count(s.out.String()[mark:], "\ngoroutine ")
	return h
}
