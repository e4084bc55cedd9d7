package pool

import "time"

// Action is something that the caller does for the pool. One of the fields is
// set.
type Action struct {
	Wake  *Waiter // its wait is over
	Start Reason  // an instance: Begin, if that is a while later, then Started or Failed; or NoRoom
	Stop  *Member // which has no requests: Ended follows
	Why   string  // of Stop
}

// Reason says why an instance is started.
type Reason uint8

// The reasons.
const (
	_         Reason = iota
	ColdStart        // a request found no instance
	ScaleOut         // requests found the others full
	Spare            // the others are nearly full
	Minimum          // kept ready
)

// Refusal says why a request gets no slot.
type Refusal struct {
	Cause  Cause
	After  time.Duration // after which another attempt makes sense; 0: unknown
	Queued int           // requests that wait, for QueueFull
	Waited time.Duration // for Busy and NoRoom
	Err    error         // of the last start that failed; may be nil
}

func (r *Refusal) Error() string { return r.Cause.String() }

// Unwrap returns the error of the start that failed.
func (r *Refusal) Unwrap() error { return r.Err }

// Cause is the kind of a refusal.
type Cause uint8

// The causes.
const (
	_         Cause = iota
	None            // there may be no instances
	QueueFull       // too many wait
	Busy            // no slot was free for too long
	NoStart         // the instance it waited for did not start
	BackOff         // none is started for a while, because the last ones failed
	Closed          // the pool is closed
	NoRoom          // the machine has no room for the instance it needs
)

// String returns the cause in words.
func (c Cause) String() string {
	switch c {
	case None:
		return "no instances are allowed"
	case QueueFull:
		return "the queue is full"
	case Busy:
		return "no slot was free"
	case NoStart:
		return "the instance did not start"
	case BackOff:
		return "instances fail"
	case Closed:
		return "the pool is closed"
	case NoRoom:
		return "the machine is full"
	}
	return "unknown"
}
