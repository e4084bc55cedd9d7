package operations_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

// memory is a Store of one process.
type memory struct {
	mu  sync.Mutex
	ops []sunya.Operation // oldest first
}

func (m *memory) find(name string) int {
	for i := range m.ops {
		if m.ops[i].Name == name {
			return i
		}
	}
	return -1
}

func (m *memory) GetOperation(_ context.Context, name string) (*sunya.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(name)
	if i < 0 {
		return nil, sunya.Errorf(sunya.NotFound, name, "gone")
	}
	op := m.ops[i]
	return &op, nil
}

func (m *memory) ListOperations(_ context.Context, prefix, after string, limit int) ([]sunya.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []sunya.Operation
	for i := len(m.ops) - 1; i >= 0 && len(out) < limit; i-- {
		if strings.HasPrefix(m.ops[i].Name, prefix) && (after == "" || i < m.find(after)) {
			out = append(out, m.ops[i])
		}
	}
	return out, nil
}

func (m *memory) PutOperation(_ context.Context, op *sunya.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(op.Name); i >= 0 {
		m.ops[i] = *op
		return nil
	}
	m.ops = append(m.ops, *op)
	return nil
}

func (m *memory) UpdateOperation(_ context.Context, name string, change func(*sunya.Operation)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(name)
	if i < 0 {
		return sunya.Errorf(sunya.NotFound, name, "gone")
	}
	change(&m.ops[i])
	return nil
}

func TestWaitIsWokenByTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := operations.New(&memory{})
		if err := s.Put(t.Context(), &sunya.Operation{Name: "op"}); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Minute)
			s.Update(t.Context(), "op", func(op *sunya.Operation) { op.Stage = "Building" })
			time.Sleep(time.Minute)
			s.Update(t.Context(), "op", func(op *sunya.Operation) { op.Done = true })
		}()
		begin := time.Now()
		op, err := s.Wait(t.Context(), "op", time.Hour)
		if err != nil || !op.Done || op.Stage != "Building" {
			t.Errorf("Wait = %+v, %v", op, err)
		}
		if took := time.Since(begin); took != 2*time.Minute {
			t.Errorf("woken after %v, want exactly 2m", took)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := operations.New(&memory{})
		if err := s.Put(t.Context(), &sunya.Operation{Name: "op", Stage: "Building"}); err != nil {
			t.Fatal(err)
		}
		op, err := s.Wait(t.Context(), "op", time.Second)
		if err != nil || op.Done || op.Stage != "Building" {
			t.Errorf("after the timeout: %+v, %v; want the operation as it is", op, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, "op", time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the caller's end: %v", err)
		}
		if _, err := s.Wait(t.Context(), "none", time.Hour); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("unknown operation: %v", err)
		}
	})
}

func TestListPages(t *testing.T) {
	s := operations.New(&memory{})
	for _, name := range []string{"a/1", "b/1", "a/2", "a/3"} {
		if err := s.Put(t.Context(), &sunya.Operation{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for after := ""; ; {
		ops, next, err := s.List(t.Context(), "a/", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range ops {
			got = append(got, op.Name)
		}
		if after = next; next == "" {
			break
		}
	}
	if want := "a/3 a/2 a/1"; strings.Join(got, " ") != want {
		t.Errorf("listed %v, want %s", got, want)
	}
}
