package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
)

const (
	// smallBody is read to its end before an instance is contacted (rule 25).
	smallBody = 64 << 10
	// aheadTime is how long a body of unknown length may take for that. One
	// that takes longer is a stream, whose first bytes must not wait for the
	// last.
	aheadTime = 10 * time.Millisecond
	// smallBodyTime is how long a small body of known length may take: one
	// kilobyte a second at least (rule 27).
	smallBodyTime = time.Minute
)

// body is what a request carries.
type body struct {
	w       http.ResponseWriter
	whole   []byte // when complete
	src     *ahead // else: the stream
	size    int64  // -1: unknown
	trailer http.Header
	read    atomic.Int64
}

// readAhead reads a small body, until deadline, and the beginning of a stream.
func readAhead(w http.ResponseWriter, r *http.Request, deadline time.Time) (*body, error) {
	b := &body{w: w, size: r.ContentLength, trailer: r.Trailer}
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		// An instance may answer before it has read everything. HTTP/2 can
		// always do that and says that it does not need to be told.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		b.size = 0
		return b, nil
	case r.ContentLength > smallBody:
		b.src = &ahead{src: r.Body, finished: closedChan()}
		return b, nil
	case r.ContentLength > 0:
		return b, b.readWhole(r.Body, deadline)
	}
	b.src = &ahead{src: r.Body, finished: make(chan struct{})}
	go b.src.fill()
	return b, b.settle(r)
}

// stream is a body of which nothing is read ahead.
func stream(w http.ResponseWriter, r *http.Request) *body {
	return &body{w: w, size: r.ContentLength, trailer: r.Trailer, src: &ahead{src: r.Body, finished: closedChan()}}
}

// readWhole reads a body of known length.
func (b *body) readWhole(r io.Reader, deadline time.Time) error {
	rc := http.NewResponseController(b.w)
	_ = rc.SetReadDeadline(deadline) // what has no deadlines is no network
	b.whole = make([]byte, b.size)
	n, err := io.ReadFull(r, b.whole)
	b.read.Add(int64(n))
	if !errors.Is(err, os.ErrDeadlineExceeded) { // else net/http would wait for the rest
		_ = rc.SetReadDeadline(time.Time{})
	}
	return badBody(err)
}

// settle waits for a body of unknown length to show whether it is small.
func (b *body) settle(r *http.Request) error {
	timer := time.NewTimer(aheadTime)
	defer timer.Stop()
	select {
	case <-b.src.finished:
	case <-timer.C:
		b.src.stop.Store(true)
		return nil
	}
	switch err := b.src.err; {
	case err == nil: // longer than a small one
		return nil
	case err != io.EOF:
		return badBody(err)
	}
	b.whole, b.src = b.src.buf, nil
	purifyTrailer(b.trailer)
	b.read.Store(int64(len(b.whole)))
	if len(r.Trailer) == 0 {
		b.size = int64(len(b.whole))
	}
	return nil
}

func badBody(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault(http.StatusRequestTimeout, "the request body came too slowly")
	case errors.As(err, &tooLarge):
		return fault(http.StatusRequestEntityTooLarge, "the request body is larger than %v", sunya.Bytes(tooLarge.Limit))
	}
	return fault(http.StatusBadRequest, "the request body is broken or incomplete")
}

func (b *body) empty() bool { return b.src == nil && len(b.whole) == 0 }

// reader returns the body for one attempt; nil for none.
func (b *body) reader(trailers bool) io.ReadCloser {
	switch {
	case b.src != nil:
		return &counting{body: b}
	case len(b.whole) > 0 || trailers:
		return io.NopCloser(bytes.NewReader(b.whole))
	}
	return nil
}

// abandon ends a read that is still under way when the response is complete:
// net/http waits for it before it takes the next request.
func (b *body) abandon() {
	if b.src == nil || b.src.ended.Load() {
		return
	}
	// Not every connection has deadlines; then the client's next bytes end it.
	_ = http.NewResponseController(b.w).SetReadDeadline(time.Unix(1, 0))
}

// counting reads the stream for one attempt and counts.
type counting struct {
	*body
	reading, closed atomic.Bool
}

func (c *counting) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	if c.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := c.src.Read(p)
	c.read.Add(int64(n))
	if err == io.EOF {
		purifyTrailer(c.trailer) // complete now, and not sent on yet
	}
	return n, err
}

// Close ends a Read that is under way: HTTP/2 to an instance waits for it before
// it looks at anything else. Else the client's body is left to net/http.
func (c *counting) Close() error {
	c.closed.Store(true)
	if c.reading.Load() {
		c.abandon()
	}
	return nil
}

// ahead is a stream of which the beginning is read before anyone asks.
type ahead struct {
	src      io.Reader
	stop     atomic.Bool   // read no further than the present Read
	ended    atomic.Bool   // src has given its last
	finished chan struct{} // closed by fill; buf and err no longer change

	mu  sync.Mutex
	buf []byte
	err error // of src; nil when fill ended for another reason
}

// fill reads until the buffer is full, the source ends or stop is set.
func (a *ahead) fill() {
	defer close(a.finished)
	p := make([]byte, 4<<10)
	total := 0
	for total <= smallBody && !a.stop.Load() {
		n, err := a.src.Read(p)
		total += n
		a.mu.Lock()
		a.buf = append(a.buf, p[:n]...)
		a.err = err
		a.mu.Unlock()
		if err != nil {
			a.ended.Store(true)
			return
		}
	}
}

// Read gives what was read ahead, then what follows.
func (a *ahead) Read(p []byte) (int, error) {
	if n := a.buffered(p); n > 0 {
		return n, nil
	}
	<-a.finished
	if n := a.buffered(p); n > 0 {
		return n, nil
	}
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.src.Read(p)
	if err != nil {
		a.ended.Store(true)
	}
	return n, err
}

func (a *ahead) buffered(p []byte) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := copy(p, a.buf)
	a.buf = a.buf[n:]
	return n
}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
