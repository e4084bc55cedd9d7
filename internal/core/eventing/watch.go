package eventing

import (
	"context"
	"maps"
	"sync"
	"time"
)

// recent is how many deliveries are remembered.
const recent = 1000

// watch counts deliveries and shows them to whoever looks.
type watch struct {
	mu        sync.Mutex
	ring      []*Delivery // the oldest first, at most recent
	counts    map[string]map[Outcome]int64
	listeners map[chan *Delivery]bool
}

func (w *watch) init() {
	w.counts, w.listeners = map[string]map[Outcome]int64{}, map[chan *Delivery]bool{}
}

// add takes note of a delivery. A listener that does not keep up misses some.
func (w *watch) add(d *Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.counts[d.Trigger]
	if of == nil {
		of = map[Outcome]int64{}
		w.counts[d.Trigger] = of
	}
	of[d.Outcome]++
	if len(w.ring) == recent {
		w.ring = append(w.ring[:0], w.ring[1:]...)
	}
	w.ring = append(w.ring, d)
	for c := range w.listeners {
		select {
		case c <- d:
		default:
		}
	}
}

func (w *watch) forget(trigger string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.counts, trigger)
}

// Deliveries returns the last deliveries, the oldest first, and those to come
// until stop is called.
func (s *Service) Deliveries() (past []*Delivery, next <-chan *Delivery, stop func()) {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan *Delivery, 256)
	w.listeners[c] = true
	return append([]*Delivery(nil), w.ring...), c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners, c)
	}
}

// Figures are the numbers of a trigger.
type Figures struct {
	Trigger    string
	Deliveries map[Outcome]int64 // since the server started
	Backlog    int64             // events that are not delivered
	OldestAge  time.Duration     // of the first of them
}

// Figures returns the numbers of one trigger; NotFound.
func (s *Service) Figures(ctx context.Context, k Key) (*Figures, error) {
	t, err := s.Trigger(ctx, k)
	if err != nil {
		return nil, err
	}
	f := s.figures(ctx, t)
	return &f, nil
}

// AllFigures returns the numbers of the triggers that have delivered something
// since the server started.
func (s *Service) AllFigures(ctx context.Context) []Figures {
	s.mu.Lock()
	triggers := maps.Clone(s.triggers)
	s.mu.Unlock()
	out := make([]Figures, 0, len(triggers))
	for _, t := range triggers {
		out = append(out, s.figures(ctx, t))
	}
	return out
}

func (s *Service) figures(ctx context.Context, t *Trigger) Figures {
	f := Figures{Trigger: t.Name(), Deliveries: s.watch.count(t.Name())}
	behind, err := s.Broker.Backlog(ctx, t.Subscription)
	if err != nil {
		return f // somebody has deleted the subscription
	}
	if f.Backlog = behind.Messages; f.Backlog > 0 {
		f.OldestAge = max(s.Now().Sub(behind.Oldest), 0)
	}
	return f
}

func (w *watch) count(trigger string) map[Outcome]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts[trigger])
}
