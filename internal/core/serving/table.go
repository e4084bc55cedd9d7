package serving

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Table is the serving state at one moment. It is immutable: readers need no
// lock and never see half a change.
type Table struct {
	services  *index[*entry]
	revisions *index[*sunya.Revision]
	hosts     *index[sunya.Host]
}

// entry is a service with everything that belongs to it.
type entry struct {
	service   sunya.Service
	shares    []Share
	revisions []string // names
	hosts     []string // labels
}

// Share is a part of a split. A revision may have several of them.
type Share struct {
	Revision *sunya.Revision
	Permille int
}

// Route is where a host leads. Nothing in it may be changed.
type Route struct {
	Service *sunya.Service
	Shares  []Share
	Fixed   *sunya.Revision // when the host addresses one revision, else nil
}

// Stopped reports whether a revision of the route serves nothing for now.
func (r Route) Stopped(rev *sunya.Revision) bool {
	return slices.Contains(r.Service.Traffic.Stopped, rev.Name)
}

func emptyTable() *Table {
	return &Table{
		services:  newIndex[*entry](),
		revisions: newIndex[*sunya.Revision](),
		hosts:     newIndex[sunya.Host](),
	}
}

// Lookup returns the route of a host's label.
func (t *Table) Lookup(label string) (Route, bool) {
	h, ok := t.hosts.get(label)
	if !ok {
		return Route{}, false
	}
	e, ok := t.services.get(h.Service)
	if !ok {
		return Route{}, false
	}
	r := Route{Service: &e.service, Shares: e.shares}
	if h.Revision != "" {
		r.Fixed, ok = t.revisions.get(h.Revision)
	}
	return r, ok
}

// Dispatch returns where the dispatch rules of a route's service send a request
// for a label: the route itself unless one names another service that exists.
func (t *Table) Dispatch(r Route, label, host, path string) Route {
	if len(r.Service.Dispatch) == 0 || label != r.Service.Project {
		return r
	}
	name, ok := MatchDispatch(r.Service.Dispatch, host, path)
	if !ok {
		return r
	}
	e, ok := t.services.get(name)
	if !ok {
		return r
	}
	return Route{Service: &e.service, Shares: e.shares}
}

// Route returns the route of a service, whatever its hosts.
func (t *Table) Route(service string) (Route, bool) {
	e, ok := t.services.get(service)
	if !ok {
		return Route{}, false
	}
	return Route{Service: &e.service, Shares: e.shares}, true
}

// Service returns a service by name. Its Traffic must not be changed in place.
func (t *Table) Service(name string) (sunya.Service, bool) {
	e, ok := t.services.get(name)
	if !ok {
		return sunya.Service{}, false
	}
	return e.service, true
}

// Revision returns a revision by name; it must not be changed.
func (t *Table) Revision(name string) (*sunya.Revision, bool) {
	return t.revisions.get(name)
}

// Vacant reports whether a service of a project may have a label that nobody
// asked for on its behalf, such as its own plain name: no other has it, and no
// project, whose own host is its App Engine application's.
func (t *Table) Vacant(label, service, project string) bool {
	if CheckLabel(label) != nil || label == project {
		return false
	}
	if h, taken := t.Host(label); taken {
		return h.Service == service
	}
	vacant := true
	t.services.each(func(_ string, e *entry) { vacant = vacant && e.service.Project != label })
	return vacant
}

// maxLabel is the length of a DNS label (RFC 1035).
const maxLabel = 63

// Label returns the host of a new service: the plain name that it wants, or that
// and a hash of the service's own name when it is not vacant.
func (t *Table) Label(want, service, project string) string {
	if t.Vacant(want, service, project) {
		return want
	}
	sum := sha256.Sum256([]byte(service))
	tail := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(want[:min(len(want), maxLabel-len(tail))], "-") + tail
}

// Revisions returns the revisions of a service in the order of their names.
func (t *Table) Revisions(service string) []*sunya.Revision {
	e, ok := t.services.get(service)
	if !ok {
		return nil
	}
	var out []*sunya.Revision
	for _, name := range e.revisions {
		if rev, ok := t.revisions.get(name); ok {
			out = append(out, rev)
		}
	}
	slices.SortFunc(out, func(a, b *sunya.Revision) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Hosts returns the hosts of a service in the order of their labels.
func (t *Table) Hosts(service string) []sunya.Host {
	e, ok := t.services.get(service)
	if !ok {
		return nil
	}
	var out []sunya.Host
	for _, label := range e.hosts {
		if h, ok := t.hosts.get(label); ok {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b sunya.Host) int { return strings.Compare(a.Label, b.Label) })
	return out
}

// Host returns who owns a label.
func (t *Table) Host(label string) (sunya.Host, bool) { return t.hosts.get(label) }

// Services returns all services in the order of their names.
func (t *Table) Services() []sunya.Service {
	var out []sunya.Service
	t.services.each(func(_ string, e *entry) { out = append(out, e.service) })
	slices.SortFunc(out, func(a, b sunya.Service) int { return strings.Compare(a.Name, b.Name) })
	return out
}
