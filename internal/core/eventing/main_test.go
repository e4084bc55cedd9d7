package eventing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const (
	letters   = "projects/p/topics/letters"
	finalized = "google.cloud.storage.object.v1.finalized"
)

var key = eventing.Key{Project: "p", Location: "local", ID: "t"}

// onLetters is a trigger of a topic, for a service.
func onLetters(change ...func(*eventing.Spec)) eventing.Spec {
	s := eventing.Spec{
		Filters:     []eventing.Filter{{Attribute: "type", Value: eventing.MessagePublished}},
		Destination: eventing.Destination{Service: "projects/p/locations/local/services/reader", Path: "/new"},
		Topic:       letters, Retry: true,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// onFiles is one of a bucket, for a function.
func onFiles(filters ...eventing.Filter) eventing.Spec {
	return eventing.Spec{
		Filters:     append([]eventing.Filter{{Attribute: "type", Value: finalized}}, filters...),
		Destination: eventing.Destination{Function: "projects/p/locations/local/functions/f"}, Retry: true,
	}
}

var inInbox = eventing.Filter{Attribute: "bucket", Value: "inbox"}

// buckets has a bucket inbox, and its notifications.
type buckets struct {
	sync.Mutex
	made []objects.Notification
	next int
	err  error // of CreateNotification
}

func (b *buckets) CreateNotification(_ context.Context, n objects.Notification) (*objects.Notification, error) {
	b.Lock()
	defer b.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	b.next++
	n.ID = strconv.Itoa(b.next)
	b.made = append(b.made, n)
	return &n, nil
}

func (b *buckets) Notifications(_ context.Context, bucket string) ([]objects.Notification, error) {
	b.Lock()
	defer b.Unlock()
	if bucket != "inbox" {
		return nil, sunya.Errorf(sunya.NotFound, bucket, "the bucket does not exist")
	}
	return append([]objects.Notification(nil), b.made...), nil
}

func (b *buckets) DeleteNotification(_ context.Context, _, id string) error {
	b.Lock()
	defer b.Unlock()
	for i, n := range b.made {
		if n.ID == id {
			b.made = append(b.made[:i], b.made[i+1:]...)
			return nil
		}
	}
	return sunya.Errorf(sunya.NotFound, id, "there is no such notification")
}

// target is a destination that answers as answer says, the n-th request from 1.
type target struct {
	mu     sync.Mutex
	got    []eventing.Request
	at     []time.Time
	answer func(ctx context.Context, n int) (eventing.Answer, error)
}

func (t *target) URL(d eventing.Destination) (string, error) {
	if d.ServiceName() == "projects/p/locations/local/services/absent" {
		return "", sunya.Errorf(sunya.NotFound, d.ServiceName(), "the service does not exist")
	}
	return "http://reader.test", nil
}

func (t *target) Send(ctx context.Context, _ *eventing.Trigger, r eventing.Request) (eventing.Answer, error) {
	t.mu.Lock()
	t.got, t.at = append(t.got, r), append(t.at, time.Now())
	n, answer := len(t.got), t.answer
	t.mu.Unlock()
	if answer == nil {
		return eventing.Answer{Status: 204}, nil
	}
	return answer(ctx, n)
}

func (t *target) calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.got)
}

// world is a service and a broker that run on real stores.
type world struct {
	*eventing.Service
	t       *testing.T
	broker  *pubsub.Broker
	store   eventing.Store
	state   *sqlite.DB
	target  *target
	buckets *buckets
}

// deliverer hands deliveries to a service that is made after the broker.
type deliverer struct{ s *eventing.Service }

func (d *deliverer) Deliver(ctx context.Context, s *pubsub.Subscription, m *pubsub.Received) bool {
	return d.s.Deliver(ctx, s, m)
}

// server is what stays when a world ends.
type server struct {
	dir     string
	target  *target
	buckets *buckets
	wrap    func(eventing.Store) eventing.Store
}

// start runs what there is in a directory until stop or the end of the test.
func (s *server) start(t *testing.T) (w *world, stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	state, err := sqlite.Open(t.Context(), filepath.Join(s.dir, "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	events, err := sqlite.OpenEvents(t.Context(), filepath.Join(s.dir, "events.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	to := &deliverer{}
	w = &world{t: t, state: state, store: state, target: s.target, buckets: s.buckets}
	if s.wrap != nil {
		w.store = s.wrap(w.store)
	}
	w.broker = pubsub.New(pubsub.Parts{Store: events, Push: noPush{}, Triggers: to, Now: time.Now, Log: log})
	ids := 0
	to.s = eventing.New(eventing.Parts{
		Store: w.store, Broker: w.broker, Target: s.target, Sources: []eventing.Source{eventing.PubSub{}, &eventing.Storage{Buckets: s.buckets}},
		Now: time.Now, NewID: func() string { ids++; return fmt.Sprint("uid", ids) }, Log: log,
	})
	w.Service = to.s
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = w.broker.Run(ctx) })
	run.Go(func() { _ = w.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		for _, c := range []interface{ Close() error }{events, state} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(stop)
	return w, stop
}

func newServer(t *testing.T) *server {
	return &server{dir: t.TempDir(), target: &target{}, buckets: &buckets{}}
}

// newWorld has the topic of letters too.
func newWorld(t *testing.T) *world {
	w, _ := newServer(t).start(t)
	w.letters()
	return w
}

func (w *world) letters() {
	w.t.Helper()
	if _, err := w.broker.CreateTopic(w.t.Context(), pubsub.Topic{Name: letters}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(s eventing.Spec) *eventing.Trigger {
	w.t.Helper()
	t, err := w.Create(w.t.Context(), key, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) publish(text string) (id string) {
	w.t.Helper()
	ids, err := w.broker.Publish(w.t.Context(), letters, []pubsub.Message{{Data: []byte(text)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return ids[0]
}

func (w *world) failures() []eventing.Failure {
	w.t.Helper()
	list, err := w.Failures(w.t.Context(), eventing.FailureQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) backlog() int64 {
	w.t.Helper()
	f, err := w.Figures(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return f.Backlog
}

// noPush refuses what is not a trigger's.
type noPush struct{}

func (noPush) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is nobody")
}

func wantCode(t *testing.T, err error, want sunya.Code, field string) {
	t.Helper()
	var e *sunya.Error
	if errors.As(err, &e); sunya.CodeOf(err) != want || field != "" && (e == nil || e.Field != field) {
		t.Errorf("%v (%v), want %v of %s", err, sunya.CodeOf(err), want, field)
	}
}
