package objects

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/sunya-cloud/sunya"
)

// quotaStep is how many bytes an upload of unknown size reserves at a time.
const quotaStep = 1 << 20

// quota keeps uploads side by side from passing the total limit together: what
// is being written counts from its first byte, stored or not.
type quota struct {
	limit int64 // 0: none
	used  func(context.Context) (int64, error)

	mu       sync.Mutex
	inFlight int64
}

// reserve takes n more bytes or reports that they do not fit. Whoever takes
// gives back with release, once the bytes count as used or are gone.
func (q *quota) reserve(ctx context.Context, n int64) (bool, error) {
	if q.limit <= 0 {
		return true, nil
	}
	q.mu.Lock()
	q.inFlight += n
	flying := q.inFlight
	q.mu.Unlock()
	used, err := q.used(ctx)
	if err == nil && used+flying <= q.limit {
		return true, nil
	}
	q.release(n)
	if err != nil {
		return false, fmt.Errorf("read usage: %w", err)
	}
	return false, nil
}

func (q *quota) release(n int64) {
	if q.limit <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight -= n
}

// metered is the body of one upload: it reserves as bytes pass, and ends in
// ResourceExhausted at the limits.
type metered struct {
	ctx   context.Context // of the upload; a Reader has no other way to get it
	r     io.Reader
	quota *quota
	what  string // bucket/object
	limit int64  // of this upload
	taken int64  // reserved
	read  int64
}

// expect reserves the size that was announced, so that an upload that cannot
// fit is refused before its bytes travel. Below 0 is unknown.
func (m *metered) expect(size int64) error {
	if size > m.limit {
		return m.tooLarge()
	}
	if size <= 0 {
		return nil
	}
	return m.take(size, size)
}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.read += int64(n)
	if m.read > m.limit {
		return 0, m.tooLarge()
	}
	if need := m.read - m.taken; need > 0 {
		if qerr := m.take(max(quotaStep, need), need); qerr != nil {
			return 0, qerr
		}
	}
	return n, err
}

// take reserves want bytes, or need when so many do not fit.
func (m *metered) take(want, need int64) error {
	for _, n := range []int64{want, need} {
		ok, err := m.quota.reserve(m.ctx, n)
		if err != nil {
			return err
		}
		if ok {
			m.taken += n
			return nil
		}
	}
	return sunya.Errorf(sunya.ResourceExhausted, "",
		"upload of %s exceeds the server's total of %v: delete objects or raise the limit", m.what, sunya.Bytes(m.quota.limit))
}

func (m *metered) tooLarge() error {
	return sunya.Errorf(sunya.ResourceExhausted, "",
		"upload of %s exceeds the limit of %v an object: send less or raise the limit", m.what, sunya.Bytes(m.limit))
}

func (m *metered) release() { m.quota.release(m.taken) }
