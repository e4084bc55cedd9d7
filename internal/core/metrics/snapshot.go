package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// Counters only grow while a revision is remembered.
type Counters struct {
	Requests       [Classes]int64 // by class, 1xx first
	Latency        Distribution   // of all requests
	Waited         Distribution   // for a slot, of those that waited
	Shed           int64          // turned away for want of an instance
	Received, Sent int64          // bytes of bodies
	Starts         int64          // of instances
	Failures       int64          // of starts
	Ends           int64
	Cold           Distribution // starts that a request waited for
	Thaw           Distribution // thaws that a request waited for
}

func (s *series) read() (c Counters) {
	for i := range s.requests {
		c.Requests[i] = s.requests[i].Load()
	}
	c.Latency, c.Waited = s.latency.read(), s.waited.read()
	c.Shed, c.Received, c.Sent = s.shed.Load(), s.received.Load(), s.sent.Load()
	c.Starts, c.Failures, c.Ends = s.starts.Load(), s.failures.Load(), s.ends.Load()
	c.Cold, c.Thaw = s.cold.read(), s.thaw.read()
	return c
}

func (c Counters) less(o *Counters) Counters {
	for i := range c.Requests {
		c.Requests[i] -= o.Requests[i]
	}
	c.Latency, c.Waited = c.Latency.less(&o.Latency), c.Waited.less(&o.Waited)
	c.Shed, c.Received, c.Sent = c.Shed-o.Shed, c.Received-o.Received, c.Sent-o.Sent
	c.Starts, c.Failures, c.Ends = c.Starts-o.Starts, c.Failures-o.Failures, c.Ends-o.Ends
	c.Cold, c.Thaw = c.Cold.less(&o.Cold), c.Thaw.less(&o.Thaw)
	return c
}

// Gauges are what is true at a moment.
type Gauges struct {
	InFlight  int
	Waiting   int
	Instances map[sunya.InstanceState]int
}

func (g *Gauges) add(o *Gauges) {
	g.InFlight += o.InFlight
	g.Waiting += o.Waiting
	for state, n := range o.Instances {
		g.count(state, n)
	}
}

func (g *Gauges) count(state sunya.InstanceState, n int) {
	if g.Instances == nil {
		g.Instances = map[sunya.InstanceState]int{}
	}
	g.Instances[state] += n
}

// Revision is what there is to say about one revision.
type Revision struct {
	served.Subject
	Counters
	Gauges
}

// Snapshot returns the revisions that were seen lately, those of a service
// together.
func (g *Registry) Snapshot() []Revision {
	now := g.gauges()
	var out []Revision
	g.revs.Range(func(name, v any) bool {
		s := v.(*series)
		out = append(out, Revision{s.subject, s.read(), now[name.(string)]})
		return true
	})
	slices.SortFunc(out, func(a, b Revision) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Product, b.Product),
			cmp.Compare(a.Location, b.Location), cmp.Compare(a.Revision, b.Revision))
	})
	return out
}

// gauges reads the world, by revision.
func (g *Registry) gauges() map[string]Gauges {
	out := map[string]Gauges{}
	if g.world == nil {
		return out
	}
	for _, i := range g.world.Instances() {
		v := out[i.Revision]
		v.InFlight += i.InFlight
		v.count(i.State, 1)
		out[i.Revision] = v
	}
	for revision, n := range g.world.Waiting() {
		v := out[revision]
		v.Waiting = n
		out[revision] = v
	}
	return out
}

// forget drops the revisions that were not seen for long and have no instance,
// and of too many those that were not seen for longest.
func (g *Registry) forget(now time.Time, live map[string]Gauges) {
	type entry struct {
		name string
		seen int64
	}
	var idle []entry
	n := 0
	g.revs.Range(func(name, v any) bool {
		n++
		if _, ok := live[name.(string)]; !ok {
			idle = append(idle, entry{name.(string), v.(*series).seen.Load()})
		}
		return true
	})
	slices.SortFunc(idle, func(a, b entry) int { return cmp.Compare(a.seen, b.seen) })
	for _, e := range idle {
		if n <= maxRevisions && now.Unix()-e.seen < int64(forgetAfter/time.Second) {
			return
		}
		g.revs.Delete(e.name)
		n--
	}
}
