package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// newEventing makes the triggers, on the broker.
func (n *Node) newEventing(log *slog.Logger) *eventing.Service {
	return eventing.New(eventing.Parts{
		Store:   n.storage.state,
		Broker:  n.products.pubsub,
		Target:  &eventTarget{table: n.serve.catalog.Table, url: n.url, gateway: n.serve.gateway, sign: idTokens{n.tokens}},
		Sources: n.eventSources(log),
		Now:     time.Now,
		NewID:   uuid.NewString,
		Log:     log,
	})
}

// eventSources are where events come from: a new one is a line here.
func (n *Node) eventSources(log *slog.Logger) []eventing.Source {
	return []eventing.Source{
		eventing.PubSub{},
		&eventing.Storage{Buckets: n.products.objects},
		eventing.NewSchedule(n.storage.state, n.products.pubsub, time.Now, log),
	}
}

// triggers hands deliveries to the triggers, which need the broker themselves.
type triggers struct{ p *products }

// Deliver implements pubsub.Deliverer.
func (t triggers) Deliver(ctx context.Context, s *pubsub.Subscription, m *pubsub.Received) bool {
	return t.p.eventing.Deliver(ctx, s, m)
}

// Check implements functions.Triggers.
func (t triggers) Check(ctx context.Context, k eventing.Key, s *eventing.Spec) error {
	return t.p.eventing.Check(ctx, k, s)
}

// Put implements functions.Triggers.
func (t triggers) Put(ctx context.Context, k eventing.Key, s eventing.Spec) (*eventing.Trigger, error) {
	return t.p.eventing.Put(ctx, k, s)
}

// Delete implements functions.Triggers.
func (t triggers) Delete(ctx context.Context, k eventing.Key) (*eventing.Trigger, error) {
	return t.p.eventing.Delete(ctx, k)
}

// eventTarget delivers events to services of this server.
type eventTarget struct {
	table   func() *serving.Table
	url     func(label string) string
	gateway *gateway.Gateway
	sign    idTokens
}

// URL implements eventing.Target.
func (t *eventTarget) URL(d eventing.Destination) (string, error) {
	name := d.ServiceName()
	for _, h := range t.table().Hosts(name) {
		if h.Revision == "" {
			return t.url(h.Label), nil
		}
	}
	return "", sunya.Errorf(sunya.NotFound, name, "the service does not exist")
}

// maxDelivery bounds a delivery beyond what the service itself allows a request.
const maxDelivery = 65 * time.Minute

// Send implements eventing.Target. The request counts as one from inside the
// project.
func (t *eventTarget) Send(ctx context.Context, trigger *eventing.Trigger, e eventing.Request) (eventing.Answer, error) {
	url, err := t.URL(trigger.Destination)
	if err != nil {
		return eventing.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(gateway.WithCaller(ctx, gateway.Caller{Project: trigger.Project}), maxDelivery)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+strings.TrimPrefix(trigger.Destination.Path, "/"), bytes.NewReader(e.Body))
	if err != nil {
		return eventing.Answer{}, fmt.Errorf("deliver to %s: %w", url, err)
	}
	r.Header = e.Header
	r.Header.Set("User-Agent", "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google)")
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if trigger.Account != "" {
		token, err := t.sign.IDToken(ctx, trigger.Account, url)
		if err != nil {
			return eventing.Answer{}, fmt.Errorf("sign identity token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := &answer{header: http.Header{}, status: http.StatusOK, most: maxEventAnswer}
	if err := serveInside(t.gateway, w, r); err != nil {
		return eventing.Answer{}, err
	}
	return eventing.Answer{Status: w.status, Body: w.body.Bytes()}, nil
}

// maxEventAnswer is how much of an answer to an event is kept, in bytes. The
// rest is nobody's.
const maxEventAnswer = 4 << 10
