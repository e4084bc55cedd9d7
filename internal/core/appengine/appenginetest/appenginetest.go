// Package appenginetest is an App Engine in memory, for tests: the stores that
// core/appengine asks for, and a deploy that is done at once.
package appenginetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// World is everything around an Admin. It is safe for concurrent use.
type World struct {
	mu       sync.Mutex
	apps     map[string]appengine.Application
	versions map[appengine.Key]appengine.Version
	services map[string]sunya.Service
	hosts    map[string]sunya.Host
	revs     map[string]sunya.Revision
	ops      map[string]sunya.Operation
	order    []string // names of operations, oldest first
	pending  []sunya.Deployment
	objects  map[string]int64 // bucket/object: size
	ids      int
	now      time.Time

	Buckets []string // made by EnsureBucket
	Kicks   int
	Ended   []string // instances, by EndInstance
}

// New returns an empty World.
func New() *World {
	return &World{
		apps:     map[string]appengine.Application{},
		versions: map[appengine.Key]appengine.Version{},
		services: map[string]sunya.Service{},
		hosts:    map[string]sunya.Host{},
		revs:     map[string]sunya.Revision{},
		ops:      map[string]sunya.Operation{},
		objects:  map[string]int64{},
		now:      time.Date(2026, 11, 23, 18, 15, 0, 0, time.UTC),
	}
}

// Admin returns an Admin of the world: python311 and nodejs22 exist, the domain
// is localhost.
func (w *World) Admin() *appengine.Admin {
	return appengine.New(appengine.Parts{
		Store:      w,
		Catalog:    w,
		Operations: w,
		Objects:    w,
		Runtimes:   runtimes{},
		CheckPath: func(p string) error {
			if strings.HasPrefix(p, "/") || strings.Contains(p, "..") {
				return sunya.Invalid("", "%q leaves the source directory", p)
			}
			return nil
		},
		EnsureBucket: func(_ context.Context, _, bucket string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !slices.Contains(w.Buckets, bucket) {
				w.Buckets = append(w.Buckets, bucket)
			}
			return nil
		},
		EndInstance: w.endInstance,
		Kick:        func() { w.mu.Lock(); defer w.mu.Unlock(); w.Kicks++ },
		Domain:      "localhost",
		URL:         func(label string) string { return "http://" + label + ".localhost:8080" },
		SourceHosts: []string{"localhost"},
		Location:    "local",
		Now:         w.clock,
		NewID:       w.id,
	})
}

type runtimes struct{}

func (runtimes) Names() []string { return []string{"nodejs22", "python311"} }

func (r runtimes) Resolve(id string) (string, error) {
	if id == "python39" {
		return "python39: not here, python311 is used", nil
	}
	if !slices.Contains(r.Names(), id) {
		return "", sunya.Invalid("", "%q is not known: use one of %s", id, strings.Join(r.Names(), ", "))
	}
	return "", nil
}

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
	return fmt.Sprintf("op-%04d", w.ids)
}

// Upload makes an object exist.
func (w *World) Upload(bucket, object string, size int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[bucket+"/"+object] = size
}

// GetObject implements appengine.Objects.
func (w *World) GetObject(_ context.Context, bucket, name string) (*objects.Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size, ok := w.objects[bucket+"/"+name]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, bucket+"/"+name, "no such object")
	}
	return &objects.Object{Bucket: bucket, Name: name, Size: size}, nil
}

// Service implements appengine.Catalog.
func (w *World) Service(name string) (sunya.Service, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.services[name]
	return s, ok
}

// Revision implements appengine.Catalog.
func (w *World) Revision(name string) (*sunya.Revision, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rev, ok := w.revs[name]
	return &rev, ok
}

// endInstance knows the instances whose names begin with "i".
func (w *World) endInstance(_ context.Context, revision, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.revs[revision]; !ok || !strings.HasPrefix(id, "i") {
		return sunya.Errorf(sunya.NotFound, id, "no such instance")
	}
	w.Ended = append(w.Ended, id)
	return nil
}

// Update implements appengine.Catalog.
func (w *World) Update(ctx context.Context, service string, f func(sunya.Service) (serving.Change, error)) error {
	svc, ok := w.Service(service)
	if !ok {
		return sunya.Errorf(sunya.NotFound, service, "no service")
	}
	ch, err := f(svc)
	if err != nil {
		return err
	}
	return w.Apply(ctx, ch)
}

// Apply implements appengine.Catalog.
func (w *World) Apply(_ context.Context, c serving.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range c.PutHosts {
		if old, ok := w.hosts[h.Label]; ok && old.Service != h.Service && !slices.Contains(c.DeleteHosts, h.Label) {
			return sunya.Errorf(sunya.AlreadyExists, h.Label, "the host belongs to %s", old.Service)
		}
	}
	for _, label := range c.DeleteHosts {
		delete(w.hosts, label)
	}
	for _, s := range c.PutServices {
		w.services[s.Name] = s
	}
	for _, rev := range c.PutRevisions {
		w.revs[rev.Name] = rev
	}
	for _, h := range c.PutHosts {
		w.hosts[h.Label] = h
	}
	for _, name := range c.DeleteRevisions {
		delete(w.revs, name)
	}
	for _, name := range c.DeleteServices {
		delete(w.services, name)
		maps.DeleteFunc(w.hosts, func(_ string, h sunya.Host) bool { return h.Service == name })
	}
	return nil
}

// Hosts returns "label service revision" of every host, in order.
func (w *World) Hosts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, label := range slices.Sorted(maps.Keys(w.hosts)) {
		h := w.hosts[label]
		out = append(out, strings.TrimSpace(h.Label+" "+h.Service+" "+h.Revision))
	}
	return out
}
