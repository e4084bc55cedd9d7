package serving

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sunya-cloud/sunya"
)

// Catalog is the serving state in memory: writes go through the Store and then
// become a new Table; reads take no lock.
type Catalog struct {
	store Store
	table atomic.Pointer[Table]

	mu    sync.Mutex // one change at a time
	watch watchers
}

// NewCatalog returns an empty catalog; call Load before anything else.
func NewCatalog(store Store) *Catalog {
	c := &Catalog{store: store}
	c.table.Store(emptyTable())
	return c
}

// Watch sets who is told when a revision is reached in another way than
// before: f is called in the order of the changes, after each is visible, and
// must not block or call the catalog's Apply. Call it before Load.
func (c *Catalog) Watch(f func(rev *sunya.Revision, reach Reach)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.reach = f
}

// WatchBounds is Watch for what falls to a revision of its service's bounds on
// instances, by its share of the traffic. It is told before Watch's f is.
func (c *Catalog) WatchBounds(f func(rev *sunya.Revision, part sunya.Bounds)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.bounds = f
}

// Table returns the state of the moment.
func (c *Catalog) Table() *Table { return c.table.Load() }

// Service returns a service by name. Its Traffic must not be changed in place.
func (c *Catalog) Service(name string) (sunya.Service, bool) { return c.Table().Service(name) }

// Services returns all services in the order of their names.
func (c *Catalog) Services() []sunya.Service { return c.Table().Services() }

// Revision returns a revision by name; it must not be changed.
func (c *Catalog) Revision(name string) (*sunya.Revision, bool) { return c.Table().Revision(name) }

// Load reads the whole state from the store.
func (c *Catalog) Load(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	snap, err := c.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load serving state: %w", err)
	}
	n := emptyTable().next()
	n.apply(Change{PutServices: snap.Services, PutRevisions: snap.Revisions, PutHosts: snap.Hosts})
	c.publish(n)
	return nil
}

// Apply validates a change, makes it durable and then visible. A change that
// is refused is InvalidArgument, FailedPrecondition or AlreadyExists and has
// no effect. Hosts that address a revision which the change deletes go too.
func (c *Catalog) Apply(ctx context.Context, ch Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apply(ctx, ch)
}

// Update applies the change that f makes of a service as it is: nothing else
// changes in between. NotFound when there is no such service; an error of f is
// returned and nothing is changed. f must not call the catalog's Apply.
func (c *Catalog) Update(ctx context.Context, service string, f func(now sunya.Service) (Change, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, ok := c.Service(service)
	if !ok {
		return sunya.Errorf(sunya.NotFound, service, "the service serves nothing")
	}
	ch, err := f(now)
	if err != nil {
		return err
	}
	return c.apply(ctx, ch)
}

func (c *Catalog) apply(ctx context.Context, ch Change) error {
	before := c.Table()
	ch = withOrphanedHosts(before, ch)
	trial := before.next()
	trial.apply(ch)
	if err := validate(before, trial.done(), ch); err != nil {
		return err
	}
	if err := c.store.Apply(ctx, ch); err != nil {
		return fmt.Errorf("store change: %w", err)
	}
	// It is durable: what follows must happen even if the caller goes away.
	stored, err := c.stored(context.WithoutCancel(ctx), ch.PutServices)
	if err != nil {
		return fmt.Errorf("read back change: %w", err)
	}
	n := before.next()
	ch.PutServices = stored
	n.apply(ch)
	c.publish(n)
	return nil
}

// publish makes the next Table visible and tells the watcher.
func (c *Catalog) publish(n *next) {
	before, after := c.Table(), n.done()
	c.table.Store(after)
	c.watch.changes(before, after, n.touched)
}

// stored returns services as the store keeps them.
func (c *Catalog) stored(ctx context.Context, put []sunya.Service) ([]sunya.Service, error) {
	if len(put) == 0 {
		return nil, nil
	}
	get, ok := c.store.(ServiceGetter)
	if !ok {
		return c.reload(ctx, put)
	}
	out := make([]sunya.Service, 0, len(put))
	for _, s := range put {
		svc, err := get.GetService(ctx, s.Name)
		if sunya.CodeOf(err) == sunya.NotFound {
			continue // put and deleted by the same change
		}
		if err != nil {
			return nil, err
		}
		out = append(out, *svc)
	}
	return out, nil
}

// reload is stored for a store that reads only everything.
func (c *Catalog) reload(ctx context.Context, put []sunya.Service) ([]sunya.Service, error) {
	snap, err := c.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(snap.Services, func(s sunya.Service) bool {
		return !slices.ContainsFunc(put, func(p sunya.Service) bool { return p.Name == s.Name })
	}), nil
}

// withOrphanedHosts adds the hosts of deleted revisions to what is deleted,
// unless the change gives them to another revision.
func withOrphanedHosts(t *Table, c Change) Change {
	for _, name := range c.DeleteRevisions {
		rev, ok := t.Revision(name)
		if !ok {
			continue
		}
		for _, h := range t.Hosts(rev.Service) {
			kept := slices.ContainsFunc(c.PutHosts, func(p sunya.Host) bool { return p.Label == h.Label })
			if h.Revision == name && !kept && !slices.Contains(c.DeleteHosts, h.Label) {
				c.DeleteHosts = append(slices.Clip(c.DeleteHosts), h.Label)
			}
		}
	}
	return c
}
