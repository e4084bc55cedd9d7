package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// tunnel carries a WebSocket until one side ends it or ctx does.
func (x *standard) tunnel(ctx context.Context, resp *http.Response) error {
	upstream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || !x.wantsWebSocket() {
		return &badGateway{err: errSwitched}
	}
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return fmt.Errorf("take over connection: %w", err)
	}
	defer conn.Close()
	if g, ok := conn.(*guarded); ok {
		g.release()
	}
	x.status, x.began = resp.StatusCode, true
	if err := accept(conn, resp.Header); err != nil {
		x.problem = "the client went away"
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		conn.Close()
		upstream.Close()
	})
	defer stop()
	x.carry(conn, rw.Reader, upstream)
	if ctx.Err() != nil {
		x.problem = "cut off: " + context.Cause(ctx).Error()
	}
	return nil
}

// accept tells the client that the protocol is switched.
func accept(conn net.Conn, header http.Header) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	h := http.Header{}
	addTo(h, passedOn(nil, listOf(header)))
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	w := bufio.NewWriter(conn)
	fmt.Fprint(w, "HTTP/1.1 101 Switching Protocols\r\n") // Flush returns its error
	h.Write(w)
	fmt.Fprint(w, "\r\n")
	return w.Flush()
}

// carry copies both ways until one way ends, then ends the other too.
func (x *standard) carry(client net.Conn, early io.Reader, upstream io.ReadWriteCloser) {
	up := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(upstream, early) // either side may end it, none is an error
		upstream.Close()
		up <- n
	}()
	x.sent, _ = io.Copy(client, upstream)
	client.Close()
	x.received = <-up
}
