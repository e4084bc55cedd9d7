package pubsub

import (
	"regexp"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Topic is what is published to.
type Topic struct {
	Name   string            // projects/P/topics/T
	Labels map[string]string `json:",omitempty"`
	// Retention is how long messages are kept for a seek, acknowledged or not;
	// 0: only as long as a subscription wants them. 10 minutes to 31 days.
	Retention time.Duration `json:",omitempty"`
	// Regions and KMSKey change nothing here; they are given back as they came.
	Regions []string `json:",omitempty"`
	KMSKey  string   `json:",omitempty"`
	Schema  *Schema  `json:",omitempty"`
	// Policy is stored and given back.
	Policy iam.Policy `json:",omitzero"`
}

// MaxRetention is the longest time that messages are kept.
const MaxRetention = 31 * 24 * time.Hour

const (
	minRetention = 10 * time.Minute
	maxLabels    = 64
)

func (t *Topic) check() error {
	if _, err := CheckName(Topics, t.Name); err != nil {
		return err
	}
	if t.Retention != 0 {
		if err := within("message_retention_duration", t.Retention, minRetention, MaxRetention); err != nil {
			return err
		}
	}
	if err := t.Schema.check(); err != nil {
		return err
	}
	return checkLabels(t.Labels)
}

// within reports whether a duration is in a range.
func within(field string, d, least, most time.Duration) error {
	if d < least || d > most {
		return sunya.Invalid(field, "%v is out of range: at least %v, at most %v", d, least, most)
	}
	return nil
}

// What a label may be (cloud.google.com/pubsub/docs/create-topic-labels).
var (
	labelKeyRE   = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValueRE = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
)

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return sunya.Invalid("labels", "%d labels are too many: at most %d", len(labels), maxLabels)
	}
	for k, v := range labels {
		if !labelKeyRE.MatchString(k) || !labelValueRE.MatchString(v) {
			return sunya.Invalid("labels", "%.80q=%.80q cannot be a label: use at most 63 small letters, digits, _ and -, beginning the key with a letter", k, v)
		}
	}
	return nil
}
