package functions

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// puts answers every Put with an error.
type puts struct {
	Triggers
	err error
}

func (p *puts) Check(context.Context, eventing.Key, *eventing.Spec) error { return nil }

func (p *puts) Put(context.Context, eventing.Key, eventing.Spec) (*eventing.Trigger, error) {
	return nil, p.err
}

// TestTriggerCannotBeMade: what trying again does not change ends the deployment.
func TestTriggerCannotBeMade(t *testing.T) {
	for _, tt := range []struct {
		err   error
		final bool
	}{
		{sunya.Errorf(sunya.NotFound, "b", "the bucket does not exist"), true},
		{errors.New("the disk is full"), false},
	} {
		w, a := newWorld(t)
		a.Triggers = &puts{err: tt.err}
		s := spec
		s.Event = &EventTrigger{}
		if _, err := a.Create(t.Context(), hello, s, nil, "me"); err != nil {
			t.Fatal(err)
		}
		err := a.Finish(t.Context(), &w.pending[0])
		var final interface{ Final() }
		if err == nil || errors.As(err, &final) != tt.final {
			t.Errorf("%v: Finish returned %v", tt.err, err)
		}
		f, err := a.Function(t.Context(), hello)
		if err != nil {
			t.Fatal(err)
		}
		if failed := f.State == Failed && strings.Contains(strings.Join(f.Messages, ""), "the bucket does not exist"); failed != tt.final {
			t.Errorf("%v: the function is %+v", tt.err, f)
		}
	}
}
