package instance

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sunya-cloud/sunya"
)

// exitNotice is how long after a broken connection the end of the program is
// waited for.
const exitNotice = 2 * time.Second

// Accepts returns once the program has taken a connection. That is more than
// listening: gunicorn's master listens before its worker has imported the
// application, and ends when the worker cannot. Nothing is sent; the connection
// is hung up on this side, which makes every server end it on its own. One that
// keeps it for as long as a start may take is believed to be alive. The error is
// a *StartError.
func (i *Instance) Accepts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.startTimeout())
	defer cancel()
	err := i.hangUp(ctx)
	if err == nil {
		return nil
	}
	select {
	case <-i.Exited():
		return i.m.failed(i.rev, i.ID(), i.endedEarly(), i.lastLines())
	case <-time.After(exitNotice):
	case <-ctx.Done():
	}
	i.m.log.Warn("listens, but took no connection", "instance", i.ID(), "revision", i.rev.Name, "err", err)
	return nil
}

// hangUp connects, ends its own side and waits for the other to end.
func (i *Instance) hangUp(ctx context.Context) error {
	conn, err := i.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	return waitForEnd(conn)
}

// waitForEnd reads until the other side ends or says something.
func waitForEnd(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// endedEarly says how the program ended before it could serve.
func (i *Instance) endedEarly() error {
	how := exitMessage(&i.rev.Container, i.box.Exit())
	return &sunya.Error{Code: sunya.Unavailable, Message: how + " before it took a request"}
}

// lastLines are the last lines of an output that is about to end.
func (i *Instance) lastLines() []string {
	i.out.wait(outputWait)
	return i.LogLines()
}
