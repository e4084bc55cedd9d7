package eventing_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// always answers every request with a status.
func always(status int) func(context.Context, int) (eventing.Answer, error) {
	return func(context.Context, int) (eventing.Answer, error) {
		return eventing.Answer{Status: status, Body: []byte("oh  no\n")}, nil
	}
}

// TestWhatBecomesOfAnEvent has a destination answer in turn, and looks when the
// event came and what is kept of it an hour later.
func TestWhatBecomesOfAnEvent(t *testing.T) {
	broken := errors.New("connection refused")
	for name, c := range map[string]struct {
		retry    bool
		statuses []int // of the requests; 0 is no answer, and the last stays
		calls    int
		rests    []time.Duration // before the second and the next
		outcomes map[eventing.Outcome]int64
		state    eventing.FailureState // kept; empty: nothing
		reason   string
	}{
		"taken": {retry: true, statuses: []int{204}, calls: 1, outcomes: map[eventing.Outcome]int64{eventing.Delivered: 1}},
		"taken the third time": {
			retry: true, statuses: []int{500, 0, 200}, calls: 3, rests: []time.Duration{10 * time.Second, 20 * time.Second},
			outcomes: map[eventing.Outcome]int64{eventing.Retried: 2, eventing.Delivered: 1},
		},
		"a redirect takes nothing": {
			statuses: []int{302}, calls: 1, outcomes: map[eventing.Outcome]int64{eventing.Drop: 1}, state: eventing.Dropped, reason: "302 Found: oh no",
		},
		"dropped": {
			statuses: []int{500}, calls: 1, outcomes: map[eventing.Outcome]int64{eventing.Drop: 1}, state: eventing.Dropped, reason: "500 Internal Server Error: oh no",
		},
		"dropped without an answer": {
			statuses: []int{0}, calls: 1, outcomes: map[eventing.Outcome]int64{eventing.Drop: 1}, state: eventing.Dropped, reason: "connection refused",
		},
		"no room, then taken, without retry": {
			statuses: []int{429, 429, 200}, calls: 3, outcomes: map[eventing.Outcome]int64{eventing.Busy: 2, eventing.Delivered: 1},
		},
		"still retried": {
			retry: true, statuses: []int{500}, calls: 11, // after 10, 30, 70, 150, 310, 630 s, then each 10 minutes
			outcomes: map[eventing.Outcome]int64{eventing.Retried: 11}, state: eventing.Retrying, reason: "500 Internal Server Error: oh no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.target.answer = func(_ context.Context, n int) (eventing.Answer, error) {
					status := c.statuses[min(n, len(c.statuses))-1]
					if status == 0 {
						return eventing.Answer{}, broken
					}
					return eventing.Answer{Status: status, Body: []byte("oh  no\n")}, nil
				}
				w.create(onLetters(func(s *eventing.Spec) { s.Retry = c.retry }))
				id := w.publish("x")
				time.Sleep(time.Hour)
				if n := w.target.calls(); n != c.calls {
					t.Errorf("%d requests, want %d", n, c.calls)
				}
				for i, rest := range c.rests {
					if got := w.target.at[i+1].Sub(w.target.at[i]).Round(time.Second); got != rest {
						t.Errorf("it rested %v, want %v", got, rest)
					}
				}
				f, err := w.Figures(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range eventing.Outcomes {
					if f.Deliveries[o] != c.outcomes[o] {
						t.Errorf("%d times %s, want %d", f.Deliveries[o], o, c.outcomes[o])
					}
				}
				if waits := c.state == eventing.Retrying; (f.Backlog == 1) != waits || (f.OldestAge.Round(time.Second) == time.Hour) != waits {
					t.Errorf("%+v", f)
				}
				failures := w.failures()
				if c.state == "" {
					if len(failures) > 0 {
						t.Errorf("kept is %+v", failures)
					}
					return
				}
				if len(failures) != 1 || failures[0].State != c.state || failures[0].ID != id || failures[0].Attempts != c.calls || !strings.Contains(failures[0].Reason, c.reason) ||
					string(failures[0].Message.Data) != "x" || failures[0].Trigger != key.Name() {
					t.Errorf("kept is %+v", failures)
				}
			})
		})
	}
}

// TestALongDelivery takes longer than the deadline of the subscription: nobody
// else gets the event meanwhile.
func TestALongDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.target.answer = func(context.Context, int) (eventing.Answer, error) {
			time.Sleep(10 * time.Minute)
			return eventing.Answer{Status: 200}, nil
		}
		tr := w.create(onLetters())
		if s, err := w.broker.Subscription(t.Context(), tr.Subscription); err != nil || s.AckDeadline > time.Minute {
			t.Fatalf("%+v, %v", s, err)
		}
		w.publish("x")
		time.Sleep(30 * time.Minute)
		if n := w.target.calls(); n != 1 || w.backlog() != 0 {
			t.Errorf("%d requests, and %d events are left", n, w.backlog())
		}
	})
}

