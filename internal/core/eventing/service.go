package eventing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Broker is what this package needs of Pub/Sub.
type Broker interface {
	CreateTopic(ctx context.Context, t pubsub.Topic) (*pubsub.Topic, error)
	Topic(ctx context.Context, name string) (*pubsub.Topic, error)
	DeleteTopic(ctx context.Context, name string) error
	CreateSubscription(ctx context.Context, s pubsub.Subscription) (*pubsub.Subscription, error)
	Subscription(ctx context.Context, name string) (*pubsub.Subscription, error)
	UpdateSubscription(ctx context.Context, name string, change func(*pubsub.Subscription) error) (*pubsub.Subscription, error)
	DeleteSubscription(ctx context.Context, name string) error
	Backlog(ctx context.Context, subscription string) (pubsub.Backlog, error)
}

// Target makes the requests of deliveries.
type Target interface {
	// URL is where a destination answers; NotFound when it does not exist.
	URL(d Destination) (string, error)
	// Send makes a request as the project and returns the answer. An error is
	// one without any answer.
	Send(ctx context.Context, t *Trigger, r Request) (Answer, error)
}

// Answer is what a destination said.
type Answer struct {
	Status int
	Body   []byte // the beginning
}

// Parts is what a Service works with.
type Parts struct {
	Store   Store
	Broker  Broker
	Target  Target
	Sources []Source
	Now     func() time.Time
	NewID   func() string // unique
	Log     *slog.Logger
}

// Service is the triggers and their deliveries. It is safe for concurrent use.
type Service struct {
	Parts
	watch watch

	// changing orders the changes of triggers.
	changing sync.Mutex

	mu       sync.Mutex
	triggers map[string]*Trigger // those in use, by name; never changed in place
}

// New returns a Service.
func New(p Parts) *Service {
	p.Log = p.Log.With("component", "eventing")
	s := &Service{Parts: p, triggers: map[string]*Trigger{}}
	s.watch.init()
	return s
}

// Run finishes what an earlier server has begun, and runs the sources, until
// ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if err := s.resume(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.tidy(ctx) })
	for _, src := range s.Sources {
		if r, ok := src.(Runner); ok {
			group.Go(func() error { return r.Run(ctx) })
		}
	}
	return group.Wait()
}

