package eventing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// JobExecuted is the type of the events of the clock.
const JobExecuted = "google.cloud.scheduler.job.v1.executed"

// Schedule is the clock as a source: a tick is a message on the trigger's topic.
// It is Sunya's own until there is Cloud Scheduler, and all of it is in this
// file.
//
// Each tick is published once, also over restarts: which one is about to be, and
// the id that its message gets, is stored before; a topic that has given that id
// has the tick. Of the ticks that passed while nobody ran, the last is made up
// for.
type Schedule struct {
	store  SourceStore
	topics Topics
	now    func() time.Time
	log    *slog.Logger
	wake   chan struct{}

	mu   sync.Mutex
	jobs map[string]*job // by trigger
}

// SourceStore is the part of Store that a source needs.
type SourceStore interface {
	SourceState(ctx context.Context, trigger string) ([]byte, error)
	PutSourceState(ctx context.Context, trigger string, state []byte) error
}

// Topics is what the clock needs of Pub/Sub.
type Topics interface {
	Publish(ctx context.Context, topic string, messages []pubsub.Message) ([]string, error)
	NextID(ctx context.Context, topic string) (string, error)
}

// job is one schedule.
type job struct {
	trigger *Trigger
	every   crontab
	due     time.Time
}

// ticked is what is remembered of a schedule.
type ticked struct {
	Tick time.Time // the last that is published, or about to be
	ID   string    // of its message; empty: none yet
}

// NewSchedule returns the clock; it ticks while it runs.
func NewSchedule(store SourceStore, topics Topics, now func() time.Time, log *slog.Logger) *Schedule {
	return &Schedule{store: store, topics: topics, now: now, log: log, wake: make(chan struct{}, 1), jobs: map[string]*job{}}
}

// Provider implements Source.
func (*Schedule) Provider() Provider {
	return Provider{Name: "cloudscheduler.googleapis.com", Display: "Schedule (Sunya's own)", Types: []EventType{{
		Type: JobExecuted, Description: "It is time: at every tick of a schedule, in UTC.",
		Attributes: []Attribute{{Name: "schedule", Required: true, Description: "five fields of a crontab, or every N minutes or hours; not among Google's attributes"}},
	}}}
}

// FromResource implements Source: the first generation knows no clock.
func (*Schedule) FromResource(string, string) ([]Filter, string, error) {
	return nil, "", sunya.Invalid("event_trigger", "schedules are for functions of the second generation")
}

// Check implements Source.
func (*Schedule) Check(_ context.Context, t *Trigger) error {
	_, err := parseCrontab(t.Filter("schedule"))
	return sunyaIn("event_filters", err)
}

func sunyaIn(field string, err error) error {
	if err == nil {
		return nil
	}
	return sunya.InField(field, err)
}

// Open implements Source.
func (s *Schedule) Open(ctx context.Context, t *Trigger) error {
	every, err := parseCrontab(t.Filter("schedule"))
	if err != nil {
		return err
	}
	last, err := s.settle(ctx, t)
	if err != nil {
		return err
	}
	now := s.now()
	due := every.after(last.Tick)
	for next := every.after(due); !next.IsZero() && !next.After(now); next = every.after(due) {
		due = next // of those that were missed the last is enough
	}
	s.mu.Lock()
	s.jobs[t.Name()] = &job{trigger: t, every: every, due: due}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// settle returns the last tick, published: one that an earlier server was about
// to publish is, if it did not come to it.
func (s *Schedule) settle(ctx context.Context, t *Trigger) (last ticked, err error) {
	state, err := s.store.SourceState(ctx, t.Name())
	if err != nil {
		return last, err
	}
	if state == nil {
		last.Tick = s.now()
		return last, s.remember(ctx, t, last)
	}
	if err := json.Unmarshal(state, &last); err != nil {
		return last, fmt.Errorf("read the last tick of %s: %w", t.Name(), err)
	}
	if last.ID == "" {
		return last, nil
	}
	next, err := s.topics.NextID(ctx, t.Topic)
	if err != nil || next != last.ID {
		return last, err
	}
	return last, s.publish(ctx, t, last.Tick)
}

func (s *Schedule) remember(ctx context.Context, t *Trigger, last ticked) error {
	state, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("remember the last tick of %s: %w", t.Name(), err)
	}
	return s.store.PutSourceState(ctx, t.Name(), state)
}

func (s *Schedule) publish(ctx context.Context, t *Trigger, tick time.Time) error {
	_, err := s.topics.Publish(ctx, t.Topic, []pubsub.Message{{Attributes: map[string]string{"tick": tick.UTC().Format(time.RFC3339)}}})
	return err
}

// Close implements Source.
func (s *Schedule) Close(_ context.Context, t *Trigger) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, t.Name())
	return nil
}

// longest is how long the clock sleeps at most, so that it notices when the time
// was set.
const longest = time.Minute

// tickRetry is how long a tick waits that could not be published.
const tickRetry = time.Second

