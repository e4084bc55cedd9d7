package pubsub

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"
)

// What a message says of itself in a dead letter topic.
const (
	deadSubscription = "CloudPubSubDeadLetterSourceSubscription"
	deadProject      = "CloudPubSubDeadLetterSourceSubscriptionProject"
	deadCount        = "CloudPubSubDeadLetterSourceDeliveryCount"
	deadPublishTime  = "CloudPubSubDeadLetterSourceTopicPublishTime"
)

// buryTimeout bounds reading a message that is to be moved.
const buryTimeout = 10 * time.Second

// bury moves a message to the dead letter topic of its subscription, whose lock
// is held: publication and acknowledgement are stored together. Where that
// cannot be, the message is delivered again.
func (b *Broker) bury(f *feed, seq int64) {
	def, attempts, t := f.def, f.q.attempts[seq], f.t
	b.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, buryTimeout)
		defer cancel()
		if err := b.move(ctx, f, t, &def, seq, attempts); err != nil {
			b.log.Warn("dead letter", "subscription", def.Name, "topic", def.DeadLetter.Topic, "err", err)
			f.spare(seq)
		}
	})
}

func (b *Broker) move(ctx context.Context, f *feed, from *topic, def *Subscription, seq int64, attempts int) error {
	found, err := b.store.Read(ctx, from.number, seq, 1, 1)
	if err != nil {
		return err
	}
	p := &publication{bury: f, seq: seq}
	if len(found) == 1 && found[0].Seq == seq {
		m := found[0].Message
		m.Attributes = obituary(&m, def, attempts)
		p.messages, p.size = []Message{m}, m.size()
	}
	return b.enqueue(ctx, def.DeadLetter.Topic, p)
}

// obituary is the attributes of a message with those that say where it comes
// from.
func obituary(m *Message, def *Subscription, attempts int) map[string]string {
	out := maps.Clone(m.Attributes)
	if out == nil {
		out = map[string]string{}
	}
	parts := strings.Split(def.Name, "/")
	out[deadSubscription], out[deadProject] = parts[3], parts[1]
	out[deadCount] = strconv.Itoa(attempts)
	out[deadPublishTime] = m.PublishTime.UTC().Format(time.RFC3339Nano)
	return out
}

// spare lets a message be delivered again that could not be moved.
func (f *feed) spare(seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.q == nil {
		return
	}
	f.q.revive(seq, f.b.now().Add(max(f.def.backoff(f.q.attempts[seq]), time.Second)))
	f.changed()
}
