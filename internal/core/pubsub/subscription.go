package pubsub

import (
	"cmp"
	"net/url"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Subscription is who gets the messages of a topic.
type Subscription struct {
	Name  string // projects/P/subscriptions/S
	Topic string // projects/P/topics/T, or DeletedTopic
	// AckDeadline is how long a delivered message may stay unacknowledged, and
	// how long a push may take; 10 s to 10 min, 10 s if zero.
	AckDeadline time.Duration
	// Retention is how long messages are kept; 10 minutes to 31 days, 7 days if
	// zero. RetainAcked keeps them also when acknowledged, for a seek.
	Retention   time.Duration
	RetainAcked bool `json:",omitempty"`
	// Expiration is how long the subscription lives unused; negative: for
	// ever; 31 days if zero, at least a day.
	Expiration  time.Duration
	Labels      map[string]string `json:",omitempty"`
	Ordered     bool              `json:",omitempty"` // by ordering key
	ExactlyOnce bool              `json:",omitempty"`
	Filter      string            `json:",omitempty"` // cannot be changed
	DeadLetter  *DeadLetter       `json:",omitempty"`
	Retry       *Retry            `json:",omitempty"` // nil: at once
	Push        *Push             `json:",omitempty"` // nil: pulled
	Detached    bool              `json:",omitempty"`
	Policy      iam.Policy        `json:",omitzero"` // stored and given back
}

// DeadLetter is where messages go that nobody acknowledges.
type DeadLetter struct {
	Topic       string // projects/P/topics/T
	MaxAttempts int    // 5 to 100; 5 if zero
}

// Retry is how long a message rests that was not acknowledged, doubling with
// each attempt.
type Retry struct {
	Min, Max time.Duration // 0 to 10 min; 10 s and 10 min if zero
}

// Push is where messages are sent to.
type Push struct {
	Endpoint   string
	Attributes map[string]string `json:",omitempty"`
	// Account, when not empty, signs an identity token for Audience (the
	// endpoint if empty).
	Account  string `json:",omitempty"`
	Audience string `json:",omitempty"`
	// Bare sends the data alone as the body; Metadata then puts the rest into
	// headers (google.pubsub.v1.PushConfig.NoWrapper).
	Bare     bool `json:",omitempty"`
	Metadata bool `json:",omitempty"`
	// Trigger, when not empty, is the name of the trigger whose subscription
	// this is: it makes the requests itself (Deliverer), and alone may change
	// where they go.
	Trigger string `json:",omitempty"`
}

// trigger is the trigger of a subscription; empty: none.
func (s *Subscription) trigger() string {
	if s.Push == nil {
		return ""
	}
	return s.Push.Trigger
}

// keepTrigger lets a subscription stay its trigger's when whoever changes it does
// not know of that, and leaves alone where messages go.
func (s *Subscription) keepTrigger(have *Subscription) {
	if have.trigger() == "" || s.Push == nil || s.Push.Trigger != "" || s.Push.Endpoint != have.Push.Endpoint {
		return
	}
	p := *s.Push
	p.Trigger = have.Push.Trigger
	s.Push = &p
}

// Never is the Expiration of what lives for ever.
const Never = -1 * time.Nanosecond

const (
	minAckDeadline       = 10 * time.Second
	maxAckDeadline       = 10 * time.Minute
	defaultRetention     = 7 * 24 * time.Hour
	defaultExpiration    = 31 * 24 * time.Hour
	minExpiration        = 24 * time.Hour
	defaultAttempts      = 5
	maxAttempts          = 100
	maxBackoff           = 10 * time.Minute
	maxFilter            = 256 // bytes
	pushMinBackoff       = 100 * time.Millisecond
	pushMaxBackoff       = time.Minute
	snapshotLife         = 7 * 24 * time.Hour
	snapshotLeast        = time.Hour
	maxModifyAckDeadline = 10 * time.Minute
)

// What a retry policy is that leaves one of them out. None at all is 0 at both.
const (
	DefaultMinBackoff = 10 * time.Second
	DefaultMaxBackoff = 10 * time.Minute
)

// complete puts the defaults in.
func (s *Subscription) complete() {
	s.AckDeadline = cmp.Or(s.AckDeadline, minAckDeadline)
	s.Retention = cmp.Or(s.Retention, defaultRetention)
	s.Expiration = cmp.Or(s.Expiration, defaultExpiration)
	if s.DeadLetter != nil {
		s.DeadLetter.MaxAttempts = cmp.Or(s.DeadLetter.MaxAttempts, defaultAttempts)
	}
}

// check returns what is wrong with a complete subscription.
func (s *Subscription) check() error {
	if _, err := CheckName(Subscriptions, s.Name); err != nil {
		return err
	}
	if err := within("ack_deadline_seconds", s.AckDeadline, minAckDeadline, maxAckDeadline); err != nil {
		return err
	}
	if err := within("message_retention_duration", s.Retention, minRetention, MaxRetention); err != nil {
		return err
	}
	if s.Expiration > 0 && s.Expiration < minExpiration {
		return sunya.Invalid("expiration_policy.ttl", "%v is too short: at least %v, or no ttl for never", s.Expiration, minExpiration)
	}
	if _, err := ParseFilter(s.Filter); err != nil {
		return err
	}
	if err := s.checkDelivery(); err != nil {
		return err
	}
	return checkLabels(s.Labels)
}

func (s *Subscription) checkDelivery() error {
	if d := s.DeadLetter; d != nil {
		if _, err := ParseName("dead_letter_policy.dead_letter_topic", Topics, d.Topic); err != nil {
			return err
		}
		if d.MaxAttempts < defaultAttempts || d.MaxAttempts > maxAttempts {
			return sunya.Invalid("dead_letter_policy.max_delivery_attempts", "%d is out of range: at least %d, at most %d", d.MaxAttempts, defaultAttempts, maxAttempts)
		}
	}
	if r := s.Retry; r != nil {
		if err := within("retry_policy.minimum_backoff", r.Min, 0, maxBackoff); err != nil {
			return err
		}
		if err := within("retry_policy.maximum_backoff", r.Max, 0, maxBackoff); err != nil {
			return err
		}
		if r.Min > r.Max {
			return sunya.Invalid("retry_policy.minimum_backoff", "%v is more than the maximum of %v", r.Min, r.Max)
		}
	}
	if s.Push == nil {
		return nil
	}
	if s.ExactlyOnce {
		return sunya.Invalid("enable_exactly_once_delivery", "exactly-once delivery is for pull subscriptions: remove the push endpoint")
	}
	return s.Push.check()
}

func (p *Push) check() error {
	u, err := url.Parse(p.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return sunya.Invalid("push_config.push_endpoint", "%q is not a URL: use http:// or https:// with a host", p.Endpoint)
	}
	if p.Account != "" {
		return sunya.CheckAccount("push_config.oidc_token.service_account_email", p.Account)
	}
	return nil
}

// backoff is how long a message rests before its next attempt, after so many.
func (s *Subscription) backoff(attempts int) time.Duration {
	low, high := time.Duration(0), time.Duration(0)
	switch {
	case s.Retry != nil:
		low, high = s.Retry.Min, s.Retry.Max
	case s.Push != nil:
		low, high = pushMinBackoff, pushMaxBackoff
	}
	d := low
	for i := 1; i < attempts && 0 < d && d < high; i++ {
		d *= 2
	}
	return min(d, high)
}