// Run implements Runner.
func (s *Schedule) Run(ctx context.Context) error {
	for {
		timer := time.NewTimer(s.tick(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// tick publishes what is due, and returns how long until something is.
func (s *Schedule) tick(ctx context.Context) time.Duration {
	wait := longest
	now := s.now()
	for _, j := range s.due(now) {
		if err := s.fire(ctx, &j); err != nil {
			if ctx.Err() == nil {
				s.log.ErrorContext(ctx, "tick", "trigger", j.trigger.Name(), "err", err)
			}
			wait = tickRetry
			continue
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if until := j.due.Sub(now); until > 0 {
			wait = min(wait, until)
		}
	}
	return wait
}

func (s *Schedule) due(now time.Time) (out []job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if !j.due.IsZero() && !j.due.After(now) {
			out = append(out, *j)
		}
	}
	return out
}

// fire publishes one tick.
func (s *Schedule) fire(ctx context.Context, j *job) error {
	id, err := s.topics.NextID(ctx, j.trigger.Topic)
	if err != nil {
		return err
	}
	if err := s.remember(ctx, j.trigger, ticked{Tick: j.due, ID: id}); err != nil {
		return err
	}
	if err := s.publish(ctx, j.trigger, j.due); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.jobs[j.trigger.Name()]; now != nil && now.due.Equal(j.due) {
		now.due = now.every.after(j.due)
	}
	return nil
}

// Event implements Source.
func (*Schedule) Event(t *Trigger, m *pubsub.Message) (*Event, error) {
	at, err := time.Parse(time.RFC3339, m.Attributes["tick"])
	if err != nil {
		return nil, sunya.Errorf(sunya.InvalidArgument, m.ID, "it is no tick")
	}
	schedule := t.Filter("schedule")
	data, err := json.Marshal(map[string]string{"schedule": schedule, "scheduleTime": at.UTC().Format(time.RFC3339)})
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, m.ID, "encode tick: %v", err)
	}
	job := sunya.LocationName(t.Project, t.Location) + "/jobs/" + t.ID
	return &Event{
		ID: m.ID, Type: JobExecuted, Source: "//cloudscheduler.googleapis.com/" + job, Time: at, Data: data, LegacyData: data,
		Attributes: map[string]string{"schedule": schedule},
		Resource:   Resource{Service: "cloudscheduler.googleapis.com", Name: job},
	}, nil
}

// crontab is when a schedule ticks: sets of bits, in UTC.
type crontab struct {
	minutes, hours, days, months, weekdays uint64
	// either says that days and weekdays are both given, so that one is enough.
	either bool
}

// parseCrontab reads five fields (*, N, N-M, steps, lists; Sunday is 0 or 7), or
// "every N minutes" and "every N hours", N dividing the hour or the day.
func parseCrontab(text string) (c crontab, err error) {
	fields := strings.Fields(text)
	if len(fields) == 3 && fields[0] == "every" {
		fields, err = everyN(fields[1], strings.TrimSuffix(fields[2], "s"))
		if err != nil {
			return c, err
		}
	}
	if len(fields) != 5 {
		return c, sunya.Invalid("schedule", "%q is not a schedule: write five fields as in a crontab, such as \"*/5 * * * *\", or \"every 5 minutes\"", text)
	}
	for i, f := range []struct {
		set         *uint64
		least, most int
	}{{&c.minutes, 0, 59}, {&c.hours, 0, 23}, {&c.days, 1, 31}, {&c.months, 1, 12}, {&c.weekdays, 0, 7}} {
		if *f.set, err = parseField(fields[i], f.least, f.most); err != nil {
			return c, err
		}
	}
	if c.weekdays&(1<<7) != 0 {
		c.weekdays |= 1
	}
	c.either = fields[2] != "*" && fields[4] != "*"
	if c.after(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return c, sunya.Invalid("schedule", "%q never comes", text)
	}
	return c, nil
}

func everyN(count, unit string) ([]string, error) {
	n, err := strconv.Atoi(count)
	switch {
	case err == nil && unit == "minute" && n > 0 && 60%n == 0:
		return []string{"*/" + count, "*", "*", "*", "*"}, nil
	case err == nil && unit == "hour" && n > 0 && 24%n == 0:
		return []string{"0", "*/" + count, "*", "*", "*"}, nil
	}
	return nil, sunya.Invalid("schedule", "every %s %s is not supported: N minutes must divide an hour, N hours a day", count, unit)
}

func parseField(text string, least, most int) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, every, stepped := strings.Cut(part, "/")
		low, high, step := least, most, 1
		if stepped {
			if step, err = strconv.Atoi(every); err != nil || step < 1 || step > most {
				return 0, sunya.Invalid("schedule", "%q is not a step", part)
			}
		}
		if span != "*" {
			from, to, isSpan := strings.Cut(span, "-")
			if low, err = strconv.Atoi(from); err != nil {
				return 0, sunya.Invalid("schedule", "%q is not a number: use %d to %d, *, ranges and lists", part, least, most)
			}
			if high = low; isSpan {
				if high, err = strconv.Atoi(to); err != nil {
					return 0, sunya.Invalid("schedule", "%q is not a range", part)
				}
			} else if stepped {
				high = most
			}
		}
		if low < least || high > most || low > high {
			return 0, sunya.Invalid("schedule", "%q is out of range: use %d to %d", part, least, most)
		}
		for n := low; n <= high; n += step {
			set |= 1 << n
		}
	}
	return set, nil
}

func (c *crontab) onDay(t time.Time) bool {
	day, weekday := c.days&(1<<t.Day()) != 0, c.weekdays&(1<<t.Weekday()) != 0
	if c.either {
		return day || weekday
	}
	return day && weekday
}

// after returns the first tick after a moment; zero when there is none within
// nine years, the longest that a 29th of February can be away.
func (c *crontab) after(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(9, 0, 0); t.Before(end); {
		switch {
		case c.months&(1<<int(t.Month())) == 0:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.onDay(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case c.hours&(1<<t.Hour()) == 0:
			t = t.Truncate(time.Hour).Add(time.Hour)
		case c.minutes&(1<<t.Minute()) == 0:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}
