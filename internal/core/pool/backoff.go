package pool

import "time"

// The pauses after failures: they double from the first to the last.
const (
	backoffFirst = time.Second
	backoffLast  = 30 * time.Second
	// freeCrashes may happen to a program that did get ready before it is made
	// to wait: what one request killed may serve the next.
	freeCrashes = 3
	// LongEnough is how long a program must have run for its end to count as
	// no failure.
	LongEnough = 10 * time.Second
)

// Backoff says when a revision whose instances fail may start the next. The
// zero value is a revision without failures.
type Backoff struct {
	fails, crashes int
	until          time.Time
}

// Failed records a start that came to nothing.
func (b *Backoff) Failed(now time.Time) {
	b.fails++
	b.until = now.Add(pause(b.fails))
}

// Ended records the end of an instance that nobody asked to stop.
func (b *Backoff) Ended(now time.Time, ran time.Duration) {
	if ran >= LongEnough {
		*b = Backoff{}
		return
	}
	b.crashes++
	if b.crashes > freeCrashes {
		b.until = now.Add(backoffFirst) // no longer: it does start, and requests ask for it
	}
}

// Ready records a start that succeeded.
func (b *Backoff) Ready() { b.fails = 0 }

// Wait returns how long to wait before the next start; 0: not at all.
func (b *Backoff) Wait(now time.Time) time.Duration { return max(b.until.Sub(now), 0) }

// Clean reports whether nothing is remembered that matters at now.
func (b *Backoff) Clean(now time.Time) bool {
	return b.fails+b.crashes == 0 || now.Sub(b.until) > backoffLast
}

func pause(n int) time.Duration {
	return min(backoffFirst<<min(n-1, 10), backoffLast)
}
