package gateway

import (
	"io"
	"net/http"
	"time"
)

// fileWriter is the client's side of an answer that is a file: it counts, and
// cuts off whoever does not take the file in time. A file that is copied to it
// goes from the disk to the socket without passing through the server's memory
// where the connection can do that (sendfile).
type fileWriter struct {
	x   *standard
	err error // the first that writing met
}

// filePart is what a client must take within ClientStall.
const filePart = 256 << 10

// Header implements http.ResponseWriter.
func (w *fileWriter) Header() http.Header { return w.x.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (w *fileWriter) WriteHeader(status int) {
	w.x.status, w.x.began = status, true
	w.x.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *fileWriter) Write(p []byte) (int, error) {
	w.patience()
	n, err := w.x.w.Write(p)
	return n, w.wrote(int64(n), err)
}

// ReadFrom implements io.ReaderFrom, part by part. net/http recognises a file
// behind one io.LimitedReader, not behind two, so the limit of the caller is
// taken apart.
func (w *fileWriter) ReadFrom(r io.Reader) (total int64, err error) {
	left := int64(-1) // no limit
	if l, ok := r.(*io.LimitedReader); ok {
		if l.N <= smallBody { // fits into the socket
			n, err := io.Copy(struct{ io.Writer }{w.x.w}, r)
			return n, w.wrote(n, err)
		}
		r, left = l.R, l.N
	}
	for left != 0 {
		part := int64(filePart)
		if left > 0 {
			part = min(part, left)
		}
		w.patience()
		n, err := io.Copy(w.x.w, &io.LimitedReader{R: r, N: part})
		total += n
		if err := w.wrote(n, err); err != nil || n < part {
			return total, err
		}
		if left > 0 {
			left -= n
		}
	}
	return total, nil
}

// patience gives the client time for the next part. What has no deadlines is no
// network.
func (w *fileWriter) patience() {
	_ = http.NewResponseController(w.x.w).SetWriteDeadline(w.x.g.Now().Add(w.x.g.opts.ClientStall))
}

func (w *fileWriter) wrote(n int64, err error) error {
	w.x.sent += n
	if w.err == nil {
		w.err = err
	}
	_ = http.NewResponseController(w.x.w).SetWriteDeadline(time.Time{})
	return err
}
