package objects

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Publisher takes what notifications ask for. Publish returns when the message
// is kept; NotFound when there is no such topic.
type Publisher interface {
	Publish(ctx context.Context, topic string, data []byte, attributes map[string]string) error
}

// Encode makes the data of a message of an object, in the form of PayloadJSON.
type Encode func(o *Object) ([]byte, error)

const (
	relayBatch   = 100
	relayTimeout = 30 * time.Second // of one message
	relayAgain   = time.Second      // after a failure, doubled up to relayRarest
	relayRarest  = time.Minute
)

// Relay publishes what changes ask for until ctx ends, and removes each notice
// once its message is kept: after a crash a message can come again, but none is
// lost. A topic that does not exist loses its own; one that cannot be published
// to stops no other.
func (s *Service) Relay(ctx context.Context, to Publisher, encode Encode) error {
	wait := relayAgain
	for {
		failed, err := s.relayAll(ctx, to, encode)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			s.log.Warn("publish changes of objects", "err", err)
		}
		var again <-chan time.Time
		if failed || err != nil {
			again = time.After(wait)
			wait = min(2*wait, relayRarest)
		} else {
			wait = relayAgain
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.told:
		case <-again:
		}
	}
}

// relayAll goes once through everything there is. failed says that some of it
// has to be tried again.
func (s *Service) relayAll(ctx context.Context, to Publisher, encode Encode) (failed bool, err error) {
	after := int64(0)
	for {
		notices, err := s.store.Notices(ctx, after, relayBatch)
		if err != nil {
			return true, fmt.Errorf("read changes: %w", err)
		}
		if len(notices) == 0 {
			return failed, nil
		}
		after = notices[len(notices)-1].ID
		done := s.publish(ctx, to, encode, notices)
		failed = failed || len(done) < len(notices)
		if len(done) == 0 {
			continue
		}
		// The messages are kept: that is noted even when the server is ending.
		if err := s.store.DeleteNotices(context.WithoutCancel(ctx), done); err != nil {
			return true, fmt.Errorf("forget published changes: %w", err)
		}
	}
}

// publish returns the ids of what is done with.
func (s *Service) publish(ctx context.Context, to Publisher, encode Encode, notices []Notice) []int64 {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		done []int64
	)
	for i := range notices {
		n := &notices[i]
		wg.Go(func() {
			err := s.publishOne(ctx, to, encode, n)
			switch {
			case sunya.CodeOf(err) == sunya.NotFound:
				s.log.Warn("a notification is lost: its topic does not exist", "notification", n.Notification.FullName(), "topic", n.Notification.Topic)
			case err != nil:
				if ctx.Err() == nil {
					s.log.Warn("publish a change of an object", "notification", n.Notification.FullName(), "topic", n.Notification.Topic, "err", err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done = append(done, n.ID)
		})
	}
	wg.Wait()
	return done
}

func (s *Service) publishOne(ctx context.Context, to Publisher, encode Encode, n *Notice) error {
	var data []byte
	if n.Notification.PayloadFormat == PayloadJSON {
		var err error
		if data, err = encode(&n.Object); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	return to.Publish(ctx, n.Notification.Topic, data, n.Attributes())
}

// Tell wakes the relay: there may be notices, also of another server's.
func (s *Service) Tell() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}
