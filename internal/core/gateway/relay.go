package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// relay gives the client the instance's response as it comes.
func (x *standard) relay(ctx context.Context, resp *http.Response) error {
	h := x.w.Header()
	addTo(h, x.responseHeader(nil, listOf(resp.Header)))
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http would guess one
	}
	for name := range resp.Trailer {
		h.Add("Trailer", name)
	}
	announced := len(resp.Trailer)
	if announced > 0 && x.major == 1 {
		h.Del("Content-Length") // with a length there is no place for trailers
	}
	x.status, x.began = resp.StatusCode, true
	// A client that does not read must not hold its slot beyond the timeout.
	set := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(set)
		_ = http.NewResponseController(x.w).SetWriteDeadline(x.lastWrite())
	})
	defer func() {
		late := !release()
		if late {
			<-set // net/http panics when it is asked for anything after the handler's end
		}
		x.cut = (late || x.cut) && !x.concluded
	}()
	x.w.WriteHeader(resp.StatusCode)
	if err := x.copyBody(ctx, resp); err != nil {
		x.breakOff(ctx, err)
		return nil
	}
	x.copyTrailer(resp.Trailer, announced)
	return nil
}

// lastWrite is until when something may be written once the request's time is
// over: gRPC has a status to come.
func (x *standard) lastWrite() time.Time {
	if x.grpc() && x.major == 2 {
		return x.g.Now().Add(time.Second)
	}
	return time.Unix(1, 0)
}

// copyBody copies the body. What has come is not held back for what follows:
// it is flushed unless it is the end.
func (x *standard) copyBody(ctx context.Context, resp *http.Response) error {
	if resp.Body == http.NoBody {
		return nil
	}
	flusher := http.NewResponseController(x.w)
	if resp.ContentLength < 0 {
		flusher.Flush() // its error shows at the next write
	}
	paced := resp.ContentLength < 0 || resp.ContentLength > smallBody // a small one fits into the socket
	buf := x.g.bufs.Get().(*[]byte)
	defer x.g.bufs.Put(buf)
	for {
		n, rerr := resp.Body.Read(*buf)
		if n > 0 {
			last := rerr != nil || x.sent+int64(n) == resp.ContentLength
			if err := x.write(ctx, flusher, (*buf)[:n], last, paced); err != nil {
				return &clientGone{err: err}
			}
		}
		switch {
		case rerr == io.EOF:
			return nil
		case rerr != nil:
			return rerr
		}
	}
}

// write gives the client a part of the body. One that is paced may not take
// longer than ClientStall: whoever reads a byte now and then would hold a slot.
func (x *standard) write(ctx context.Context, rc *http.ResponseController, p []byte, last, paced bool) error {
	if paced {
		_ = rc.SetWriteDeadline(x.g.Now().Add(x.g.opts.ClientStall)) // what has no deadlines is no network
		if ctx.Err() != nil {
			return context.Cause(ctx) // it may have undone the deadline that ends the request
		}
	}
	m, err := x.w.Write(p)
	x.sent += int64(m)
	if err != nil {
		return err
	}
	if !last {
		_ = rc.Flush() // its error shows at the next write
	}
	if paced {
		_ = rc.SetWriteDeadline(time.Time{})
	}
	return context.Cause(ctx)
}

// copyTrailer passes trailers on, also those that were not announced.
func (x *standard) copyTrailer(trailer http.Header, announced int) {
	prefix := ""
	if len(trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range trailer {
		x.w.Header()[prefix+name] = values
	}
}

// cutShort notes why a response that has begun will not be complete, and returns
// the status that stands for it.
func (x *exchange) cutShort(err error) (status int) {
	x.cut = true
	switch {
	case errors.Is(err, errTimeout), errors.Is(err, errOverdue):
		x.problem = "cut off: " + err.Error()
		return http.StatusGatewayTimeout
	case isClientGone(err) && errors.Is(err, os.ErrDeadlineExceeded):
		x.problem = "the client took the response too slowly"
	case isClientGone(err) || errors.Is(err, context.Canceled):
		x.problem = "the client went away"
	default:
		x.problem = "the instance broke off its response: " + err.Error()
	}
	return http.StatusServiceUnavailable
}

// breakOff notes why a response ends early, and tells it to a client that has a
// place for it.
func (x *standard) breakOff(ctx context.Context, err error) {
	if cause := context.Cause(ctx); cause != nil && (errors.Is(cause, errTimeout) || !errors.Is(err, os.ErrDeadlineExceeded)) {
		err = cause
	} else if !isClientGone(err) && x.overdue() {
		err = errOverdue
	}
	status := x.cutShort(err)
	if x.grpc() && x.major == 2 && x.r.Context().Err() == nil && !isClientGone(err) {
		x.concluded = true
		x.grpcEnd(status, sentence(x.problem))
	}
}
