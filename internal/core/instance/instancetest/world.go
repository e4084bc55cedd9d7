package instancetest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Store is a serving.Store in memory that numbers services.
type Store struct {
	mu    sync.Mutex
	state serving.Snapshot
}

// Load implements serving.Store.
func (s *Store) Load(context.Context) (serving.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return serving.Snapshot{
		Services:  slices.Clone(s.state.Services),
		Revisions: slices.Clone(s.state.Revisions),
		Hosts:     slices.Clone(s.state.Hosts),
	}, nil
}

// GetService implements serving.ServiceGetter.
func (s *Store) GetService(_ context.Context, name string) (*sunya.Service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, svc := range s.state.Services {
		if svc.Name == name {
			return &svc, nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, name, "no such service")
}

// Apply implements serving.Store.
func (s *Store) Apply(_ context.Context, c serving.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	for _, svc := range c.PutServices {
		i := slices.IndexFunc(st.Services, func(o sunya.Service) bool { return o.Name == svc.Name })
		if i < 0 {
			svc.UIDRange, svc.Generation = len(st.Services)+1, 1
			st.Services = append(st.Services, svc)
			continue
		}
		svc.UIDRange, svc.Generation = st.Services[i].UIDRange, st.Services[i].Generation+1
		st.Services[i] = svc
	}
	for _, r := range c.PutRevisions {
		if !slices.ContainsFunc(st.Revisions, func(o sunya.Revision) bool { return o.Name == r.Name }) {
			st.Revisions = append(st.Revisions, r)
		}
	}
	st.Hosts = slices.DeleteFunc(st.Hosts, func(h sunya.Host) bool { return slices.Contains(c.DeleteHosts, h.Label) })
	for _, h := range c.PutHosts {
		st.Hosts = slices.DeleteFunc(st.Hosts, func(o sunya.Host) bool { return o.Label == h.Label })
		st.Hosts = append(st.Hosts, h)
	}
	st.Hosts = slices.DeleteFunc(st.Hosts, func(h sunya.Host) bool {
		return slices.Contains(c.DeleteServices, h.Service)
	})
	st.Revisions = slices.DeleteFunc(st.Revisions, func(r sunya.Revision) bool {
		return slices.Contains(c.DeleteRevisions, r.Name) || slices.Contains(c.DeleteServices, r.Service)
	})
	st.Services = slices.DeleteFunc(st.Services, func(o sunya.Service) bool { return slices.Contains(c.DeleteServices, o.Name) })
	return nil
}

// Sink is a logs.Sink that keeps what it gets.
type Sink struct {
	mu      sync.Mutex
	entries []logs.Entry
	grown   chan struct{} // closed by the next Write; nil while nobody waits
}

// Write implements logs.Sink.
func (s *Sink) Write(entries ...logs.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entries...)
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// Await returns what was written once there are n entries, or when ctx ends.
func (s *Sink) Await(ctx context.Context, n int) []logs.Entry {
	for {
		s.mu.Lock()
		if s.grown == nil {
			s.grown = make(chan struct{})
		}
		grown, entries := s.grown, slices.Clone(s.entries)
		s.mu.Unlock()
		if len(entries) >= n {
			return entries
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return entries
		}
	}
}

// Entries returns what was written.
func (s *Sink) Entries() []logs.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Quiet returns a logger that says nothing.
func Quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Service is the name of the service that Revision belongs to.
const Service = "apps/demo/services/default"

// Revision returns revision number n of Service.
func Revision(n int) sunya.Revision {
	return sunya.Revision{
		Name:           fmt.Sprintf("%s/v%d", Service, n),
		ID:             fmt.Sprintf("demo-v%d", n),
		Service:        Service,
		Project:        "demo",
		Product:        sunya.AppEngine,
		Container:      sunya.Container{Command: []string{"serve"}, MemoryBytes: 384 << 20},
		Port:           8080,
		Concurrency:    10,
		RequestTimeout: time.Minute,
		StartTimeout:   10 * time.Second,
	}
}

// Deploy makes rev the only revision with traffic, and gives its service the
// host "demo".
func Deploy(ctx context.Context, c *serving.Catalog, rev sunya.Revision) error {
	svc := sunya.Service{Name: rev.Service, Project: rev.Project, Product: rev.Product}
	svc.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: rev.Name, Permille: 1000}}}
	return c.Apply(ctx, serving.Change{
		PutServices:  []sunya.Service{svc},
		PutRevisions: []sunya.Revision{rev},
		PutHosts:     []sunya.Host{{Label: "demo", Service: svc.Name}},
	})
}

// LogName is a LogName for tests.
func LogName(rev *sunya.Revision) (string, logs.Resource) {
	return "projects/" + rev.Project + "/logs/test", logs.Resource{Type: "gae_app"}
}
