package testbench

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// stream is an answer in which something happens after so many bytes.
type stream struct {
	http.ResponseWriter
	left int64
	then func()
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	if s.then == nil || int64(len(p)) < s.left {
		s.left -= int64(len(p))
		return s.ResponseWriter.Write(p)
	}
	n, err := s.ResponseWriter.Write(p[:s.left])
	if err != nil {
		return n, err
	}
	if s.left > 0 {
		err = http.NewResponseController(s.ResponseWriter).Flush()
	}
	then := s.then
	s.then = nil
	then()
	if err != nil {
		return n, err
	}
	more, err := s.ResponseWriter.Write(p[n:])
	return n + more, err
}

// Unwrap lets http.ResponseController through.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

var errCut = errors.New("cut off")

// cut is a body that breaks off after so many bytes.
type cut struct {
	io.ReadCloser
	left int64
	all  bool // these are all there are: it does not break
}

// Read implements io.Reader.
func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 && !c.all {
		return 0, errCut
	}
	if int64(len(p)) > c.left && !c.all {
		p = p[:c.left]
	}
	n, err := c.ReadCloser.Read(p)
	c.left -= int64(n)
	return n, err
}

// cutAnswer hands on what may end an upload, and of the answer that it has ended
// only the beginning back.
func (b *Bench) cutAnswer(w http.ResponseWriter, r *http.Request, limit int, done func()) {
	got := httptest.NewRecorder()
	b.forward.ServeHTTP(got, r)
	body := got.Body.Bytes()
	if got.Code == http.StatusOK && got.Header().Get("X-Http-Status-Code-Override") == "" {
		done()
		body = body[:min(limit, len(body))]
		got.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(body)
}
