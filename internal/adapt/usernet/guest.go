package usernet

import (
	"bytes"
	"io"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
)

// guest is the sandbox's end of a TCP connection or a UDP flow.
type guest struct {
	ep tcpip.Endpoint
	wq waiter.Queue
}

// request is what TCP's and UDP's forwarders have in common.
type request interface {
	ID() stack.TransportEndpointID
	CreateEndpoint(*waiter.Queue) (tcpip.Endpoint, tcpip.Error)
}

// newGuest makes the endpoint that a request asks for, with buffers of the
// size given.
func newGuest(r request, buffer int64) (*guest, bool) {
	g := &guest{}
	ep, err := r.CreateEndpoint(&g.wq)
	if err != nil {
		return nil, false
	}
	ep.SocketOptions().SetSendBufferSize(buffer, true)
	ep.SocketOptions().SetReceiveBufferSize(buffer, true)
	g.ep = ep
	return g, true
}

// each calls f with everything that the guest sends, a datagram or some bytes
// of the stream at a time, until the guest has ended its side (nil) or an error
// occurs. It holds a buffer only while there is something to read.
func (g *guest) each(f func([]byte) error) error {
	entry, readable := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventErr | waiter.EventHUp)
	g.wq.EventRegister(&entry)
	defer g.wq.EventUnregister(&entry)
	for {
		switch err := g.drain(f); err {
		case nil:
			<-readable
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// drain is one round of each. It returns nil when there is nothing more for
// now, io.EOF when there never will be.
func (g *guest) drain(f func([]byte) error) error {
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	for {
		w := tcpip.SliceWriter(buf[:])
		res, err := g.ep.Read(&w, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
		case *tcpip.ErrWouldBlock:
			return nil
		case *tcpip.ErrClosedForReceive:
			return io.EOF
		default:
			return net.ErrClosed
		}
		if err := f(buf[:res.Count]); err != nil {
			return err
		}
	}
}

// Write implements io.Writer; it waits for room.
func (g *guest) Write(b []byte) (int, error) {
	n, full := g.write(b)
	if !full {
		return n, g.writeErr(n, b)
	}
	entry, writable := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	g.wq.EventRegister(&entry)
	defer g.wq.EventUnregister(&entry)
	for {
		m, full := g.write(b[n:])
		n += m
		if !full {
			return n, g.writeErr(n, b)
		}
		<-writable
	}
}

// write writes until all is written, the endpoint is full, or it is broken.
func (g *guest) write(b []byte) (n int, full bool) {
	var r bytes.Reader
	for {
		r.Reset(b[n:])
		m, err := g.ep.Write(&r, tcpip.WriteOptions{})
		n += int(m)
		if err != nil {
			_, full = err.(*tcpip.ErrWouldBlock)
			return n, full
		}
		if n == len(b) {
			return n, false
		}
	}
}

// writeErr turns a short write into an error.
func (g *guest) writeErr(n int, b []byte) error {
	if n < len(b) {
		return io.ErrClosedPipe
	}
	return nil
}

// closeWrite sends the guest the end of the stream.
func (g *guest) closeWrite() error {
	if err := g.ep.Shutdown(tcpip.ShutdownWrite); err != nil {
		return io.ErrClosedPipe
	}
	return nil
}
