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

// changes calls f for every revision of the touched services that is reached
// in another way than before.
func changes(before, after *Table, touched map[string]bool, f func(*sunya.Revision, Reach)) {
	for service := range touched {
		old, now := before.reach(service), after.reach(service)
		for name, r := range now {
			if old[name].how != r.how {
				f(r.rev, r.how)
			}
		}
		for name, r := range old {
			if _, ok := now[name]; !ok {
				f(r.rev, Unreachable)
			}
		}
	}
}

// reached is a revision that requests get to.
type reached struct {
	rev *sunya.Revision
	how Reach
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
				out[rev.Name] = reached{rev, ByHost}
			}
		}
	}
	for _, s := range e.shares {
		if s.Permille > 0 {
			out[s.Revision.Name] = reached{s.Revision, ByTraffic}
		}
	}
	for _, name := range e.service.Traffic.Stopped {
		delete(out, name)
	}
	return out
}
