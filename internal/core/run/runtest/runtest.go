// Package runtest is Cloud Run in memory, for tests: the store that core/run
// asks for, a catalog, and deployments that fetch and start nothing.
package runtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// World is everything around an Admin. It is safe for concurrent use.
type World struct {
	Catalog *serving.Catalog
	// Auto carries out deployments by itself, soon after they were stored. Else
	// Deploy does.
	Auto bool

	mu        sync.Mutex
	admin     *run.Admin
	services  map[run.Key]run.Service
	revisions []run.Revision // oldest first
	ops       map[string]sunya.Operation
	order     []string // names of operations, oldest first
	pending   []sunya.Deployment
	changed   chan struct{} // closed and replaced with every change of an operation
	ids       int
	now       time.Time
}

// New returns an empty World.
func New() *World {
	w := &World{
		services: map[run.Key]run.Service{},
		ops:      map[string]sunya.Operation{},
		changed:  make(chan struct{}),
		now:      time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
	w.Catalog = serving.NewCatalog(&served{services: map[string]sunya.Service{}})
	w.admin = run.New(run.Parts{
		Store:   w,
		Catalog: w.Catalog,
		Kick: func() {
			if w.Auto {
				go w.Deploy(context.Background())
			}
		},
		Supersede: w.supersede,
		Now:       w.clock,
		NewID:     w.id,
	})
	return w
}

// Admin returns the world's Admin.
func (w *World) Admin() *run.Admin { return w.admin }

// clock goes on by one second with every look.
func (w *World) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Second)
	return w.now
}

func (w *World) id() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%04d", w.ids)
}

// Pending returns the deployments that were stored and not carried out.
func (w *World) Pending() []sunya.Deployment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sunya.Deployment(nil), w.pending...)
}

// Deploy carries out what is pending as the deploy runner does, each step twice,
// as after a crash. An image whose name has "missing" in it does not exist, one
// with "silent" never listens.
func (w *World) Deploy(ctx context.Context) {
	w.mu.Lock()
	todo := w.pending
	w.pending = nil
	w.mu.Unlock()
	for i := range todo {
		w.deploy(ctx, &todo[i])
	}
}

func (w *World) deploy(ctx context.Context, d *sunya.Deployment) {
	err := w.start(ctx, d)
	for range 2 {
		if err == nil {
			err = w.Catalog.Update(ctx, d.Revision.Service, func(now sunya.Service) (serving.Change, error) { return w.admin.Route(ctx, d, now) })
		}
	}
	if err != nil {
		w.undo(ctx, d)
	}
	for range 2 {
		if err == nil {
			must(w.admin.Finish(ctx, d))
		} else {
			must(w.admin.Fail(ctx, d, err))
		}
	}
	w.endOperation(d.Operation, err)
}

// supersede ends a deployment that is pending.
func (w *World) supersede(ctx context.Context, id string) error {
	w.mu.Lock()
	i := slices.IndexFunc(w.pending, func(d sunya.Deployment) bool { return d.ID == id })
	if i < 0 {
		w.mu.Unlock()
		return nil
	}
	d := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	w.mu.Unlock()
	cause := sunya.Errorf(sunya.Aborted, "", "another change of the service took its place")
	must(w.admin.Fail(ctx, &d, cause))
	w.endOperation(d.Operation, cause)
	return nil
}

// start is the building and starting steps.
func (w *World) start(ctx context.Context, d *sunya.Deployment) error {
	if d.Step != sunya.StepBuilding {
		return nil
	}
	rev := &d.Revision
	for name, spec := range d.Build.Images {
		if strings.Contains(spec.Reference, "missing") {
			return sunya.Errorf(sunya.NotFound, "", "image %s does not exist", spec.Reference)
		}
		if name == rev.ContainerName {
			rev.Image.Digest = "sha256:" + strings.Repeat("0", 64)
		}
	}
	change := serving.Change{PutRevisions: []sunya.Revision{*rev}}
	if _, ok := w.Catalog.Service(rev.Service); !ok {
		change.PutServices = []sunya.Service{{Name: rev.Service, Project: rev.Project, Product: rev.Product, Access: d.Access}}
	}
	must(w.Catalog.Apply(ctx, change))
	if strings.Contains(d.Build.Images[rev.ContainerName].Reference, "silent") && !d.Unproven {
		return &sunya.Error{Code: sunya.FailedPrecondition, Resource: rev.Name, Reason: sunya.ReasonRevisionNotReady, Message: "nothing listens on port 8080"}
	}
	return nil
}

func (w *World) undo(ctx context.Context, d *sunya.Deployment) {
	if _, ok := w.Catalog.Revision(d.Revision.Name); !ok {
		return
	}
	change := serving.Change{DeleteRevisions: []string{d.Revision.Name}}
	if svc, ok := w.Catalog.Service(d.Revision.Service); ok && len(svc.Traffic.Targets) == 0 {
		change.DeleteServices = []string{svc.Name}
	}
	must(w.Catalog.Apply(ctx, change))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// served is a serving.Store that keeps services only.
type served struct {
	mu       sync.Mutex
	services map[string]sunya.Service
}

// Load implements serving.Store.
func (s *served) Load(context.Context) (serving.Snapshot, error) { return serving.Snapshot{}, nil }

// Apply implements serving.Store.
func (s *served) Apply(_ context.Context, c serving.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, svc := range c.PutServices {
		svc.Generation = s.services[svc.Name].Generation + 1
		s.services[svc.Name] = svc
	}
	for _, name := range c.DeleteServices {
		delete(s.services, name)
	}
	return nil
}

// GetService implements serving.ServiceGetter.
func (s *served) GetService(_ context.Context, name string) (*sunya.Service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	svc, ok := s.services[name]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, name, "no such service")
	}
	return &svc, nil
}
