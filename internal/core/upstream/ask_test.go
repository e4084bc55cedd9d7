package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// asked returns a connection that was used before and asks so, and its other end.
func asked(t *testing.T, ask Ask) (c *Conn, there net.Conn) {
	t.Helper()
	p := &Pool{MaxIdle: 1, Ask: func(net.Conn) Ask { return ask }, Open: func(context.Context) (net.Conn, error) {
		here, other := net.Pipe()
		there = other
		t.Cleanup(func() { other.Close() })
		return here, nil
	}}
	t.Cleanup(p.Close)
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go io.CopyN(io.Discard, there, 5)
	if n, err := c.Send([]byte("first"), true); n != 5 || err != nil {
		t.Fatalf("over a new one: %d %v", n, err)
	}
	c.frame = noFrame // its response is over
	c.Free(time.Now())
	if p.Idle(time.Now(), 0) != c {
		t.Fatal("it is not used again")
	}
	return c, there
}

// TestUnasked: what a program says after its response is not the answer to the next
// request.
func TestUnasked(t *testing.T) {
	c, _ := asked(t, func(_, _ []byte) (int, int, error) { return 0, 0, ErrStale })
	if n, err := c.Send([]byte("GET"), true); n != 0 || !errors.Is(err, ErrStale) {
		t.Errorf("%d %v", n, err)
	}
}

func TestSendReadsTheAnswer(t *testing.T) {
	const response = "HTTP/1.1 204 No Content\r\n\r\n"
	c, _ := asked(t, func(_, answer []byte) (int, int, error) { return 3, copy(answer, response), nil })
	if n, err := c.Send([]byte("GET"), true); n != 3 || err != nil || !c.Begun() {
		t.Errorf("%d %v", n, err)
	}
	if err := c.ReadHead("GET"); err != nil || c.Response.Status != 204 {
		t.Errorf("%d %v", c.Response.Status, err)
	}
}

// TestSendWaitsForWhatIsWhole: the rest of a request would not be sent otherwise.
func TestSendWaitsForWhatIsWhole(t *testing.T) {
	c, _ := asked(t, func(request, answer []byte) (int, int, error) {
		if len(answer) > 0 {
			t.Error("it waits for an answer")
		}
		return len(request), 0, nil
	})
	if n, err := c.Send([]byte("PUT"), false); n != 3 || err != nil || c.Begun() {
		t.Errorf("%d %v", n, err)
	}
}

// TestSendSendsTheRest: a part was sent without a wait.
func TestSendSendsTheRest(t *testing.T) {
	c, there := asked(t, func(_, _ []byte) (int, int, error) { return 1, 0, nil })
	go io.CopyN(io.Discard, there, 1)
	c.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Send([]byte("GET"), true); n != 2 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d %v", n, err)
	}
}

// TestSendKeepsTheError: a connection that broke after the request is no failure to
// send it, and not lost on who reads.
func TestSendKeepsTheError(t *testing.T) {
	reset := errors.New("reset")
	c, _ := asked(t, func(_, _ []byte) (int, int, error) { return 3, 0, reset })
	if n, err := c.Send([]byte("GET"), true); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	for range 2 {
		if err := c.ReadHead("GET"); !errors.Is(err, reset) || c.Begun() {
			t.Error(err)
		}
	}
}

// timed notes the deadlines that are set.
type timed struct {
	net.Conn
	set []time.Time
}

func (c *timed) SetDeadline(t time.Time) error {
	c.set = append(c.set, t)
	return nil
}

func TestSoon(t *testing.T) {
	const moment = 20 * time.Millisecond
	begin := time.Unix(1e9, 0)
	inner := &timed{}
	c := &Conn{Conn: inner}
	for _, tt := range []struct {
		after time.Duration
		sets  bool
	}{{0, true}, {time.Millisecond, false}, {moment, false}, {moment + 1, true}, {moment + 2, false}, {time.Hour, true}, {0, true}} {
		n := len(inner.set)
		if err := c.Soon(begin.Add(tt.after), moment); err != nil {
			t.Fatal(err)
		}
		if (len(inner.set) > n) != tt.sets {
			t.Errorf("after %v: %d, %d deadlines", tt.after, n, len(inner.set))
		}
		if left := inner.set[len(inner.set)-1].Sub(begin.Add(tt.after)); left < moment || left > 2*moment {
			t.Errorf("after %v: %v are left", tt.after, left)
		}
	}
	c.SetDeadline(begin)
	c.Soon(begin, moment)
	if last := inner.set[len(inner.set)-1]; last != begin.Add(2*moment) {
		t.Errorf("another deadline is kept: %v", last)
	}
}
