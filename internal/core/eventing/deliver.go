package eventing

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

var _ pubsub.Deliverer = (*Service)(nil)

// Outcome is what became of a delivery.
type Outcome string

// The outcomes. After Retried and Busy the event comes again.
const (
	Delivered Outcome = "delivered"
	Retried   Outcome = "retried" // it failed
	Busy      Outcome = "busy"    // no instance could take it
	Drop      Outcome = "dropped" // it failed, and the trigger does not retry
	Expire    Outcome = "expired" // it is older than the trigger's age
	Bury      Outcome = "dead-lettered"
	Filtered  Outcome = "filtered" // the trigger does not want it
)

// Outcomes are all of them.
var Outcomes = []Outcome{Delivered, Retried, Busy, Drop, Expire, Bury, Filtered}

// maxReason is how much of an answer is kept, in bytes.
const maxReason = 500

// Deliver implements pubsub.Deliverer. What is given up is stored among the
// failures first.
func (s *Service) Deliver(ctx context.Context, sub *pubsub.Subscription, m *pubsub.Received) bool {
	t, err := s.inUse(ctx, sub.Push.Trigger)
	if err != nil {
		if sunya.CodeOf(err) != sunya.NotFound && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "deliver", "trigger", sub.Push.Trigger, "err", err)
		}
		return false
	}
	d := s.attempt(ctx, t, &m.Message)
	if d.interrupted(ctx) {
		return false
	}
	d.Attempt = m.Tries
	last := sub.DeadLetter != nil && m.Attempt >= sub.DeadLetter.MaxAttempts
	switch {
	case d.Outcome == Drop && t.Retry && last:
		d.Outcome = Bury
	case d.Outcome == Drop && t.Retry:
		d.Outcome = Retried
	}
	if err := s.note(ctx, t, d, &m.Message); err != nil {
		if ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "keep failed event", "trigger", t.Name(), "event", d.ID, "err", err)
		}
		return false
	}
	s.watch.add(d)
	return d.done()
}

// Delivery is one delivery that is over.
type Delivery struct {
	Time    time.Time // when it began
	Trigger string
	ID      string
	Type    string
	Subject string
	Outcome Outcome
	Status  int // 0: there was no answer
	Latency time.Duration
	Attempt int // from 1
	Reason  string
}

// done reports whether the event does not come again.
func (d *Delivery) done() bool {
	switch d.Outcome {
	case Delivered, Drop, Expire, Filtered:
		return true
	}
	return false
}

// interrupted reports whether the end of the server is why it failed.
func (d *Delivery) interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && d.Outcome != Delivered
}

// attempt delivers a message once. A failure is a Drop: what the trigger says
// about retries is not looked at.
func (s *Service) attempt(ctx context.Context, t *Trigger, m *pubsub.Message) *Delivery {
	d := &Delivery{Time: s.Now(), Trigger: t.Name(), ID: m.ID, Type: t.Type(), Outcome: Drop}
	src, _ := s.find(t.Type())
	if src == nil {
		d.Reason = "there is no source of events of this type any more"
		return d
	}
	e, err := src.Event(t, m)
	switch {
	case err != nil:
		d.Reason = "the message is no event: " + err.Error()
		return d
	case e == nil || !e.passes(t):
		d.Outcome = Filtered
		return d
	}
	d.ID, d.Subject = e.ID, e.Subject
	if age := d.Time.Sub(m.PublishTime); age > t.MaxAge {
		d.Outcome, d.Reason = Expire, fmt.Sprintf("it is %v old", age.Round(time.Second))
		return d
	}
	answer, err := s.Target.Send(ctx, t, e.request(t))
	d.Latency = s.Now().Sub(d.Time)
	d.judge(answer, err)
	return d
}

func (d *Delivery) judge(answer Answer, err error) {
	if err != nil {
		d.Reason = err.Error()
		return
	}
	d.Status = answer.Status
	switch {
	case answer.Status >= 200 && answer.Status < 300:
		d.Outcome = Delivered
		return
	case answer.Status == http.StatusTooManyRequests:
		d.Outcome = Busy
	}
	d.Reason = fmt.Sprintf("%d %s", answer.Status, http.StatusText(answer.Status))
	if text := excerpt(answer.Body); text != "" {
		d.Reason += ": " + text
	}
}

// excerpt is the beginning of a text answer on one line.
func excerpt(body []byte) string {
	text := string(bytes.ToValidUTF8(body[:min(len(body), maxReason)], nil))
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func joined(list []string) string { return strings.Join(list, ", ") }
