package logs

import (
	"sync"
	"time"
)

// Limiter caps how much one instance may log, over all its streams. It is safe
// for several collectors at once.
type Limiter struct {
	lines, bytes bucket
	pause        time.Duration

	mu      sync.Mutex
	until   time.Time // closed until then
	dropped int64     // lines since it closed
}

// bucket is a token bucket; the caller holds the lock.
type bucket struct {
	rate, burst, level float64
	last               time.Time
}

func (b *bucket) refill(now time.Time) {
	if b.last.IsZero() {
		b.level = b.burst
	} else if d := now.Sub(b.last); d > 0 {
		b.level = min(b.burst, b.level+b.rate*d.Seconds())
	}
	b.last = now
}

// The default limits of one instance.
const (
	LinesPerSecond = 1000
	LinesBurst     = 20_000
	BytesPerSecond = 1 << 20
	BytesBurst     = 16 << 20
)

// NewLimiter returns a Limiter with the default limits.
func NewLimiter() *Limiter {
	return &Limiter{
		lines: bucket{rate: LinesPerSecond, burst: LinesBurst},
		bytes: bucket{rate: BytesPerSecond, burst: BytesBurst},
		pause: time.Second,
	}
}

// allow says whether a line of n bytes may pass. Once the limit is reached
// everything is dropped for a second, so that a flood leaves one marker a
// second instead of one between every two lines.
func (l *Limiter) allow(n int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.until) {
		l.dropped++
		return false
	}
	l.lines.refill(now)
	l.bytes.refill(now)
	if l.lines.level < 1 || l.bytes.level < float64(n) {
		l.until = now.Add(l.pause)
		l.dropped++
		return false
	}
	l.lines.level--
	l.bytes.level -= float64(n)
	return true
}

// takeDropped returns the number of dropped lines to report, once, when the
// limiter is open again or force is set.
func (l *Limiter) takeDropped(now time.Time, force bool) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped == 0 || (!force && now.Before(l.until)) {
		return 0
	}
	n := l.dropped
	l.dropped = 0
	return n
}

// closed says whether there are dropped lines to report.
func (l *Limiter) closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped > 0
}
