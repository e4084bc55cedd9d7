package simulate

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pool"
	"github.com/sunya-cloud/sunya/internal/core/simulate/optimum"
	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

// epoch is 0 of virtual time.
var epoch = time.Unix(0, 0).UTC()

// run is a simulation under way.
type run struct {
	cfg       Config
	now       time.Duration
	rng       *rand.Rand
	agenda    agenda
	machine   machine
	services  []*service
	byName    map[string]*service
	live      []*instance // that boot or have booted
	record    *recorder
	waits     Histogram
	latencies Histogram
	report    Report
	names     int
	sources   int // services of which another request comes

	// What is used again and again.
	spare []*request
	stops []*pool.Member
}

// Run replays t. It ends when the last request has; its error is that of ctx.
func Run(ctx context.Context, t *trace.Trace, c Config) (*Report, error) {
	r := newRun(t, c.withDefaults())
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e, ok := r.agenda.next()
		if !ok || r.over() {
			break
		}
		r.now = e.at
		r.report.Events++
		r.happen(e)
	}
	r.conclude()
	return &r.report, nil
}

func newRun(t *trace.Trace, c Config) *run {
	r := &run{
		cfg:     c,
		rng:     rand.New(rand.NewPCG(c.Seed, 0x5a17)),
		machine: newMachine(c.Machine),
		byName:  map[string]*service{},
		record:  newRecorder(t.Length),
		report:  newReport(t, c),
	}
	for _, s := range t.Services {
		svc := &service{
			run:     r,
			name:    s.Name,
			pool:    pool.New(c.pool()),
			source:  s.Requests,
			boot:    s.Boot,
			memory:  s.MemoryBytes,
			planned: -1,
		}
		svc.best = optimum.New(c.Concurrency, c.MaxInstances, func(i optimum.Interval) {
			r.record.add(optimal, i.From, i.To, i.Instances)
		})
		svc.await()
		r.services = append(r.services, svc)
		r.byName[svc.name] = svc
	}
	return r
}

// over reports whether no request is left, neither to come nor here.
func (r *run) over() bool { return r.sources == 0 && r.report.inside() == 0 }

func (r *run) clock() time.Time { return epoch.Add(r.now) }

func (r *run) happen(e event) {
	switch e.kind() {
	case arrival:
		e.svc.arrive()
	case tick:
		e.svc.tick()
	case ready:
		e.svc.ready(e.inst)
	case finish:
		if e.req.over == e.order {
			e.svc.finish(e.req)
		}
	case death:
		e.svc.die(e.inst)
	case look:
		r.machine.looks, r.machine.moved = false, true
	}
	if r.machine.moved {
		r.admit()
	}
}

// request is an empty one.
func (r *run) request() *request {
	if n := len(r.spare); n > 0 {
		q := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return q
	}
	q := &request{}
	q.Owner = q
	return q
}

// recycle takes back a request that is over.
func (r *run) recycle(q *request) {
	owner := q.Owner
	*q = request{}
	q.Owner = owner
	r.spare = append(r.spare, q)
}

// forget takes an instance off the books.
func (r *run) forget(i *instance) {
	r.machine.memory -= i.svc.memory
	last := r.live[len(r.live)-1]
	r.live[i.place] = last
	last.place = i.place
	r.live = r.live[:len(r.live)-1]
}
