package storagev1

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// date is a day, 2006-01-02 in JSON: its midnight in UTC.
type date struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (d *date) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil || s == "" {
		return err
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return fmt.Errorf("%q is not a date like 2006-01-02", s)
	}
	d.Time = t
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d date) MarshalJSON() ([]byte, error) { return json.Marshal(d.Format(time.DateOnly)) }

type lifecycle struct {
	Rules []lifecycleRule `json:"rule"`
}

type lifecycleRule struct {
	Action struct {
		Type         string `json:"type"`
		StorageClass string `json:"storageClass,omitempty"`
	} `json:"action"`
	Condition lifecycleCondition `json:"condition"`
}

type lifecycleCondition struct {
	Age                     *int64   `json:"age,omitempty"`
	CreatedBefore           date     `json:"createdBefore,omitzero"`
	IsLive                  *bool    `json:"isLive,omitempty"`
	NumNewerVersions        *int64   `json:"numNewerVersions,omitempty"`
	DaysSinceNoncurrentTime *int64   `json:"daysSinceNoncurrentTime,omitempty"`
	NoncurrentTimeBefore    date     `json:"noncurrentTimeBefore,omitzero"`
	DaysSinceCustomTime     *int64   `json:"daysSinceCustomTime,omitempty"`
	CustomTimeBefore        date     `json:"customTimeBefore,omitzero"`
	MatchesStorageClass     []string `json:"matchesStorageClass,omitempty"`
	MatchesPrefix           []string `json:"matchesPrefix,omitempty"`
	MatchesSuffix           []string `json:"matchesSuffix,omitempty"`
}

func showLifecycle(rules []objects.LifecycleRule) *lifecycle {
	if len(rules) == 0 {
		return nil
	}
	out := &lifecycle{}
	for _, r := range rules {
		c := r.Condition
		d := lifecycleRule{Condition: lifecycleCondition{
			Age: c.Age, CreatedBefore: date{c.CreatedBefore}, IsLive: c.IsLive, NumNewerVersions: c.NumNewerVersions,
			DaysSinceNoncurrentTime: c.DaysSinceNoncurrentTime, NoncurrentTimeBefore: date{c.NoncurrentTimeBefore},
			DaysSinceCustomTime: c.DaysSinceCustomTime, CustomTimeBefore: date{c.CustomTimeBefore},
			MatchesStorageClass: c.MatchesStorageClass, MatchesPrefix: c.MatchesPrefix, MatchesSuffix: c.MatchesSuffix,
		}}
		d.Action.Type, d.Action.StorageClass = r.Action.Type, r.Action.StorageClass
		out.Rules = append(out.Rules, d)
	}
	return out
}

func (l *lifecycle) read() ([]objects.LifecycleRule, error) {
	if l == nil {
		return nil, nil
	}
	var out []objects.LifecycleRule
	for _, d := range l.Rules {
		c := d.Condition
		out = append(out, objects.LifecycleRule{
			Action: objects.LifecycleAction{Type: d.Action.Type, StorageClass: d.Action.StorageClass},
			Condition: objects.LifecycleCondition{
				Age: c.Age, CreatedBefore: c.CreatedBefore.Time, IsLive: c.IsLive, NumNewerVersions: c.NumNewerVersions,
				DaysSinceNoncurrentTime: c.DaysSinceNoncurrentTime, NoncurrentTimeBefore: c.NoncurrentTimeBefore.Time,
				DaysSinceCustomTime: c.DaysSinceCustomTime, CustomTimeBefore: c.CustomTimeBefore.Time,
				MatchesStorageClass: c.MatchesStorageClass, MatchesPrefix: c.MatchesPrefix, MatchesSuffix: c.MatchesSuffix,
			},
		})
	}
	return out, objects.CheckLifecycle(out)
}

// checkClassName is for places that name a class that must be one.
func checkClassName(field, class string) error {
	if class == "" || slices.Contains(objects.StorageClasses(), class) {
		return nil
	}
	return sunya.Invalid(field, "%q: use one of %v", class, objects.StorageClasses())
}
