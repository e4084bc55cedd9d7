package serving

import "github.com/sunya-cloud/sunya"

// Reach says how requests get to a revision.
type Reach int

// The ways.
const (
	Unreachable Reach = iota // nothing leads to it: drain
	ByHost                   // a host of its own: instances come and go
	ByTraffic                // a share of its service's traffic: minimum instances are kept
)

// watchers are told what is different after a change. Either may be nil.
type watchers struct {
	reach  func(*sunya.Revision, Reach)
	bounds func(*sunya.Revision, sunya.Bounds)
}

// changes tells of every revision of the touched services that is reached in
// another way than before, or has another part of its service's bounds: the
// bounds first.
func (w *watchers) changes(before, after *Table, touched map[string]bool) {
	for service := range touched {
		old, now := before.reach(service), after.reach(service)
		for name, r := range now {
			w.tell(r.rev, old[name], r)
		}
		for name, r := range old {
			if _, ok := now[name]; !ok {
				w.tell(r.rev, r, reached{})
			}
		}
	}
}

func (w *watchers) tell(rev *sunya.Revision, before, after reached) {
	if w.bounds != nil && before.part != after.part {
		w.bounds(rev, after.part)
	}
	if w.reach != nil && before.how != after.how {
		w.reach(rev, after.how)
	}
}

// reached is a revision that requests get to.
type reached struct {
	rev  *sunya.Revision
	how  Reach
	part sunya.Bounds // of its service's bounds
}

// reach returns the revisions of a service that requests get to, by name.
func (t *Table) reach(service string) map[string]reached {
	e, ok := t.services.get(service)
	if !ok {
		return nil
	}
	out := map[string]reached{}
	for _, label := range e.hosts {
		if h, _ := t.hosts.get(label); h.Revision != "" {
			if rev, ok := t.revisions.get(h.Revision); ok {
				out[rev.Name] = reached{rev: rev, how: ByHost}
			}
		}
	}
	permille := map[string]int{}
	for _, s := range e.shares {
		if s.Permille > 0 {
			permille[s.Revision.Name] += s.Permille
			out[s.Revision.Name] = reached{s.Revision, ByTraffic, part(e.service.Scaling, permille[s.Revision.Name])}
		}
	}
	for _, name := range e.service.Traffic.Stopped {
		delete(out, name)
	}
	return out
}

// part is what falls to a revision of its service's bounds, rounded up: who has
// traffic may have an instance.
func part(all *sunya.Bounds, permille int) sunya.Bounds {
	if all == nil {
		return sunya.Bounds{}
	}
	share := func(n int) int { return (n*permille + buckets - 1) / buckets }
	return sunya.Bounds{Min: share(all.Min), Max: share(all.Max), Limited: all.Limited}
}
