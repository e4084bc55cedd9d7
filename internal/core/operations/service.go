package operations

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Service is the operations as clients and workers see them. Its methods are
// safe for concurrent use.
type Service struct {
	store Store

	mu      sync.Mutex
	changed map[string]*watch // by operation name, only while somebody waits
}

// watch is what the waiters of one operation share.
type watch struct {
	waiters int
	ch      chan struct{} // closed and replaced with every change
}

// New returns a Service over store.
func New(store Store) *Service {
	return &Service{store: store, changed: map[string]*watch{}}
}

// Get returns an operation; NotFound when there is none of that name.
func (s *Service) Get(ctx context.Context, name string) (*sunya.Operation, error) {
	return s.store.GetOperation(ctx, name)
}

// List returns at most limit operations whose names begin with prefix, newest
// first, beginning after the one named after. next is the name to continue
// after, empty at the end.
func (s *Service) List(ctx context.Context, prefix, after string, limit int) (ops []sunya.Operation, next string, err error) {
	ops, err = s.store.ListOperations(ctx, prefix, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list operations %s: %w", prefix, err)
	}
	if len(ops) > limit {
		ops = ops[:limit]
		next = ops[limit-1].Name
	}
	return ops, next, nil
}

// Put stores an operation and wakes its waiters.
func (s *Service) Put(ctx context.Context, op *sunya.Operation) error {
	if err := s.store.PutOperation(ctx, op); err != nil {
		return fmt.Errorf("put operation: %w", err)
	}
	s.Changed(op.Name)
	return nil
}

// Update changes an operation durably and wakes its waiters. Updates of one
// operation are applied one after the other; change must not block.
func (s *Service) Update(ctx context.Context, name string, change func(*sunya.Operation)) error {
	if err := s.store.UpdateOperation(ctx, name, change); err != nil {
		return fmt.Errorf("update operation: %w", err)
	}
	s.Changed(name)
	return nil
}

// Wait returns the operation once it is done, or as it is after timeout. A
// timeout of 0 or less waits until ctx ends.
func (s *Service) Wait(ctx context.Context, name string, timeout time.Duration) (*sunya.Operation, error) {
	waitCtx, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		waitCtx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	op, err := s.wait(waitCtx, name)
	// Only our own timeout is an answer; the caller's end is the caller's.
	if op != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return op, nil
	}
	if err != nil {
		return nil, err
	}
	return op, nil
}

// wait returns the operation when it is done, or the last one seen and the
// context's error.
func (s *Service) wait(ctx context.Context, name string) (*sunya.Operation, error) {
	w := s.watch(name)
	defer s.unwatch(name)
	for {
		changed := s.next(w)
		op, err := s.store.GetOperation(ctx, name)
		if err != nil || op.Done {
			return op, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return op, ctx.Err()
		}
	}
}

// Changed wakes the waiters of an operation that was written together with
// other records, past this Service.
func (s *Service) Changed(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.changed[name]; w != nil {
		close(w.ch)
		w.ch = make(chan struct{})
	}
}

func (s *Service) watch(name string) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.changed[name]
	if w == nil {
		w = &watch{ch: make(chan struct{})}
		s.changed[name] = w
	}
	w.waiters++
	return w
}

func (s *Service) unwatch(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.changed[name]
	if w.waiters--; w.waiters == 0 {
		delete(s.changed, name)
	}
}

// next returns the channel that the next change closes.
func (s *Service) next(w *watch) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.ch
}
