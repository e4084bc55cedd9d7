package objects

import "time"

// Rules are what of a bucket decides over its objects.
type Rules struct {
	StorageClass string           `json:",omitempty"` // of objects that say nothing; empty: STANDARD
	Versioning   bool             `json:",omitempty"`
	SoftDelete   SoftDelete       `json:",omitzero"`
	Retention    *BucketRetention `json:",omitempty"`
	HoldNew      bool             `json:",omitempty"` // new objects have an event-based hold
	MayRetain    bool             `json:",omitempty"` // objects may have a retention of their own
	Uniform      bool             `json:",omitempty"` // access is the bucket's alone: no ACLs
	Lifecycle    []LifecycleRule  `json:",omitempty"`
}

// SoftDelete is how long what is deleted can be restored.
type SoftDelete struct {
	Keep  time.Duration `json:",omitempty"` // 0: not at all
	Since time.Time     `json:",omitzero"`
}

// BucketRetention is how long each object of a bucket has to stay.
type BucketRetention struct {
	Period time.Duration
	Since  time.Time
	Locked bool `json:",omitempty"` // it can only be made longer
}

// ObjectRetention is until when one object has to stay.
type ObjectRetention struct {
	Mode  string // Unlocked or Locked
	Until time.Time
}

// LifecycleRule does something to objects that its condition holds of.
type LifecycleRule struct {
	Action    LifecycleAction
	Condition LifecycleCondition
}

// LifecycleAction is what a rule does.
type LifecycleAction struct {
	Type         string // Delete, SetStorageClass or AbortIncompleteMultipartUpload
	StorageClass string `json:",omitempty"`
}

// LifecycleCondition holds when all of it does. Nil and empty fields ask for
// nothing. Dates are midnights in UTC, ages whole days.
type LifecycleCondition struct {
	Age                     *int64    `json:",omitempty"` // days since creation
	CreatedBefore           time.Time `json:",omitzero"`
	IsLive                  *bool     `json:",omitempty"`
	NumNewerVersions        *int64    `json:",omitempty"`
	DaysSinceNoncurrentTime *int64    `json:",omitempty"`
	NoncurrentTimeBefore    time.Time `json:",omitzero"`
	DaysSinceCustomTime     *int64    `json:",omitempty"`
	CustomTimeBefore        time.Time `json:",omitzero"`
	MatchesStorageClass     []string  `json:",omitempty"`
	MatchesPrefix           []string  `json:",omitempty"`
	MatchesSuffix           []string  `json:",omitempty"`
}
