package front

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// The slowest upload that is not taken for an attack: this many bytes a second
// after a first grace.
const (
	minBodyRate = 1 << 10
	bodyGrace   = 30 * time.Second
)

// limitBody makes reading r's body fail when it arrives slower than
// minBodyRate.
func limitBody(w http.ResponseWriter, r *http.Request, now func() time.Time) {
	if r.Body == nil || r.Body == http.NoBody || r.Header.Get("Upgrade") != "" {
		return
	}
	r.Body = &pacedBody{ReadCloser: r.Body, ctl: http.NewResponseController(w), start: now()}
}

// pacedBody moves the read deadline along with the bytes that have come.
type pacedBody struct {
	io.ReadCloser
	ctl   *http.ResponseController
	start time.Time
	got   int64
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	due := b.start.Add(bodyGrace + time.Duration(b.got/minBodyRate)*time.Second)
	_ = b.ctl.SetReadDeadline(due) // a writer without deadlines has none to miss
	n, err := b.ReadCloser.Read(p)
	b.got += int64(n)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		// The server goes on reading, to notice a client that leaves. After a
		// deadline it would wait for the rest of the body before it answers.
		_ = b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}
