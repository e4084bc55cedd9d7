package dev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a source, a platform and a terminal in one.
type bench struct {
	mu      sync.Mutex
	source  string
	takes   time.Duration // of a deploy
	deploys int
	said    []string
}

func (b *bench) write(source string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.source = source
}

func (b *bench) Fingerprint(context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.source == "unreadable" {
		return "", errors.New("cannot read")
	}
	return b.source, nil
}

func (b *bench) Deploy(ctx context.Context) error {
	b.mu.Lock()
	b.deploys++
	source, takes := b.source, b.takes
	b.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(takes):
	}
	if strings.HasPrefix(source, "bad") {
		return errors.New(source)
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, fmt.Sprintf(format, args...))
}

func (b *bench) Deploying(changed []string) { b.say("deploying %v", changed) }
func (b *bench) Serving(took time.Duration) { b.say("serving after %v", took) }
func (b *bench) Failed(err error)           { b.say("failed: %v", err) }
func (b *bench) Restored()                  { b.say("restored") }
func (b *bench) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.said, want) {
		t.Fatalf("said  %q\nwant  %q", b.said, want)
	}
	b.said = nil
}

// begin makes the first deploy and lets the loop run.
func begin(t *testing.T, b *bench) *Loop {
	t.Helper()
	l := New(b, b, time.Now)
	l.Deploy(t.Context())
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		end := errors.New("the end")
		cancel(end)
		if err := <-ended; !errors.Is(err, end) {
			t.Errorf("Run returned %v", err)
		}
	})
	return l
}

func TestSeveralWritesAreOneDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "one", takes: time.Second}
		l := begin(t, b)
		b.expect(t, "deploying []", "serving after 1s")
		b.write("two")
		l.Changed("a.py")
		time.Sleep(Quiet - 1)
		l.Changed("b.py")
		l.Changed("a.py")
		time.Sleep(Quiet - 1)
		b.expect(t)
		time.Sleep(time.Nanosecond)
		b.expect(t, "deploying [a.py b.py]")
		time.Sleep(time.Second)
		b.expect(t, "serving after 1s")
	})
}

func TestASourceThatNeverRestsIsDeployed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "one"}
		l := begin(t, b)
		b.expect(t, "deploying []", "serving after 0s")
		for i := range 30 {
			b.write(fmt.Sprint(i))
			l.Changed("log.txt")
			time.Sleep(Quiet * 9 / 10)
		}
		b.expect(t, "deploying [log.txt]", "serving after 0s")
	})
}

func TestAChangeDuringADeployIsDeployedNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "one", takes: time.Second}
		l := begin(t, b)
		b.write("two")
		l.Changed("a.py")
		time.Sleep(Quiet + time.Millisecond)
		if !l.State().Deploying {
			t.Error("not deploying")
		}
		b.write("three")
		l.Changed("b.py")
		time.Sleep(3 * time.Second)
		b.expect(t, "deploying []", "serving after 1s", "deploying [a.py]", "serving after 1s", "deploying [b.py]", "serving after 1s")
		if b.deploys != 3 {
			t.Errorf("%d deploys", b.deploys)
		}
	})
}

func TestAFailureKeepsTheGoodVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "good"}
		l := begin(t, b)
		b.expect(t, "deploying []", "serving after 0s")
		change := func(source string) {
			b.write(source)
			l.Changed("main.py")
			time.Sleep(Quiet)
			synctest.Wait()
		}
		change("bad syntax")
		b.expect(t, "deploying [main.py]", "failed: bad syntax")
		if s := l.State(); !s.Good || s.Failure == nil || s.Deploys != 2 {
			t.Errorf("state = %+v", s)
		}
		change("bad syntax") // saved again: it may have been the network
		b.expect(t, "deploying [main.py]", "failed: bad syntax")
		change("unreadable")
		b.expect(t, "deploying [main.py]", "failed: cannot read")
		change("good")
		b.expect(t, "restored")
		if s := l.State(); !s.Good || s.Failure != nil || b.deploys != 3 {
			t.Errorf("state = %+v after %d deploys", s, b.deploys)
		}
		change("good") // touched
		b.expect(t)
	})
}

func TestTheFirstSourceIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "bad"}
		l := begin(t, b)
		b.expect(t, "deploying []", "failed: bad")
		if s := l.State(); s.Good || s.Failure == nil {
			t.Errorf("state = %+v", s)
		}
		b.write("good")
		l.Changed("main.py")
		time.Sleep(Quiet)
		b.expect(t, "deploying [main.py]", "serving after 0s")
		if s := l.State(); !s.Good || s.Failure != nil {
			t.Errorf("state = %+v", s)
		}
	})
}

func TestRestartDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "one"}
		l := begin(t, b)
		b.expect(t, "deploying []", "serving after 0s")
		l.Restart()
		b.expect(t, "deploying []", "serving after 0s")
	})
}

func TestTheEndDuringADeployIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{source: "one", takes: time.Hour}
		ctx, cancel := context.WithCancel(t.Context())
		l := New(b, b, time.Now)
		go l.Deploy(ctx)
		synctest.Wait()
		cancel()
		b.expect(t, "deploying []")
		if s := l.State(); s.Failure != nil || s.Deploying {
			t.Errorf("state = %+v", s)
		}
	})
}
