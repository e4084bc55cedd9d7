package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
	"github.com/sunya-cloud/sunya/internal/wire/sunyav1"
)

// Status implements sunyav1.Source.
func (n *Node) Status(ctx context.Context) (*sunyav1.Status, error) {
	report := n.machine.engine.Report()
	st := &sunyav1.Status{
		Version:   n.cfg.Version,
		StartTime: n.started,
		Level:     string(report.Level),
		Facts:     report.Facts,
		Missing:   report.Missing,
		DataDir:   n.machine.dir.Path(),
		Domain:    n.cfg.Domain,
		AppsURL:   n.url("*"),
		Project:   n.cfg.Project,
		Listeners: n.listeners(),
		Services:  n.services(),
		Instances: n.instances(ctx),
	}
	return st, nil
}

func (n *Node) listeners() []sunyav1.Listener {
	var out []sunyav1.Listener
	for _, l := range n.machine.listeners {
		out = append(out, sunyav1.Listener{Address: l.Addr().String(), Roles: strings.Split(l.Roles.String(), "+")})
	}
	return out
}

func (n *Node) services() []sunyav1.Service {
	table := n.serve.catalog.Table()
	out := []sunyav1.Service{}
	for _, s := range table.Services() {
		row := sunyav1.Service{Name: s.Name, Project: s.Project, Product: string(s.Product), Revisions: len(table.Revisions(s.Name))}
		for _, h := range table.Hosts(s.Name) {
			if h.Revision == "" {
				row.URLs = append(row.URLs, n.url(h.Label))
			}
		}
		out = append(out, row)
	}
	for _, row := range out {
		slices.SortFunc(row.URLs, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) })
	}
	slices.SortFunc(out, func(a, b sunyav1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (n *Node) instances(ctx context.Context) []sunyav1.Instance {
	out := []sunyav1.Instance{}
	for _, i := range n.serve.instances.Instances() {
		out = append(out, sunyav1.Instance{
			ID:          i.ID,
			Revision:    i.Revision,
			State:       string(i.State),
			StartTime:   i.StartTime,
			InFlight:    i.InFlight,
			Start:       i.Start,
			MemoryBytes: n.serve.instances.MemoryBytes(ctx, i.ID),
		})
	}
	return out
}

// Doctor implements sunyav1.Source.
func (n *Node) Doctor(ctx context.Context) ([]health.Check, error) {
	out := []health.Check{}
	parts := []health.Checker{n.machine.dir, n.machine.engine, n.machine.host, n.storage.state, n.storage.logs}
	if n.cfg.Events != "" {
		parts = append(parts, n.storage.events)
	}
	for _, c := range parts {
		out = append(out, c.Check(ctx)...)
	}
	return append(out, n.checkFrozen(ctx)), nil
}

// checkFrozen says what memory frozen instances hold until they are stopped, or
// until it is moved to swap.
func (n *Node) checkFrozen(ctx context.Context) health.Check {
	count, held := 0, int64(0)
	for _, i := range n.serve.instances.Instances() {
		if i.State == sunya.InstanceFrozen {
			count++
			held += n.serve.instances.MemoryBytes(ctx, i.ID)
		}
	}
	return health.Check{Name: "frozen memory", Status: health.OK, Detail: frozenDetail(count, held, hoststack.Swap(), n.cfg.IdleTimeout)}
}

// frozenDetail says what so many frozen instances hold, with or without swap.
func frozenDetail(count int, held, swap int64, idle time.Duration) string {
	if count == 0 {
		return "no instance is frozen"
	}
	what := fmt.Sprintf("%d instances hold %v", count, sunya.Bytes(held))
	if swap > 0 {
		return fmt.Sprintf("%s; it moves to swap (%v) once half of the machine's memory is in use", what, sunya.Bytes(swap))
	}
	return fmt.Sprintf("%s until they are stopped, %v after their last request: there is no swap (zram gives some back)", what, idle)
}

// Usage implements sunyav1.Source.
func (n *Node) Usage(ctx context.Context, q meter.Query) ([]meter.Row, error) {
	return n.storage.meter.Usage(ctx, q)
}

// Past implements sunyav1.Source.
func (n *Node) Past(project, service string, since time.Time, step time.Duration) (time.Duration, []metrics.Step) {
	return n.serve.metrics.Past(project, service, since, step)
}
