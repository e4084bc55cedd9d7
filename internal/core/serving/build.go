package serving

import (
	"slices"

	"github.com/sunya-cloud/sunya"
)

// next is the Table after a change, in the making.
type next struct {
	services  *edit[*entry]
	revisions *edit[*sunya.Revision]
	hosts     *edit[sunya.Host]
	touched   map[string]bool // names of services whose entry is new
}

func (t *Table) next() *next {
	return &next{
		services:  t.services.edit(),
		revisions: t.revisions.edit(),
		hosts:     t.hosts.edit(),
		touched:   map[string]bool{},
	}
}

// apply makes a change: hosts are deleted first, so that one can move to another
// service; then what is put, so that what is deleted no longer refers to anything.
func (n *next) apply(c Change) {
	for _, label := range c.DeleteHosts {
		n.removeHost(label)
	}
	for _, s := range c.PutServices {
		n.putService(s)
	}
	for i := range c.PutRevisions {
		n.putRevision(&c.PutRevisions[i])
	}
	for _, h := range c.PutHosts {
		n.putHost(h)
	}
	for _, name := range c.DeleteRevisions {
		n.removeRevision(name)
	}
	for _, name := range c.DeleteServices {
		n.removeService(name)
	}
}

// entry returns the entry of a service as this change's own copy, nil when
// there is no such service.
func (n *next) entry(service string) *entry {
	e, ok := n.services.get(service)
	if !ok || n.touched[service] {
		return e
	}
	own := *e
	own.revisions, own.hosts = slices.Clone(e.revisions), slices.Clone(e.hosts)
	n.touched[service] = true
	n.services.set(service, &own)
	return &own
}

func (n *next) putService(s sunya.Service) {
	if e := n.entry(s.Name); e != nil {
		e.service = s
		return
	}
	n.touched[s.Name] = true
	n.services.set(s.Name, &entry{service: s})
}

// putRevision ignores a revision without a service: validation refuses it, and
// no store returns one.
func (n *next) putRevision(rev *sunya.Revision) {
	if _, ok := n.revisions.get(rev.Name); ok {
		return // immutable: the one that is running stays the one everybody points to
	}
	if e := n.entry(rev.Service); e != nil {
		own := *rev
		n.revisions.set(own.Name, &own)
		e.revisions = append(e.revisions, own.Name)
	}
}

func (n *next) putHost(h sunya.Host) {
	n.removeHost(h.Label)
	if e := n.entry(h.Service); e != nil {
		n.hosts.set(h.Label, h)
		e.hosts = append(e.hosts, h.Label)
	}
}

func (n *next) removeHost(label string) {
	h, ok := n.hosts.get(label)
	if !ok {
		return
	}
	n.hosts.remove(label)
	if e := n.entry(h.Service); e != nil {
		e.hosts = without(e.hosts, label)
	}
}

func (n *next) removeRevision(name string) {
	rev, ok := n.revisions.get(name)
	if !ok {
		return
	}
	n.revisions.remove(name)
	if e := n.entry(rev.Service); e != nil {
		e.revisions = without(e.revisions, name)
	}
}

func (n *next) removeService(name string) {
	e := n.entry(name)
	if e == nil {
		return
	}
	for _, rev := range e.revisions {
		n.revisions.remove(rev)
	}
	for _, label := range e.hosts {
		n.hosts.remove(label)
	}
	n.services.remove(name)
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(s string) bool { return s == name })
}

// done resolves the splits of the touched services and returns the Table.
func (n *next) done() *Table {
	for name := range n.touched {
		if e, ok := n.services.get(name); ok {
			e.shares = n.shares(e.service.Traffic)
		}
	}
	return &Table{services: n.services.done(), revisions: n.revisions.done(), hosts: n.hosts.done()}
}

func (n *next) shares(tr sunya.Traffic) []Share {
	var out []Share
	for _, t := range order(tr) {
		if rev, ok := n.revisions.get(t.Revision); ok {
			out = append(out, Share{Revision: rev, Permille: t.Permille})
		}
	}
	return out
}
