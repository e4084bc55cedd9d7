package objects

import (
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

// ReasonRetained is the sunya.Error.Reason of a deletion that a hold or a
// retention forbids.
const ReasonRetained = "RETAINED"

// RetainedUntil is when the bucket's or the object's own retention ends, zero
// when there is none. An event-based hold keeps the bucket's from beginning.
func (o *Object) RetainedUntil(b *Bucket) time.Time {
	var until time.Time
	if r := b.Rules.Retention; r != nil && !o.Properties.EventBasedHold {
		from := o.CreateTime
		if !o.Properties.HoldReleased.IsZero() {
			from = o.Properties.HoldReleased
		}
		until = from.Add(r.Period)
	}
	if r := o.Properties.Retention; r != nil && r.Until.After(until) {
		until = r.Until
	}
	return until
}

// mayGo refuses the end of what has to stay.
func mayGo(b *Bucket, o *Object, now time.Time) error {
	var message string
	until := o.RetainedUntil(b)
	switch {
	case o.Properties.TemporaryHold:
		message = "the object has a temporary hold: release it first"
	case o.Properties.EventBasedHold:
		message = "the object has an event-based hold: release it first"
	case until.After(now):
		message = "the object is under retention until " + until.UTC().Format(time.RFC3339) + " and cannot be deleted or replaced before"
	default:
		return nil
	}
	return &sunya.Error{Code: sunya.PermissionDenied, Resource: path(o.Bucket, o.Name), Reason: ReasonRetained, Message: message}
}

// mayChange refuses changes of holds and retention that would free what has to
// stay, and completes those that are fine.
func mayChange(b *Bucket, o *Object, next *Properties, now time.Time) error {
	if err := checkClass(next.StorageClass); err != nil {
		return err
	}
	if !next.CustomTime.Equal(o.Properties.CustomTime) && next.CustomTime.Before(o.Properties.CustomTime) {
		return sunya.Invalid("customTime", "it is %s and can only become later", o.Properties.CustomTime.Format(time.RFC3339))
	}
	if next.StorageClass != o.Properties.StorageClass {
		next.ClassTime = now
	}
	if o.Properties.EventBasedHold && !next.EventBasedHold {
		next.HoldReleased = now
	}
	return mayRetain(b, o, next.Retention, now)
}

func mayRetain(b *Bucket, o *Object, next *ObjectRetention, now time.Time) error {
	have := o.Properties.Retention
	switch {
	case next == nil && have == nil, next != nil && have != nil && *next == *have:
		return nil
	case next != nil && !b.Rules.MayRetain:
		return sunya.Invalid("retention", "the bucket has no object retention: it is enabled when a bucket is made (enableObjectRetention)")
	case next != nil && next.Mode != "Unlocked" && next.Mode != "Locked":
		return sunya.Invalid("retention.mode", "%q: use Unlocked or Locked", clip(next.Mode))
	case next != nil && !next.Until.After(now):
		return sunya.Invalid("retention.retainUntilTime", "it is in the past")
	}
	if have == nil || !have.Until.After(now) {
		return nil
	}
	if have.Mode == "Locked" && (next == nil || next.Mode != "Locked" || next.Until.Before(have.Until)) {
		return &sunya.Error{Code: sunya.PermissionDenied, Resource: path(o.Bucket, o.Name), Reason: ReasonRetained,
			Message: "the object's retention is locked: it can only be made longer"}
	}
	return nil
}

// StorageClasses are those that an object can have. All are kept alike here.
func StorageClasses() []string {
	return []string{"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY"}
}

func checkClass(class string) error {
	if class == "" || slices.Contains(StorageClasses(), class) {
		return nil
	}
	return sunya.Invalid("storageClass", "%q: use one of %v", clip(class), StorageClasses())
}
