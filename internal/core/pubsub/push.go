package pubsub

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The window of a pushing subscription: it grows while the endpoint takes what
// it gets, and falls when it does not.
const (
	firstWindow = 4
	maxWindow   = 100
	// pushIdle is how long a pusher stays that has nothing to do.
	pushIdle = time.Second
	// maxPushAnswer is how much of an endpoint's answer is read.
	maxPushAnswer = 64 << 10
)

// noRedirect leaves a redirect an answer, which acknowledges nothing.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// resumePush begins again with what an earlier server has not pushed.
func (b *Broker) resumePush(ctx context.Context) error {
	if b.push == nil {
		return nil
	}
	names, err := b.store.Pushing(ctx)
	if err != nil {
		return fmt.Errorf("resume pushing: %w", err)
	}
	for _, name := range names {
		f, err := b.feed(ctx, name)
		if err != nil {
			b.log.ErrorContext(ctx, "resume pushing", "subscription", name, "err", err)
			continue
		}
		f.mu.Lock()
		f.startPush()
		f.mu.Unlock()
	}
	return nil
}

// startPush has a pusher run, if the subscription pushes. mu is held.
func (f *feed) startPush() {
	if f.def.Push == nil || f.pushing || f.deleted || f.def.Detached || f.t == nil || f.b.push == nil {
		return
	}
	f.pushing = true
	f.b.spawn(f.push)
}

// pusher sends the messages of one subscription, several at a time.
type pusher struct {
	*consumer
	window, busy int
	results      chan bool // of what is under way: whether it was taken
}

// push sends what there is, and ends when there is nothing more.
func (f *feed) push(ctx context.Context) {
	p := &pusher{consumer: f.consumer(), window: firstWindow, results: make(chan bool, maxWindow)}
	defer p.Close()
	for {
		idle := p.fill(ctx)
		if idle == nil {
			break
		}
		select {
		case ok := <-p.results:
			p.result(ok)
		case <-p.woken:
		case <-ctx.Done():
		case <-idle:
			if p.stopIfIdle() {
				return
			}
		}
	}
	for p.busy > 0 {
		p.result(<-p.results)
	}
	p.mu.Lock()
	p.pushing = false
	p.mu.Unlock()
}

// fill starts as many pushes as the window has room for. It returns what ends the
// pusher when nothing happens; nil: it ends now.
func (p *pusher) fill(ctx context.Context) <-chan time.Time {
	for p.busy < p.window {
		def := p.definition()
		if ctx.Err() != nil || def.Push == nil {
			return nil
		}
		got, err := p.fetch(ctx, parcel{room: p.window - p.busy, bytes: pullBytes}, def.AckDeadline)
		if err != nil {
			p.b.log.Warn("push", "subscription", p.name, "err", err)
			return nil
		}
		if len(got) == 0 {
			break
		}
		for i := range got {
			p.busy++
			go func() { p.results <- p.send(ctx, &def, &got[i]) }()
		}
	}
	if p.busy > 0 {
		return make(chan time.Time) // a push under way ends by its deadline
	}
	return time.After(pushIdle)
}

func (p *pusher) result(ok bool) {
	p.busy--
	if ok {
		p.window = min(p.window+1, maxWindow)
		return
	}
	least := 1
	if def := p.definition(); def.trigger() != "" {
		least = firstWindow // one message that fails slowly is not to hold up the others
	}
	p.window = max(p.window/2, least)
}

// stopIfIdle ends the pusher unless something has come meanwhile.
func (p *pusher) stopIfIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy > 0 || len(p.woken) > 0 {
		return false
	}
	p.pushing = false
	return true
}

// send pushes one message and acknowledges it, or not.
func (p *pusher) send(ctx context.Context, def *Subscription, m *Received) bool {
	if def.trigger() != "" && p.b.trig != nil {
		return p.trigger(ctx, def, m)
	}
	ctx, cancel := context.WithTimeout(ctx, def.AckDeadline)
	defer cancel()
	ok, err := p.b.post(ctx, def, m)
	if err != nil {
		p.b.log.Debug("push", "subscription", def.Name, "message", m.ID, "err", err)
	}
	h, _ := parseHandle(m.AckID)
	if ok {
		p.acknowledge([]handle{h}, []string{m.AckID})
	} else {
		p.modify([]handle{h}, []string{m.AckID}, 0)
	}
	return ok
}

// post makes the request; ok says that the endpoint has taken the message.
func (b *Broker) post(ctx context.Context, def *Subscription, m *Received) (ok bool, err error) {
	req, err := b.pushRequest(ctx, def, m)
	if err != nil {
		return false, err
	}
	resp, err := b.push.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxPushAnswer) // so that the connection can be used again
	switch resp.StatusCode {
	case http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return true, nil
	}
	return false, fmt.Errorf("the endpoint answered %s", resp.Status)
}

func (b *Broker) pushRequest(ctx context.Context, def *Subscription, m *Received) (*http.Request, error) {
	body, header := m.Data, http.Header{}
	if def.Push.Bare {
		header.Set("Content-Type", "application/octet-stream")
		if def.Push.Metadata {
			bareHeader(header, def, m)
		}
	} else {
		body = wrapped(def, m)
		header.Set("Content-Type", "application/json")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, def.Push.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("User-Agent", "CloudPubSub-Google")
	if def.Push.Account == "" || b.sign == nil {
		return req, nil
	}
	audience := def.Push.Audience
	if audience == "" {
		audience = def.Push.Endpoint
	}
	token, err := b.sign.IDToken(ctx, def.Push.Account, audience)
	if err != nil {
		return nil, fmt.Errorf("sign identity token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// pushBody is the JSON that a push endpoint gets. Identifier and time are there
// twice, as Google sends them.
type pushBody struct {
	Message struct {
		Attributes   map[string]string `json:"attributes,omitempty"`
		Data         string            `json:"data,omitempty"`
		MessageID    string            `json:"messageId"`
		MessageID2   string            `json:"message_id"`
		PublishTime  string            `json:"publishTime"`
		PublishTime2 string            `json:"publish_time"`
		OrderingKey  string            `json:"orderingKey,omitempty"`
	} `json:"message"`
	Subscription    string `json:"subscription"`
	DeliveryAttempt int    `json:"deliveryAttempt,omitempty"`
}

func wrapped(def *Subscription, m *Received) []byte {
	var b pushBody
	at := m.PublishTime.UTC().Format(time.RFC3339Nano)
	b.Message.Attributes, b.Message.OrderingKey = m.Attributes, m.OrderingKey
	b.Message.Data = base64.StdEncoding.EncodeToString(m.Data)
	b.Message.MessageID, b.Message.MessageID2 = m.ID, m.ID
	b.Message.PublishTime, b.Message.PublishTime2 = at, at
	b.Subscription, b.DeliveryAttempt = def.Name, m.Attempt
	out, err := json.Marshal(&b)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return out
}

// bareHeader says in headers what a wrapped message says in JSON.
func bareHeader(h http.Header, def *Subscription, m *Received) {
	for k, v := range m.Attributes {
		h.Set(k, v)
	}
	h.Set("x-goog-pubsub-subscription-name", def.Name)
	h.Set("x-goog-pubsub-message-id", m.ID)
	h.Set("x-goog-pubsub-publish-time", m.PublishTime.UTC().Format(time.RFC3339Nano))
	if m.OrderingKey != "" {
		h.Set("x-goog-pubsub-ordering-key", m.OrderingKey)
	}
	if m.Attempt > 0 {
		h.Set("x-goog-pubsub-delivery-attempt", strconv.Itoa(m.Attempt))
	}
}