// TestTooOld: an event is given up at the age that its trigger says, and is
// among the failures then, whether it failed before or nobody could take it,
// also when the server was down at that time.
func TestTooOld(t *testing.T) {
	for name, c := range map[string]struct {
		age    time.Duration
		status int
		down   time.Duration
	}{
		"what fails":                {eventing.DefaultAge, 500, 0},
		"what has no room":          {eventing.DefaultAge, 429, 0},
		"while the server was down": {eventing.DefaultAge, 500, 5 * 24 * time.Hour},
		"of the first generation":   {eventing.FirstAge, 429, 10 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				w, stop := s.start(t)
				w.letters()
				s.target.answer = always(c.status)
				w.create(onLetters(func(s *eventing.Spec) { s.MaxAge = c.age }))
				time.Sleep(45 * time.Second) // Pub/Sub looks for what is too old before it is due again
				w.publish("x")
				if c.down > 0 {
					time.Sleep(time.Second)
					stop()
					time.Sleep(c.down)
					w, _ = s.start(t)
				} else {
					time.Sleep(c.age - time.Hour)
					if list := w.failures(); w.backlog() != 1 || len(list) > 1 || len(list) == 1 && list[0].State != eventing.Retrying {
						t.Errorf("an hour before: %d events, %+v", w.backlog(), list)
					}
				}
				time.Sleep(2 * time.Hour)
				list := w.failures()
				if w.backlog() != 0 || len(list) != 1 || list[0].State != eventing.Expired || string(list[0].Message.Data) != "x" {
					t.Errorf("an hour after: %d events, %+v", w.backlog(), list)
				}
				n := s.target.calls()
				s.target.answer = always(200)
				if d, err := w.Replay(t.Context(), key.Name(), list[0].ID); err != nil || d.Outcome != eventing.Delivered || s.target.calls() != n+1 {
					t.Errorf("replay: %+v, %v", d, err)
				}
			})
		})
	}
}

// TestTheServerEnds during a delivery: the event has not failed, and comes again
// with the next server, also without retry.
func TestTheServerEnds(t *testing.T) {
	for _, retry := range []bool{true, false} {
		s := newServer(t)
		w, stop := s.start(t)
		w.letters()
		begun := make(chan struct{})
		s.target.answer = func(ctx context.Context, n int) (eventing.Answer, error) {
			if n == 1 {
				close(begun)
				<-ctx.Done()
				return eventing.Answer{}, ctx.Err()
			}
			return eventing.Answer{Status: 200}, nil
		}
		w.create(onLetters(func(s *eventing.Spec) { s.Retry = retry }))
		w.publish("x")
		<-begun
		stop()
		w, _ = s.start(t)
		waitFor(t, "it comes again", func() bool { return s.target.calls() == 2 && w.backlog() == 0 })
		if list := w.failures(); len(list) > 0 {
			t.Errorf("kept is %+v", list)
		}
	}
}

// forgetful stores no failures while it is broken.
type forgetful struct {
	eventing.Store
	broken atomic.Bool
}

func (f *forgetful) PutFailure(ctx context.Context, x *eventing.Failure, keep eventing.Keep) error {
	if f.broken.Load() {
		return errors.New("the disk is full")
	}
	return f.Store.PutFailure(ctx, x, keep)
}

// TestAFailureThatCannotBeKept is not given up.
func TestAFailureThatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		disk := &forgetful{}
		disk.broken.Store(true)
		s.wrap = func(store eventing.Store) eventing.Store { disk.Store = store; return disk }
		w, _ := s.start(t)
		w.letters()
		s.target.answer = always(500)
		w.create(onLetters(func(s *eventing.Spec) { s.Retry = false }))
		w.publish("x")
		time.Sleep(time.Second)
		if w.backlog() != 1 || s.target.calls() == 0 {
			t.Errorf("%d events are left after %d requests", w.backlog(), s.target.calls())
		}
		disk.broken.Store(false)
		time.Sleep(time.Minute)
		if list := w.failures(); w.backlog() != 0 || len(list) != 1 || list[0].State != eventing.Dropped {
			t.Errorf("%d events are left; kept is %+v", w.backlog(), list)
		}
	})
}