// resume goes on with triggers that are half made or half deleted, and opens
// those of sources that run.
func (s *Service) resume(ctx context.Context) error {
	const page = 1000
	for after := ""; ; {
		list, err := s.Store.ListTriggers(ctx, "", "", after, page)
		if err != nil {
			return err
		}
		for i := range list {
			t := &list[i]
			after = t.Project + "/" + t.Location + "/" + t.ID
			if err := s.resumeOne(ctx, t.Key); err != nil && ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "resume trigger", "trigger", t.Name(), "err", err)
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

// resumeOne looks at the trigger once more: it may have changed since it was
// listed.
func (s *Service) resumeOne(ctx context.Context, k Key) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	t, err := s.Store.GetTrigger(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	switch t.State {
	case Making:
		return s.makeIt(ctx, t)
	case Deleting:
		return s.unmake(ctx, t)
	}
	src, _ := s.find(t.Type())
	if _, runs := src.(Runner); !runs {
		return nil
	}
	return src.Open(ctx, t)
}

// Trigger returns one trigger; NotFound.
func (s *Service) Trigger(ctx context.Context, k Key) (*Trigger, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	t, err := s.Store.GetTrigger(ctx, k)
	if err == nil && t.State == Deleting {
		err = sunya.Errorf(sunya.NotFound, k.Name(), "the trigger is being deleted")
	}
	return t, err
}

// Triggers returns those of a location, "-" for all, in order, at most limit,
// beginning after LOCATION/ID.
func (s *Service) Triggers(ctx context.Context, project, location, after string, limit int) ([]Trigger, error) {
	if location == "-" {
		location = ""
	} else if err := sunya.CheckLocation(project, location); err != nil {
		return nil, err
	}
	return s.Store.ListTriggers(ctx, project, location, after, limit)
}

// Check completes what is asked of a trigger, and reports what is wrong with it.
// The destination need not exist yet.
func (s *Service) Check(ctx context.Context, k Key, spec *Spec) error {
	if err := k.Check(); err != nil {
		return err
	}
	spec.Form, spec.MaxAge = cmp.Or(spec.Form, CloudEvent), cmp.Or(spec.MaxAge, DefaultAge)
	if spec.Type() == "" {
		return sunya.Invalid("event_filters", "a filter for type is missing: it says which events are wanted")
	}
	src, kind := s.find(spec.Type())
	if src == nil {
		return s.unknownType(spec.Type())
	}
	if err := checkFilters(spec.Filters, kind); err != nil {
		return err
	}
	if spec.Topic != "" && !src.Provider().Transport {
		return sunya.Invalid("transport.pubsub.topic", "events of the type %s come by a topic of the trigger's own: leave it out", spec.Type())
	}
	if err := spec.Destination.check(k.Project); err != nil {
		return err
	}
	spec.Account = cmp.Or(spec.Account, sunya.ComputeAccount(k.Project))
	if err := sunya.CheckAccount("service_account", spec.Account); err != nil {
		return err
	}
	return src.Check(ctx, &Trigger{Key: k, Spec: *spec})
}

func (s *Service) unknownType(name string) error {
	var known []string
	for _, p := range s.Providers() {
		for _, t := range p.Types {
			known = append(known, t.Type)
		}
	}
	return &sunya.Error{Code: sunya.Unimplemented, Field: "event_filters", Message: "there is no source of events of the type " + name + " here: there are " + joined(known)}
}

// Create makes a trigger; AlreadyExists. Events that happen from then on are
// delivered.
func (s *Service) Create(ctx context.Context, k Key, spec Spec) (*Trigger, error) {
	if err := s.Check(ctx, k, &spec); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.create(ctx, k, spec)
}

// CheckCreate reports what Create would.
func (s *Service) CheckCreate(ctx context.Context, k Key, spec Spec) error {
	if err := s.Check(ctx, k, &spec); err != nil {
		return err
	}
	_, err := s.fresh(ctx, k, spec)
	return err
}

func (s *Service) create(ctx context.Context, k Key, spec Spec) (*Trigger, error) {
	t, err := s.fresh(ctx, k, spec)
	if err != nil {
		return nil, err
	}
	if err := s.Store.PutTrigger(ctx, t); err != nil {
		return nil, err
	}
	if err := s.makeIt(ctx, t); err != nil {
		return nil, errors.Join(err, s.unmake(context.WithoutCancel(ctx), t))
	}
	return t, nil
}

// fresh is a trigger that is to be made; AlreadyExists, and NotFound of a topic
// that has to exist.
func (s *Service) fresh(ctx context.Context, k Key, spec Spec) (*Trigger, error) {
	switch _, err := s.Store.GetTrigger(ctx, k); sunya.CodeOf(err) {
	case sunya.OK:
		return nil, sunya.Errorf(sunya.AlreadyExists, k.Name(), "the trigger exists already")
	case sunya.NotFound:
	default:
		return nil, err
	}
	now := s.Now()
	t := &Trigger{Key: k, Spec: spec, UID: s.NewID(), State: Making, CreateTime: now, UpdateTime: now}
	topic, sub := t.transport()
	t.Subscription = sub
	if t.Topic == "" {
		t.Topic, t.OwnTopic = topic, true
	}
	return t, s.checkTopic(ctx, t)
}

// checkTopic wants a topic to be there that is not made for the trigger.
func (s *Service) checkTopic(ctx context.Context, t *Trigger) error {
	if t.OwnTopic || t.MakeTopic {
		return nil
	}
	_, err := s.Broker.Topic(ctx, t.Topic)
	return err
}

// makeIt makes what a trigger needs, and marks it active. It may be called
// again after a crash. changing is held.
func (s *Service) makeIt(ctx context.Context, t *Trigger) error {
	if t.OwnTopic || t.MakeTopic {
		_, err := s.Broker.CreateTopic(ctx, pubsub.Topic{Name: t.Topic})
		if err != nil && sunya.CodeOf(err) != sunya.AlreadyExists {
			return err
		}
	}
	if err := s.subscribe(ctx, t); err != nil {
		return err
	}
	src, _ := s.find(t.Type())
	if src == nil {
		return s.unknownType(t.Type())
	}
	if err := src.Open(ctx, t); err != nil {
		return err
	}
	t.State = Active
	if err := s.Store.PutTrigger(ctx, t); err != nil {
		return err
	}
	s.use(t)
	return nil
}

// ackDeadline of triggers' subscriptions; deliveries are extended beyond.
const ackDeadline = time.Minute

// The backoff of triggers that retry (Eventarc, "Retry events").
const (
	minBackoff = 10 * time.Second
	maxBackoff = 10 * time.Minute
)

// subscribe makes the subscription of a trigger what it is to be. Backoff and
// dead letter policy stay as somebody has set them. It keeps events beyond their
// age, so that Deliver sees them and they do not just vanish.
func (s *Service) subscribe(ctx context.Context, t *Trigger) error {
	url, err := s.Target.URL(t.Destination)
	if sunya.CodeOf(err) == sunya.NotFound {
		url, err = "http://"+lastPart(t.Destination.ServiceName())+".invalid", nil // until it exists
	}
	if err != nil {
		return err
	}
	push := &pubsub.Push{Endpoint: t.Destination.under(url), Account: t.Account, Trigger: t.Name()}
	if t.Account != "" {
		push.Audience = url
	}
	apply := func(sub *pubsub.Subscription) error {
		sub.Push, sub.Retention = push, pubsub.MaxRetention
		switch {
		case !t.Retry:
			sub.Retry = nil
		case sub.Retry == nil:
			sub.Retry = &pubsub.Retry{Min: minBackoff, Max: maxBackoff}
		}
		return nil
	}
	sub := pubsub.Subscription{Name: t.Subscription, Topic: t.Topic, AckDeadline: ackDeadline, Expiration: pubsub.Never}
	_ = apply(&sub) // it has no error
	_, err = s.Broker.CreateSubscription(ctx, sub)
	if sunya.CodeOf(err) != sunya.AlreadyExists {
		return err
	}
	have, err := s.Broker.Subscription(ctx, t.Subscription)
	if err != nil {
		return err
	}
	if have.Push == nil || have.Push.Trigger != t.Name() {
		return sunya.Errorf(sunya.AlreadyExists, t.Subscription, "a subscription of this name exists: delete it, the trigger needs it")
	}
	_, err = s.Broker.UpdateSubscription(ctx, t.Subscription, apply)
	return err
}

// Update changes a trigger; what events it is for, and by which topic, stays.
func (s *Service) Update(ctx context.Context, k Key, change func(now *Trigger) error) (*Trigger, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	now, err := s.Trigger(ctx, k)
	if err != nil {
		return nil, err
	}
	return s.update(ctx, now, change)
}

// CheckUpdate reports what Update would.
func (s *Service) CheckUpdate(ctx context.Context, k Key, change func(now *Trigger) error) error {
	now, err := s.Trigger(ctx, k)
	if err == nil {
		_, err = s.changed(ctx, now, change)
	}
	return err
}

// changed is what a trigger will be after a change, as far as it can be changed.
func (s *Service) changed(ctx context.Context, now *Trigger, change func(now *Trigger) error) (*Trigger, error) {
	next := *now
	next.Filters = slices.Clone(now.Filters)
	if err := change(&next); err != nil {
		return nil, err
	}
	if next.Type() != now.Type() {
		return nil, sunya.Invalid("event_filters", "the type of a trigger's events cannot be changed: create another trigger")
	}
	spec := next.Spec
	if next.OwnTopic {
		spec.Topic = ""
	}
	if err := s.Check(ctx, now.Key, &spec); err != nil {
		return nil, err
	}
	spec.Topic = now.Topic
	next.Key, next.Spec, next.State, next.UpdateTime = now.Key, spec, Making, s.Now()
	return &next, nil
}

func (s *Service) update(ctx context.Context, now *Trigger, change func(now *Trigger) error) (*Trigger, error) {
	next, err := s.changed(ctx, now, change)
	if err != nil {
		return nil, err
	}
	if err := s.Store.PutTrigger(ctx, next); err != nil {
		return nil, err
	}
	if !slices.Equal(now.Filters, next.Filters) {
		src, _ := s.find(now.Type())
		if err := src.Close(ctx, now); err != nil {
			return nil, err
		}
	}
	if err := s.makeIt(ctx, next); err != nil {
		return nil, err
	}
	return next, nil
}

// Put makes a trigger what it is to be, whether it exists or not; one that gets
// other events than before is another. It may be called again after a crash.
func (s *Service) Put(ctx context.Context, k Key, spec Spec) (*Trigger, error) {
	if err := s.Check(ctx, k, &spec); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	now, err := s.Store.GetTrigger(ctx, k)
	switch {
	case sunya.CodeOf(err) == sunya.NotFound:
		return s.create(ctx, k, spec)
	case err != nil:
		return nil, err
	case now.State == Deleting, now.Type() != spec.Type(), spec.Topic != "" && spec.Topic != now.Topic, spec.Topic == "" && !now.OwnTopic:
		if err := s.unmake(ctx, now); err != nil {
			return nil, err
		}
		return s.create(ctx, k, spec)
	}
	return s.update(ctx, now, func(t *Trigger) error {
		t.Spec = spec
		return nil
	})
}

// Delete removes a trigger with what it has not delivered, and its topic if
// that was its own.
func (s *Service) Delete(ctx context.Context, k Key) (*Trigger, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	t, err := s.Store.GetTrigger(ctx, k)
	if err != nil {
		return nil, err
	}
	t.State = Deleting
	if err := s.Store.PutTrigger(ctx, t); err != nil {
		return nil, err
	}
	return t, s.unmake(ctx, t)
}

// unmake removes what was made for a trigger, and it. It may be called again
// after a crash. changing is held.
func (s *Service) unmake(ctx context.Context, t *Trigger) error {
	if src, _ := s.find(t.Type()); src != nil {
		if err := src.Close(ctx, t); err != nil {
			return err
		}
	}
	sub, err := s.Broker.Subscription(ctx, t.Subscription)
	if err == nil && sub.Push != nil && sub.Push.Trigger == t.Name() {
		err = s.Broker.DeleteSubscription(ctx, t.Subscription)
	}
	if err != nil && sunya.CodeOf(err) != sunya.NotFound {
		return err
	}
	if t.OwnTopic {
		if err := s.Broker.DeleteTopic(ctx, t.Topic); err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
	}
	if err := s.Store.DeleteTrigger(ctx, t.Key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.triggers, t.Name())
	s.watch.forget(t.Name())
	return nil
}

// use lets deliveries find a trigger as it is now.
func (s *Service) use(t *Trigger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := *t
	s.triggers[t.Name()] = &now
}

// inUse returns a trigger as deliveries see it; NotFound.
func (s *Service) inUse(ctx context.Context, name string) (*Trigger, error) {
	s.mu.Lock()
	t := s.triggers[name]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	k, err := ParseName("trigger", name)
	if err != nil {
		return nil, err
	}
	// Not while it changes: what was read would replace what is newer.
	s.changing.Lock()
	defer s.changing.Unlock()
	if t, err = s.Trigger(ctx, k); err != nil {
		return nil, err
	}
	s.use(t)
	return t, nil
}
