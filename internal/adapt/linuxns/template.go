package linuxns

import (
	"context"
	"errors"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var (
	_ sandbox.Keeper   = (*Engine)(nil)
	_ sandbox.Restored = (*box)(nil)
)

// startFrom says which template a sandbox is to start from.
func startFrom(spec sandbox.Spec) *ipc.Template {
	if spec.Template == "" {
		return nil
	}
	return &ipc.Template{Key: spec.Template}
}

// Keep implements sandbox.Keeper.
func (e *Engine) Keep(ctx context.Context, spec sandbox.Spec, watch func(sandbox.Sandbox)) error {
	b, err := e.create(ctx, spec, &ipc.Template{Key: spec.Template, Keep: true})
	if err != nil {
		return err
	}
	watch(b)
	t, err := b.awaitKept(ctx)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	err = errors.Join(err, b.Stop(stopCtx, 0))
	if err == nil && t.Problem != "" {
		err = sunya.Errorf(sunya.FailedPrecondition, "", "%s", t.Problem)
	}
	return err
}

func (b *box) awaitKept(ctx context.Context) (*ipc.Template, error) {
	select {
	case t := <-b.kept:
		return t, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("keep %s: %w", b.spec.ID, ctx.Err())
	case <-b.done:
	}
	select { // its last words may have come with its end
	case t := <-b.kept:
		return t, nil
	default:
		return nil, sunya.Errorf(sunya.FailedPrecondition, "", "it ended with %s", describe(b.Exit()))
	}
}

// Discard implements sandbox.Keeper.
func (e *Engine) Discard(ctx context.Context, key string) error {
	_, _, err := e.call(ctx, &ipc.Message{Verb: ipc.Discard, Template: &ipc.Template{Key: key}})
	if err != nil {
		return fmt.Errorf("discard template %s: %w", key, err)
	}
	return nil
}

// Restored implements sandbox.Restored.
func (b *box) Restored() (yes bool, problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.template == nil {
		return false, ""
	}
	return b.template.Used, b.template.Problem
}

func (b *box) isKept(t *ipc.Template) {
	if t == nil {
		return
	}
	select {
	case b.kept <- t:
	default: // said already
	}
}
