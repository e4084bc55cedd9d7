package functions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// Triggers are what runs functions by events.
type Triggers interface {
	Check(ctx context.Context, k eventing.Key, s *eventing.Spec) error
	Put(ctx context.Context, k eventing.Key, s eventing.Spec) (*eventing.Trigger, error)
	Delete(ctx context.Context, k eventing.Key) (*eventing.Trigger, error) // NotFound
}

// EventTrigger says which events a function runs for.
type EventTrigger struct {
	eventing.Spec
	Location string // of the trigger; the function's if empty
}

// TriggerKey names the trigger of a function as Google does, by the function
// and a number.
func (f *Function) TriggerKey() eventing.Key { return f.trigger(f.Event) }

func (f *Function) trigger(e *EventTrigger) eventing.Key {
	location := f.Location
	if e != nil {
		location = cmp.Or(e.Location, location)
	}
	id := f.ID[:min(len(f.ID), 56)] // with the number it is at most 63 bytes
	return eventing.Key{Project: f.Project, Location: location, ID: fmt.Sprintf("%s-%06d", id, crc32.ChecksumIEEE([]byte(f.Name()))%1e6)}
}

// completeTrigger fills in what the generation and the function say about a
// trigger, and how its events call the function.
func (s *Spec) completeTrigger(k Key) {
	if s.Event == nil {
		return
	}
	e := *s.Event // what the caller has stays
	e.Destination, e.Owner, e.MakeTopic = eventing.Destination{Function: k.Name()}, k.Name(), e.Topic != ""
	e.Form, e.MaxAge, s.Signature = eventing.CloudEvent, eventing.DefaultAge, CloudEvent
	if s.FirstGen {
		e.Form, e.MaxAge, s.Signature = eventing.Background, eventing.FirstAge, Event
	}
	if s.BuildEnv[signatureVar] != "" {
		s.Signature = "" // the build takes it from there
	}
	e.Account = cmp.Or(e.Account, s.Account)
	s.Event = &e
}

// signatureVar is the build variable that says how a function is called.
const signatureVar = "GOOGLE_FUNCTION_SIGNATURE_TYPE"

// maxEventTimeout is how long a function may take for an event, in seconds
// (Cloud Functions, "Quotas").
const maxEventTimeout = 540

// checkTrigger looks at the trigger that a function is to have.
func (a *Admin) checkTrigger(ctx context.Context, k Key, s *Spec) error {
	if s.Event == nil {
		return nil
	}
	if s.Timeout.Seconds() > maxEventTimeout {
		return sunya.Invalid(s.fields().timeout, "%v is not allowed: a function that events run has up to %d seconds", s.Timeout, maxEventTimeout)
	}
	f := Function{Key: k, Spec: *s}
	err := a.Triggers.Check(ctx, f.TriggerKey(), &s.Event.Spec)
	var wrong *sunya.Error
	if errors.As(err, &wrong) && eventFields[wrong.Field] != "" {
		return sunya.InField(eventFields[wrong.Field], err)
	}
	return err
}

// eventFields are how requests about functions spell the fields of a trigger.
var eventFields = map[string]string{
	"event_filters":          "function.event_trigger.event_filters",
	"transport.pubsub.topic": "function.event_trigger.pubsub_topic",
	"service_account":        "function.event_trigger.service_account_email",
}

// applyTrigger gives a function the trigger that it is to have, and takes that
// away which it had.
func (a *Admin) applyTrigger(ctx context.Context, f, before *Function) error {
	if before != nil && before.Event != nil && (f.Event == nil || f.TriggerKey() != before.TriggerKey()) {
		if err := a.removeTrigger(ctx, before); err != nil {
			return err
		}
	}
	if f.Event == nil {
		return nil
	}
	_, err := a.Triggers.Put(ctx, f.TriggerKey(), f.Event.Spec)
	return err
}

func (a *Admin) removeTrigger(ctx context.Context, f *Function) error {
	if f.Event == nil {
		return nil
	}
	_, err := a.Triggers.Delete(ctx, f.TriggerKey())
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil
	}
	return err
}
