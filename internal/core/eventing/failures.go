package eventing

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// keepFailures bounds what is kept of one trigger.
var keepFailures = Keep{Events: 1000, Bytes: 64 << 20}

// failureLife is how long a failure is kept after its last attempt.
const failureLife = 7 * 24 * time.Hour

// tidyEvery is how often old failures are looked for.
const tidyEvery = time.Hour

func (s *Service) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := s.Store.ExpireFailures(ctx, s.Now().Add(-failureLife)); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "remove old failures", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

var failureStates = map[Outcome]FailureState{Retried: Retrying, Drop: Dropped, Expire: Expired, Bury: DeadLettered}

// note stores a delivery that failed, and forgets the failures of one that at
// last did not.
func (s *Service) note(ctx context.Context, t *Trigger, d *Delivery, m *pubsub.Message) error {
	state, failed := failureStates[d.Outcome]
	if !failed {
		if d.Attempt > 1 && d.Outcome == Delivered {
			return s.Store.DeleteFailure(ctx, t.Name(), d.ID)
		}
		return nil
	}
	f := &Failure{
		Trigger: t.Name(), ID: d.ID, State: state, Type: d.Type, Subject: d.Subject, Attempts: d.Attempt,
		Status: d.Status, Reason: d.Reason, First: d.Time, Last: d.Time, Message: *m,
	}
	if old, err := s.Store.GetFailure(ctx, f.Trigger, f.ID); err == nil {
		f.First = old.First
	} else if sunya.CodeOf(err) != sunya.NotFound {
		return err
	}
	return s.Store.PutFailure(ctx, f, keepFailures)
}

// Failures returns events that failed, the latest first.
func (s *Service) Failures(ctx context.Context, q FailureQuery) ([]Failure, error) {
	return s.Store.ListFailures(ctx, q)
}

// Replay delivers an event once more that was given up. When it is taken, it is
// no failure any more.
func (s *Service) Replay(ctx context.Context, trigger, id string) (*Delivery, error) {
	t, err := s.inUse(ctx, trigger)
	if err != nil {
		return nil, err
	}
	f, err := s.Store.GetFailure(ctx, trigger, id)
	if err != nil {
		return nil, err
	}
	if f.State == Retrying {
		return nil, sunya.Errorf(sunya.FailedPrecondition, id, "%s still retries the event: it comes again by itself", trigger)
	}
	fresh := *t
	fresh.MaxAge = time.Duration(1<<63 - 1) // whoever asks for it wants it, old or not
	d := s.attempt(ctx, &fresh, &f.Message)
	if d.Attempt = f.Attempts + 1; d.Outcome == Delivered || d.Outcome == Filtered {
		if err := s.Store.DeleteFailure(ctx, trigger, id); err != nil {
			return nil, err
		}
		s.watch.add(d)
		return d, nil
	}
	f.Attempts, f.Status, f.Reason, f.Last = d.Attempt, d.Status, d.Reason, d.Time
	if err := s.Store.PutFailure(ctx, f, keepFailures); err != nil {
		return nil, err
	}
	s.watch.add(d)
	return d, nil
}
