package eventing

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

func TestCrontab(t *testing.T) {
	from := time.Date(2026, 2, 27, 23, 58, 30, 0, time.UTC) // a Friday
	for schedule, want := range map[string]string{
		"* * * * *":          "2026-02-27T23:59",
		"*/5 * * * *":        "2026-02-28T00:00",
		"every 5 minutes":    "2026-02-28T00:00",
		"every 6 hours":      "2026-02-28T00:00",
		"30 4 * * *":         "2026-02-28T04:30",
		"0 12 * * 1-5":       "2026-03-02T12:00",
		"0 0 * * 7":          "2026-03-01T00:00",
		"0 0 29 2 *":         "2028-02-29T00:00",
		"0 0 13 * 5":         "2026-03-06T00:00", // a 13th or a Friday
		"15,45 1-2 1 */3 *":  "2026-04-01T01:15",
		"10-20/5 23 28 2 6":  "2026-02-28T23:10",
		" 0   0  1  1   *  ": "2027-01-01T00:00",
	} {
		c, err := parseCrontab(schedule)
		if err != nil {
			t.Errorf("%q: %v", schedule, err)
			continue
		}
		if got := c.after(from).Format("2006-01-02T15:04"); got != want {
			t.Errorf("%q: %s, want %s", schedule, got, want)
		}
	}
	for _, bad := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 31 2 *", "every 7 minutes", "every x hours", "every 5 days"} {
		if _, err := parseCrontab(bad); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q: %v, want InvalidArgument", bad, err)
		}
	}
}

func FuzzCrontab(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/5 1-3,7 29 2 0", "every 5 minutes", "0 0 31 2 *"} {
		f.Add(s)
	}
	from := time.Date(2026, 2, 27, 23, 58, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseCrontab(s); err == nil {
			if next := c.after(from); !next.After(from) || next.Second() != 0 {
				t.Errorf("%q ticks at %v", s, next)
			}
		}
	})
}

// desk keeps what a schedule remembers and publishes; it can fail after either.
type desk struct {
	state map[string][]byte
	ticks []string
	dead  bool // publishing fails, and nothing is published
}

func (d *desk) SourceState(_ context.Context, trigger string) ([]byte, error) {
	return d.state[trigger], nil
}

func (d *desk) PutSourceState(_ context.Context, trigger string, state []byte) error {
	d.state[trigger] = state
	return nil
}

func (d *desk) NextID(context.Context, string) (string, error) {
	return strconv.Itoa(len(d.ticks) + 1), nil
}

func (d *desk) Publish(_ context.Context, _ string, m []pubsub.Message) ([]string, error) {
	if d.dead {
		return nil, sunya.Errorf(sunya.Unavailable, "", "it dies")
	}
	d.ticks = append(d.ticks, m[0].Attributes["tick"])
	return nil, nil
}

func TestTicksAreOnce(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC)
	d := &desk{state: map[string][]byte{}}
	tr := &Trigger{Key: Key{"p", "l", "t"}, Spec: Spec{Topic: "x", Filters: []Filter{{Attribute: "type", Value: JobExecuted}, {Attribute: "schedule", Value: "* * * * *"}}}}
	start := func() *Schedule {
		s := NewSchedule(d, d, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err := s.Open(t.Context(), tr); err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := func(what string, ticks ...string) {
		t.Helper()
		if len(d.ticks) != len(ticks) || len(ticks) > 0 && d.ticks[len(ticks)-1] != ticks[len(ticks)-1] {
			t.Fatalf("%s: %v, want %v", what, d.ticks, ticks)
		}
	}
	const one, two, three, nine = "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z", "2026-01-01T00:03:00Z", "2026-01-01T00:09:00Z"
	s := start()
	if wait := s.tick(t.Context()); wait != 30*time.Second {
		t.Errorf("waits %v", wait)
	}
	want("before the first")
	now = now.Add(31 * time.Second)
	s.tick(t.Context())
	s.tick(t.Context())
	want("the first, once", one)
	s = start() // it died after the tick was published
	s.tick(t.Context())
	want("after a restart", one)
	now = now.Add(time.Minute)
	d.dead = true
	s.tick(t.Context()) // it dies between what it remembers and the tick
	want("not published", one)
	d.dead = false
	s = start()
	want("made up for by the next", one, two)
	s.tick(t.Context())
	want("and not twice", one, two)
	now = now.Add(time.Minute)
	s.tick(t.Context())
	want("goes on", one, two, three)
	now = time.Date(2026, 1, 1, 0, 9, 10, 0, time.UTC)
	s = start()
	s.tick(t.Context())
	want("of those missed the last", one, two, three, nine)
	e, err := s.Event(tr, &pubsub.Message{ID: "7", Attributes: map[string]string{"tick": one}})
	if err != nil || e.Source != "//cloudscheduler.googleapis.com/projects/p/locations/l/jobs/t" || string(e.Data) != `{"schedule":"* * * * *","scheduleTime":"`+one+`"}` {
		t.Errorf("%+v, %v", e, err)
	}
}