// TestOneTriggerHoldsUpNoOther: a destination that never answers, and another of
// the same topic.
func TestOneTriggerHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.target.answer = func(ctx context.Context, _ int) (eventing.Answer, error) {
		<-ctx.Done()
		return eventing.Answer{}, ctx.Err()
	}
	w.create(onLetters())
	for range 20 {
		w.publish("x")
	}
	_, next, stop := w.Deliveries()
	defer stop()
	waitFor(t, "several wait for an answer", func() bool { return w.target.calls() >= 4 })
	w.target.mu.Lock()
	w.target.answer = nil
	w.target.mu.Unlock()
	other := eventing.Key{Project: "p", Location: "local", ID: "other"}
	if _, err := w.Create(t.Context(), other, onLetters()); err != nil {
		t.Fatal(err)
	}
	id := w.publish("y")
	for d := range next {
		if d.Trigger == other.Name() {
			if d.ID != id || d.Outcome != eventing.Delivered || d.Attempt != 1 {
				t.Errorf("%+v", d)
			}
			return
		}
	}
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, err := w.Replay(t.Context(), "t", "1")
		wantCode(t, err, sunya.InvalidArgument, "trigger")
		_, err = w.Replay(t.Context(), key.Name(), "1")
		wantCode(t, err, sunya.NotFound, "")
		w.target.answer = always(500)
		w.create(onLetters())
		_, err = w.Replay(t.Context(), key.Name(), "1")
		wantCode(t, err, sunya.NotFound, "")
		id := w.publish("x")
		time.Sleep(time.Second)
		_, err = w.Replay(t.Context(), key.Name(), id)
		wantCode(t, err, sunya.FailedPrecondition, "")
		if _, err := w.Update(t.Context(), key, func(now *eventing.Trigger) error { now.Retry = false; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		before := w.failures()
		if len(before) != 1 || before[0].State != eventing.Dropped {
			t.Fatalf("kept is %+v", before)
		}
		d, err := w.Replay(t.Context(), key.Name(), id)
		after := w.failures()
		if err != nil || d.Outcome != eventing.Drop || len(after) != 1 || after[0].Attempts != before[0].Attempts+1 || !after[0].First.Equal(before[0].First) || !after[0].Last.After(before[0].Last) {
			t.Errorf("%+v, %v; kept is %+v, was %+v", d, err, after, before)
		}
		w.target.answer = nil
		if d, err = w.Replay(t.Context(), key.Name(), id); err != nil || d.Outcome != eventing.Delivered || len(w.failures()) > 0 {
			t.Errorf("%+v, %v; kept is %+v", d, err, w.failures())
		}
		_, err = w.Replay(t.Context(), key.Name(), id)
		wantCode(t, err, sunya.NotFound, "")
	})
}

// TestDeadLetters: what a dead letter policy ends is among the failures.
func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.target.answer = always(500)
		tr := w.create(onLetters())
		if _, err := w.broker.CreateTopic(t.Context(), pubsub.Topic{Name: "projects/p/topics/graves"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.broker.UpdateSubscription(t.Context(), tr.Subscription, func(s *pubsub.Subscription) error {
			s.DeadLetter = &pubsub.DeadLetter{Topic: "projects/p/topics/graves", MaxAttempts: 5}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.publish("x")
		time.Sleep(time.Hour)
		list := w.failures()
		if w.target.calls() != 5 || w.backlog() != 0 || len(list) != 1 || list[0].State != eventing.DeadLettered || list[0].Attempts != 5 {
			t.Errorf("%d requests, kept is %+v", w.target.calls(), list)
		}
	})
}

// TestWhatIsNoEvent is dropped with a reason, and what the trigger does not want
// without.
func TestWhatIsNoEvent(t *testing.T) {
	w := newWorld(t)
	tr := w.create(func() eventing.Spec { s := onFiles(inInbox); s.Retry = false; return s }())
	for _, m := range []pubsub.Message{
		{Data: []byte("{}"), Attributes: map[string]string{"eventType": "OBJECT_DELETE", "bucketId": "inbox", "objectId": "x"}},
		{Data: []byte("{"), Attributes: map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "inbox", "objectId": "x"}},
		{Data: []byte("{}"), Attributes: map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "elsewhere", "objectId": "x"}},
		{Data: []byte("{}"), Attributes: map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "inbox", "objectId": "x"}},
	} {
		if _, err := w.broker.Publish(t.Context(), tr.Topic, []pubsub.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all are done with", func() bool { return w.backlog() == 0 })
	f, err := w.Figures(t.Context(), key)
	if err != nil || w.target.calls() != 1 || f.Deliveries[eventing.Filtered] != 2 || f.Deliveries[eventing.Drop] != 1 || f.Deliveries[eventing.Delivered] != 1 {
		t.Errorf("%d requests, %+v, %v", w.target.calls(), f, err)
	}
	if list := w.failures(); len(list) != 1 || !strings.Contains(list[0].Reason, "the message is no event") {
		t.Errorf("kept is %+v", list)
	}
	if all := w.AllFigures(t.Context()); len(all) != 1 || all[0].Trigger != key.Name() {
		t.Errorf("%+v", all)
	}
}
