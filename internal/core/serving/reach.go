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
		for rev, how := range now {
			if old[rev] != how {
				f(rev, how)
			}
		}
		for rev := range old {
			if _, ok := now[rev]; !ok {
				f(rev, Unreachable)
			}
		}
	}
}

// reach returns the revisions of a service that requests get to.
func (t *Table) reach(service string) map[*sunya.Revision]Reach {
	e, ok := t.services.get(service)
	if !ok {
		return nil
	}
	out := map[*sunya.Revision]Reach{}
	for _, label := range e.hosts {
		if h, _ := t.hosts.get(label); h.Revision != "" {
			if rev, ok := t.revisions.get(h.Revision); ok {
				out[rev] = ByHost
			}
		}
	}
	for _, s := range e.shares {
		if s.Permille > 0 {
			out[s.Revision] = ByTraffic
		}
	}
	return out
}
