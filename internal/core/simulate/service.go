package simulate

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pool"
	"github.com/sunya-cloud/sunya/internal/core/simulate/optimum"
	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

// service is one revision.
type service struct {
	run     *run
	name    string
	pool    *pool.Pool
	best    *optimum.Service
	source  trace.Requests
	next    trace.Request // that arrives next
	boot    time.Duration
	memory  int64
	planned time.Duration // of the tick; negative: none
	held    int           // starts that stand in line

	// What the checks need.
	instances int // on their way and there
	slots     int // of those that are ready
	inFlight  int
	queued    uint64 // requests that were put in the queue so far
	served    uint64 // and taken from it
}

// request is one on its way.
type request struct {
	pool.Waiter
	trace.Request
	attempt    int
	place      uint64 // in the queue, from 0
	asked      time.Duration
	over       uint64 // the order of its end in the agenda
	inst       *instance
	prev, next *request // in inst
}

// arrive lets the next request come, and plans the one after it.
func (s *service) arrive() {
	r := s.run
	q := r.request()
	q.Request = s.next
	r.sources--
	r.report.Arrived++
	r.record.arrive(r.now)
	r.report.Optimum.Waited = max(r.report.Optimum.Waited, s.best.Add(q.At, q.Work).Seconds())
	s.await()
	s.submit(q)
}

// await plans the next arrival.
func (s *service) await() {
	var ok bool
	if s.next, ok = s.source.Next(); ok {
		s.run.sources++
		s.run.agenda.plan(event{at: s.next.At, svc: s}, arrival)
	}
}

// submit asks the pool for a slot.
func (s *service) submit(q *request) {
	r := s.run
	q.attempt++
	q.asked = r.now
	if m := s.pool.Take(r.clock(), ""); m != nil {
		s.enter(q, m)
	} else if err := s.pool.Queue(r.clock(), &q.Waiter); err != nil {
		s.shed(q, err)
	} else {
		q.place = s.queued
		s.queued++
	}
	s.act()
}

// act does what the pool wants.
func (s *service) act() {
	r := s.run
	for actions := s.pool.Actions(); len(actions) > 0; actions = s.pool.Actions() {
		r.stops = r.stops[:0]
		starts := 0
		for _, a := range actions {
			switch {
			case a.Wake != nil:
				s.wake(a.Wake)
			case a.Stop != nil:
				r.stops = append(r.stops, a.Stop)
			default:
				starts++
			}
		}
		for range starts {
			s.start()
		}
		for _, m := range r.stops {
			r.report.Stops++
			s.leave(m.Owner.(*instance))
		}
	}
	s.check()
	s.planTick()
}

// planTick sees to it that the pool is asked again when it wants to.
func (s *service) planTick() {
	due := s.pool.Due()
	if due.IsZero() {
		return
	}
	at := max(due.Sub(epoch), s.run.now)
	if s.planned < 0 || at < s.planned {
		s.planned = at
		s.run.agenda.plan(event{at: at, svc: s}, tick)
	}
}

// tick is an event of the agenda; one that was overtaken by an earlier one is not
// meant any more.
func (s *service) tick() {
	if s.planned != s.run.now {
		return
	}
	s.planned = -1
	s.pool.Tick(s.run.clock())
	s.act()
}

// wake is the end of a wait.
func (s *service) wake(w *pool.Waiter) {
	q := w.Owner.(*request)
	if q.place != s.served {
		s.run.report.Violations.Order++
	}
	s.served++
	s.run.record.add(queued, q.asked, s.run.now, 1)
	s.run.report.LongestWait = max(s.run.report.LongestWait, (s.run.now - q.asked).Seconds())
	if w.Err != nil {
		s.shed(q, w.Err)
		return
	}
	if w.Cold {
		s.run.report.ColdStarts++
	}
	s.enter(q, w.Member)
}

// enter puts a request in an instance.
func (s *service) enter(q *request, m *pool.Member) {
	r := s.run
	q.inst = m.Owner.(*instance)
	s.inFlight++
	if q.inst.gone || m.Used() > r.cfg.Concurrency {
		r.report.Violations.Concurrency++
	}
	end := r.now + q.inst.enter(r.now, q) + q.Work
	q.over = r.agenda.plan(event{at: end, svc: s, req: q}, finish)
}

// finish is the end of a request that was served.
func (s *service) finish(q *request) {
	r := s.run
	m := &q.inst.Member
	s.inFlight--
	q.inst.leave(r.now, q)
	latency := r.now - q.At
	r.record.add(working, r.now-q.Work, r.now, 1)
	r.record.end(r.now, latency-q.Work, latency)
	r.waits.Add(latency - q.Work)
	r.latencies.Add(latency)
	r.report.Served++
	r.recycle(q)
	s.pool.Release(r.clock(), m)
	s.act()
}

// shed is the end of a request that was turned away.
func (s *service) shed(q *request, err error) {
	r := s.run
	r.report.Shed++
	var refused *pool.Refusal
	if errors.As(err, &refused) {
		r.report.ShedWhy[refused.Cause.String()]++
	}
	r.recycle(q)
}

// ready is an instance that has booted.
func (s *service) ready(i *instance) {
	r := s.run
	i.account(booting, i.since, r.now)
	took := r.now - i.since
	i.booted, i.since = true, r.now
	s.slots += r.cfg.Concurrency
	r.names++
	i.Member = pool.Member{ID: strconv.Itoa(r.names), Owner: i, Since: r.clock(), Boot: took}
	if r.cfg.Kills > 0 {
		lives := time.Duration(math.Min(r.rng.ExpFloat64()/r.cfg.Kills, 1e4) * float64(time.Hour))
		r.agenda.plan(event{at: r.now + lives, svc: s, inst: i}, death)
	}
	r.machine.booting--
	r.machine.memory += s.memory
	r.machine.room.Booted(s.name, s.memory)
	r.machine.moved = true
	s.pool.Started(r.clock(), &i.Member)
	s.act()
}

// leave ends an instance, and tells the pool.
func (s *service) leave(i *instance) {
	r := s.run
	i.end(r.now)
	s.instances--
	s.slots -= r.cfg.Concurrency
	r.forget(i)
	s.pool.Ended(r.clock(), &i.Member)
	r.machine.room.Ended(s.name, false)
	r.machine.moved = true
}

// die ends an instance with what is in it: what may be sent again is, the rest has
// failed.
func (s *service) die(i *instance) {
	if i.gone {
		return
	}
	r := s.run
	r.report.Kills++
	requests := i.first
	i.first = nil
	s.leave(i)
	var again []*request
	for q := requests; q != nil; {
		next := q.next
		s.inFlight--
		q.over, q.prev, q.next = 0, nil, nil
		s.pool.Release(r.clock(), &i.Member)
		if s.interrupted(q) {
			again = append(again, q)
		}
		q = next
	}
	s.act()
	for _, q := range again {
		s.submit(q)
	}
}

// interrupted says what becomes of a request whose instance died under it.
func (s *service) interrupted(q *request) (again bool) {
	r := s.run
	switch {
	case !q.Safe:
		r.report.Failed++
	case q.attempt >= r.cfg.Attempts:
		r.report.Lost++
	default:
		r.report.Retried++
		return true
	}
	r.recycle(q)
	return false
}

// check holds what happened against what must never happen.
func (s *service) check() {
	if s.pool.Queued() > 0 && s.inFlight < s.slots {
		s.run.report.Violations.IdleSlot++
	}
}
