// Package pubsub is topics, subscriptions and the messages between them, as
// Cloud Pub/Sub has them.
//
// A published message is acknowledged to its publisher once it is synced, with
// all others that came meanwhile. It is stored once, whatever the number of its
// subscriptions: each of those keeps what it has acknowledged as a cursor and
// bits (ackSet), and who holds what at the moment in memory (queue). A restart
// therefore delivers again what was not acknowledged, and a backlog takes no
// memory; topics and subscriptions at rest take none at all.
package pubsub

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
)

// Parts is what a Broker works with.
type Parts struct {
	Store Store
	// Push carries requests to push endpoints; nil: nothing is pushed.
	Push http.RoundTripper
	// Schemas knows the schemas of topics; nil: there are none.
	Schemas SchemaChecker
	// Sign makes the identity tokens of pushes.
	Sign Signer
	// Triggers make the requests of their subscriptions.
	Triggers Deliverer
	Now      func() time.Time
	Log      *slog.Logger
}

// Signer makes identity tokens.
type Signer interface {
	// IDToken returns a token of a service account for an audience.
	IDToken(ctx context.Context, account, audience string) (string, error)
}

// Broker carries messages from topics to subscriptions. It is safe for
// concurrent use; Run must be running for anything to be published or
// acknowledged.
type Broker struct {
	store  Store
	now    func() time.Time
	log    *slog.Logger
	commit committer
	alarm  *agenda.Agenda[*feed] // whose deadlines pass when

	// defs is held while a definition changes or is loaded, so that what is
	// in memory is what is stored.
	defs sync.Mutex

	push  *http.Client // nil: nothing is pushed
	sign  Signer
	trig  Deliverer
	forms SchemaChecker
	side  sync.WaitGroup // what spawn started

	life  sync.Mutex // may be taken while a feed's lock is held
	stop  context.Context
	end   context.CancelFunc
	ended bool

	usage usage

	mu     sync.Mutex // a feed's lock may be taken while it is held, not the other way
	topics map[string]*topic
	subs   map[string]*feed
}

// topic is a topic in use.
type topic struct {
	name   string
	number int64
	next   int64     // only the committer's
	last   time.Time // of the last message; only the committer's
	// deleted, and retired (forgotten here, not in the store), are guarded by
	// the committer's lock.
	deleted, retired bool

	mu   sync.Mutex
	def  Topic
	head int64 // messages before it can be read
	subs []*feed
	used time.Time // published to
}

// New returns a Broker.
func New(p Parts) *Broker {
	b := &Broker{
		store: p.Store, now: p.Now, log: p.Log.With("component", "pubsub"),
		alarm:  agenda.New[*feed](),
		topics: map[string]*topic{}, subs: map[string]*feed{},
		usage: usage{used: map[int64]struct{}{}},
	}
	if p.Push != nil {
		b.push = &http.Client{Transport: p.Push, CheckRedirect: noRedirect}
	}
	b.sign, b.trig, b.forms = p.Sign, p.Triggers, p.Schemas
	b.stop, b.end = context.WithCancel(context.Background())
	b.commit.init(b)
	return b
}

// spawn runs f beside Run, which waits for it.
func (b *Broker) spawn(f func(ctx context.Context)) {
	b.life.Lock()
	defer b.life.Unlock()
	if ctx := b.stop; !b.ended {
		b.side.Go(func() { f(ctx) })
	}
}

// Run stores what is published and acknowledged, and minds deadlines, until
// ctx ends. What was accepted before is stored then, and nothing more is
// accepted until it runs again.
func (b *Broker) Run(ctx context.Context) error {
	b.begin()
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, b.end)()
	group.Go(func() error { return b.commit.run(ctx) })
	group.Go(func() error { return b.runAlarm(ctx) })
	group.Go(func() error { return b.keep(ctx) })
	group.Go(func() error { return b.resumePush(ctx) })
	err := group.Wait()
	b.life.Lock()
	b.ended = true
	b.life.Unlock()
	b.side.Wait()
	return err
}

// begin undoes what the end of an earlier Run left.
func (b *Broker) begin() {
	b.life.Lock()
	defer b.life.Unlock()
	if b.ended {
		b.ended = false
		b.stop, b.end = context.WithCancel(context.Background())
		b.commit.open()
	}
}

// topic returns a topic in use, which is loaded when it is not.
func (b *Broker) topic(ctx context.Context, name string) (*topic, error) {
	if t := b.loadedTopic(name); t != nil {
		return t, nil
	}
	b.defs.Lock()
	defer b.defs.Unlock()
	return b.loadTopic(ctx, name)
}

func (b *Broker) loadedTopic(name string) *topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[name]
}

// loadTopic is topic for those who hold defs.
func (b *Broker) loadTopic(ctx context.Context, name string) (*topic, error) {
	if t := b.loadedTopic(name); t != nil {
		return t, nil
	}
	if _, err := ParseName("topic", Topics, name); err != nil {
		return nil, err
	}
	rec, err := b.store.Topic(ctx, name)
	if err != nil {
		return nil, err
	}
	t := &topic{name: name, number: rec.Number, next: rec.Next, head: rec.Next, def: rec.Topic}
	for _, s := range rec.Subscriptions {
		t.subs = append(t.subs, newFeed(b, t, s))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[name] = t
	for _, f := range t.subs {
		b.subs[f.name] = f
	}
	return t, nil
}

// feed returns a subscription in use, which is loaded with its topic when it is
// not.
func (b *Broker) feed(ctx context.Context, name string) (*feed, error) {
	if f := b.loadedFeed(name); f != nil {
		return f, nil
	}
	b.defs.Lock()
	defer b.defs.Unlock()
	return b.loadFeed(ctx, name)
}

// hold is feed for those who work with its queue: until they release it, it
// stays the only one of its subscription.
func (b *Broker) hold(ctx context.Context, name string) (*feed, error) {
	for {
		f, err := b.feed(ctx, name)
		if err != nil {
			return nil, err
		}
		if f.grasp() {
			b.usage.note(f.number)
			return f, nil
		}
	}
}

func (f *feed) grasp() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.retired {
		return false
	}
	f.users++
	f.used = f.b.now()
	return true
}

func (f *feed) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	f.used = f.b.now()
}

func (b *Broker) loadedFeed(name string) *feed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subs[name]
}

// loadFeed is feed for those who hold defs.
func (b *Broker) loadFeed(ctx context.Context, name string) (*feed, error) {
	if f := b.loadedFeed(name); f != nil {
		return f, nil
	}
	if _, err := ParseName("subscription", Subscriptions, name); err != nil {
		return nil, err
	}
	rec, err := b.store.Subscription(ctx, name)
	if err != nil {
		return nil, err
	}
	if rec.TopicNumber != 0 {
		if _, err := b.loadTopic(ctx, rec.Topic); err != nil {
			return nil, err
		}
		if f := b.loadedFeed(name); f != nil {
			return f, nil
		}
		return nil, sunya.Errorf(sunya.Internal, name, "its topic does not know the subscription")
	}
	f := newFeed(b, nil, rec)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[name] = f
	return f, nil
}

// forget takes a feed out of what is in use.
func (b *Broker) forget(f *feed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, f.name)
}
