package pubsub

import (
	"encoding/base64"
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
)

// Message is what is published. Its ID and time are given by the topic.
type Message struct {
	ID          string // unique on the platform; decimal digits
	PublishTime time.Time
	Data        []byte
	Attributes  map[string]string
	OrderingKey string
}

// The limits of a publish (cloud.google.com/pubsub/quotas).
const (
	MaxPublishBytes    = 10 << 20 // of one request, and so of one message
	MaxPublishMessages = 1000     // of one request
	maxAttributes      = 100      // of one message
	maxAttributeKey    = 256      // bytes
	maxAttributeValue  = 1024     // bytes
	maxOrderingKey     = 1024     // bytes
)

// size is what a message counts towards limits of bytes.
func (m *Message) size() int {
	n := len(m.Data) + len(m.OrderingKey)
	for k, v := range m.Attributes {
		n += len(k) + len(v)
	}
	return n
}

// check returns what is wrong with a message that is to be published.
func (m *Message) check() error {
	switch {
	case len(m.Data) == 0 && len(m.Attributes) == 0:
		return sunya.Invalid("messages", "some messages are empty: each needs data or an attribute")
	case len(m.Attributes) > maxAttributes:
		return sunya.Invalid("messages.attributes", "%d attributes are too many: a message has at most %d", len(m.Attributes), maxAttributes)
	case len(m.OrderingKey) > maxOrderingKey:
		return sunya.Invalid("messages.ordering_key", "%d bytes are too long: an ordering key has at most %d", len(m.OrderingKey), maxOrderingKey)
	}
	return m.checkAttributes()
}

func (m *Message) checkAttributes() error {
	for k, v := range m.Attributes {
		switch {
		case k == "":
			return sunya.Invalid("messages.attributes", "the key of an attribute may not be empty")
		case len(k) > maxAttributeKey:
			return sunya.Invalid("messages.attributes", "the key %.40q… has %d bytes, at most %d are allowed", k, len(k), maxAttributeKey)
		case len(v) > maxAttributeValue:
			return sunya.Invalid("messages.attributes", "the value of %q has %d bytes, at most %d are allowed", k, len(v), maxAttributeValue)
		case !utf8.ValidString(k) || !utf8.ValidString(v):
			return sunya.Invalid("messages.attributes", "the attribute %q is not UTF-8", k)
		case len(k) >= 4 && k[:4] == "goog":
			return sunya.Invalid("messages.attributes", "the key %q begins with goog, which is reserved", k)
		}
	}
	return nil
}

// checkPublish returns what is wrong with a request to publish.
func checkPublish(messages []Message) error {
	if len(messages) == 0 {
		return sunya.Invalid("messages", "the request has no message")
	}
	if len(messages) > MaxPublishMessages {
		return sunya.Invalid("messages", "the request has %d messages, at most %d are allowed: publish in several requests", len(messages), MaxPublishMessages)
	}
	total := 0
	for i := range messages {
		if err := messages[i].check(); err != nil {
			return err
		}
		if messages[i].OrderingKey != messages[0].OrderingKey {
			return sunya.Invalid("messages.ordering_key", "all messages of a request must have the same ordering key")
		}
		total += messages[i].size()
	}
	if total > MaxPublishBytes {
		return sunya.Invalid("messages", "the request has %d bytes, at most %d are allowed", total, MaxPublishBytes)
	}
	return nil
}

// seqBits is how many bits of a message's number count within its topic: a
// trillion messages in each of eight million topics.
const seqBits = 40

// Number is the number of a message on the platform, from that of its topic and
// its own within it, which starts at 1 and has no gaps.
func Number(topic, seq int64) int64 { return topic<<seqBits | seq }

// Seq is the part of a message's number that counts within its topic.
func Seq(number int64) int64 { return number & (1<<seqBits - 1) }

// handle is what an ack id stands for: one delivery of one message.
type handle struct {
	sub   int64 // number of the subscription
	seq   int64 // of the message
	token int64 // of the delivery
}

func (h handle) String() string {
	b := make([]byte, 0, 3*binary.MaxVarintLen64)
	for _, n := range []int64{h.sub, h.seq, h.token} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseHandle is the inverse of handle.String; ok is false for what it never
// returned.
func parseHandle(ackID string) (h handle, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(ackID)
	if err != nil {
		return handle{}, false
	}
	for _, p := range []*int64{&h.sub, &h.seq, &h.token} {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > 1<<62 {
			return handle{}, false
		}
		*p, b = int64(n), b[used:]
	}
	return h, len(b) == 0 && h.String() == ackID
}
