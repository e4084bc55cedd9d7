package pubsub

import (
	"context"
	"time"
)

// StreamOptions bound what a stream has outstanding: delivered, and neither
// acknowledged nor given back. 0 or less is no bound.
type StreamOptions struct {
	AckDeadline time.Duration
	MaxMessages int
	MaxBytes    int64
}

// Stream is an open flow of messages to one client.
type Stream struct {
	*consumer
	budget *budget // guarded by the feed's lock
	o      StreamOptions
}

// budget is what a consumer has outstanding.
type budget struct {
	messages int
	bytes    int64
	freed    chan<- struct{} // told when it becomes less; capacity 1
}

func (b *budget) take(size int) {
	b.messages++
	b.bytes += int64(size)
}

func (b *budget) free(size int) {
	b.messages--
	b.bytes -= int64(size)
	select {
	case b.freed <- struct{}{}:
	default:
	}
}

// streamBatch is how many messages one answer carries at most.
const streamBatch = 1000

// Stream begins a flow of the messages of a subscription. The caller must Close
// it.
func (b *Broker) Stream(ctx context.Context, name string, o StreamOptions) (*Stream, error) {
	f, err := b.pulled(ctx, name)
	if err != nil {
		return nil, err
	}
	c := f.consumer()
	return &Stream{consumer: c, o: o, budget: &budget{freed: c.woken}}, nil
}

// Close ends the flow. What is outstanding is delivered again when its deadline
// has passed.
func (s *Stream) Close() {
	s.consumer.Close()
	s.release()
}

// Subscription returns the subscription as it is now.
func (s *Stream) Subscription() Subscription { return s.definition() }

// Next returns messages, or none when there are none or no more are wanted;
// Changed then tells when to ask again. It and SetDeadline are for one
// goroutine.
func (s *Stream) Next(ctx context.Context) ([]Received, error) {
	if err := s.checkPull(); err != nil {
		return nil, err
	}
	n, bytes, deadline := s.room()
	if n == 0 {
		return nil, nil
	}
	return s.fetch(ctx, parcel{room: n, bytes: bytes, budget: s.budget}, deadline)
}

// Changed tells that Next may have something.
func (s *Stream) Changed() <-chan struct{} { return s.woken }

// SetDeadline changes how long the client gets for what it is given from now
// on.
func (s *Stream) SetDeadline(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.AckDeadline = d
}

// room is what the client takes at the moment.
func (s *Stream) room() (n, bytes int, deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes = streamBatch, pullBytes
	if s.o.MaxMessages > 0 {
		n = max(min(n, s.o.MaxMessages-s.budget.messages), 0)
	}
	if s.o.MaxBytes > 0 {
		left := s.o.MaxBytes - s.budget.bytes
		if left <= 0 {
			n = 0
		}
		bytes = int(min(int64(bytes), left))
	}
	return n, bytes, s.o.AckDeadline
}

// Acknowledge is the broker's for this subscription.
func (s *Stream) Acknowledge(ctx context.Context, ackIDs []string) (Acknowledgement, error) {
	return s.b.Acknowledge(ctx, s.name, ackIDs, false)
}

// ModifyAckDeadline is the broker's for this subscription.
func (s *Stream) ModifyAckDeadline(ctx context.Context, ackIDs []string, d time.Duration) (Acknowledgement, error) {
	return s.b.ModifyAckDeadline(ctx, s.name, ackIDs, d)
}
