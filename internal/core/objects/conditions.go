package objects

import (
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// Conditions are the preconditions of a request
// (cloud.google.com/storage/docs/request-preconditions). A nil field asks for
// nothing; generation 0 stands for "there is no such object".
type Conditions struct {
	GenerationMatch        *int64
	GenerationNotMatch     *int64
	MetagenerationMatch    *int64
	MetagenerationNotMatch *int64
}

// ReasonConditionNotMet is the sunya.Error.Reason of a precondition that does
// not hold; the error's cause is a *ConditionNotMet.
const ReasonConditionNotMet = "CONDITION_NOT_MET"

// ConditionNotMet says which precondition did not hold. HTTP answers 412, or
// 304 to a read whose NotMatch failed.
type ConditionNotMet struct {
	Condition string // ifGenerationMatch, …
	NotMatch  bool   // it is one of the two that ask for a difference
	Want      int64
	Have      int64
}

// Error implements error.
func (e *ConditionNotMet) Error() string {
	return fmt.Sprintf("%s=%d does not hold: it is %d", e.Condition, e.Want, e.Have)
}

// None reports whether c asks for nothing.
func (c Conditions) None() bool { return c == Conditions{} }

// check returns a FailedPrecondition unless c holds of the two numbers, which
// are 0 of something that does not exist.
func (c Conditions) check(resource string, generation, metageneration int64) error {
	for _, t := range []struct {
		name string
		want *int64
		have int64
		not  bool
	}{
		{"ifGenerationMatch", c.GenerationMatch, generation, false},
		{"ifMetagenerationMatch", c.MetagenerationMatch, metageneration, false},
		{"ifGenerationNotMatch", c.GenerationNotMatch, generation, true},
		{"ifMetagenerationNotMatch", c.MetagenerationNotMatch, metageneration, true},
	} {
		if t.want == nil || (*t.want == t.have) != t.not {
			continue
		}
		cause := &ConditionNotMet{Condition: t.name, NotMatch: t.not, Want: *t.want, Have: t.have}
		return &sunya.Error{
			Code: sunya.FailedPrecondition, Resource: resource, Reason: ReasonConditionNotMet,
			Message: "at least one of the pre-conditions you specified did not hold", Err: cause,
		}
	}
	return nil
}

// holds checks c against the live object, nil when there is none.
func (c Conditions) holds(bucket, name string, live *Object) error {
	if live == nil {
		return c.check(path(bucket, name), 0, 0)
	}
	return c.check(path(bucket, name), live.Generation, live.Metageneration)
}

// path is how an object is named in errors: bucket/object.
func path(bucket, name string) string { return bucket + "/" + name }
