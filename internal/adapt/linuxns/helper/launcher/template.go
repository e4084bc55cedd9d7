package launcher

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// maxTemplates is how many are kept; each is a file without a name in the data
// directory, as large as the memory that it keeps. The one that was used least
// lately makes room for a new one.
const maxTemplates = 64

// template is the memory of a program, for others to start from.
type template struct {
	file *os.File
	used time.Time
}

// templateOf is what a sandbox has to do with a template.
type templateOf struct {
	ipc.Template
	file *os.File // nil: there is none to start from
	once sync.Once
}

// setTemplate finds the template that a sandbox is to start from, or makes the
// file for one.
func (s *server) setTemplate(b *box, t *ipc.Template) error {
	if t == nil {
		return nil
	}
	b.template = &templateOf{Template: *t}
	if t.Keep {
		f, err := s.tempFile()
		b.template.file = f
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.templates[t.Key]
	if kept == nil {
		return nil
	}
	kept.used = time.Now()
	f, err := dupFile(kept.file)
	b.template.file = f
	return err
}

// tempFile makes a file that is gone when nobody has it open: nothing is left to
// sweep, however this process ends.
func (s *server) tempFile() (*os.File, error) {
	fd, err := unix.Open(s.cfg.DataDir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "template"), nil
	}
	f, err := os.CreateTemp(s.cfg.DataDir, ".template-*")
	if err != nil {
		return nil, fmt.Errorf("make file for a template: %w", err)
	}
	return f, os.Remove(f.Name())
}

func dupFile(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("open template: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// setup is what the first process is told, and the file that goes with it.
func (t *templateOf) setup() (*ipc.Template, []*os.File) {
	if t == nil || t.file == nil {
		return nil, nil
	}
	return &t.Template, []*os.File{t.file}
}

// makes reports whether the sandbox makes a template, for which it needs the file
// until its end.
func (t *templateOf) makes() bool { return t != nil && t.Keep }

// close gives up the sandbox's own descriptor.
func (t *templateOf) close() {
	if t != nil && t.file != nil {
		t.once.Do(func() { _ = t.file.Close() })
	}
}

// started notes what came of a start from a template.
func (t *templateOf) started(m *ipc.Message) {
	if t != nil && m.Template != nil {
		t.Used, t.Problem = m.Template.Used, m.Template.Problem
	}
}

// kept takes over the template that a sandbox has made.
func (s *server) kept(b *box, m *ipc.Message) {
	if b.template == nil || m.Template == nil {
		return
	}
	report := *m.Template
	report.Key, report.Keep = b.template.Key, true
	if report.Problem == "" {
		if f, err := dupFile(b.template.file); err != nil {
			report.Problem = err.Error()
		} else {
			s.putTemplate(report.Key, f)
		}
	}
	b.emit(&ipc.Message{Verb: ipc.Kept, Sandbox: b.name, Template: &report}, nil)
}

func (s *server) putTemplate(key string, f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropTemplate(key)
	for len(s.templates) >= maxTemplates {
		s.dropTemplate(s.leastUsedTemplate())
	}
	if s.templates == nil {
		s.templates = map[string]*template{}
	}
	s.templates[key] = &template{file: f, used: time.Now()}
}

// leastUsedTemplate and dropTemplate are called with mu held.
func (s *server) leastUsedTemplate() (least string) {
	for key, t := range s.templates {
		if least == "" || t.used.Before(s.templates[least].used) {
			least = key
		}
	}
	return least
}

func (s *server) dropTemplate(key string) {
	if t := s.templates[key]; t != nil {
		_ = t.file.Close() // what runs from it has it mapped
		delete(s.templates, key)
	}
}

// discard forgets a template. An unknown one is not an error.
func (s *server) discard(m *ipc.Message) error {
	if m.Template == nil {
		return errors.New("no template is named")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropTemplate(m.Template.Key)
	return nil
}
