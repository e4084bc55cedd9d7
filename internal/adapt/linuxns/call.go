package linuxns

import (
	"context"
	"os"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// How long and how often an abandoned start is looked for.
const (
	abandonTimeout = 30 * time.Second
	abandonPause   = 50 * time.Millisecond
)

// hello introduces both sides; config is set when this engine has just started
// the launcher.
func (e *Engine) hello(ctx context.Context, config *ipc.Config) error {
	m, _, err := e.call(ctx, &ipc.Message{Verb: ipc.Hello, Hello: &ipc.HelloInfo{
		Version: ipc.Version, Build: buildID(e.cfg.Launcher), PID: os.Getpid(), Config: config, Command: (*ipc.Command)(e.cfg.Command),
	}})
	if err != nil {
		return err
	}
	if m.Hello == nil {
		return sunya.Errorf(sunya.Internal, "", "launcher did not introduce itself")
	}
	e.info = *m.Hello
	return nil
}

// call sends a request and waits for its answer.
func (e *Engine) call(ctx context.Context, m *ipc.Message) (*ipc.Message, []*os.File, error) {
	ch, err := e.expect(m)
	if err != nil {
		return nil, nil, err
	}
	if err := e.conn.Send(m); err != nil {
		e.drop(m.ID)
		if err == ipc.ErrTooLarge {
			return nil, nil, sunya.Errorf(sunya.InvalidArgument, m.Sandbox,
				"arguments and environment together are %v", err)
		}
		return nil, nil, errLost()
	}
	select {
	case a := <-ch:
		return a.m, a.files, a.err()
	case <-e.lost:
		// An answer may have been the launcher's last word.
		select {
		case a := <-ch:
			return a.m, a.files, a.err()
		default:
			return nil, nil, errLost()
		}
	case <-ctx.Done():
		e.drop(m.ID)
		return nil, nil, ctx.Err()
	}
}

func (e *Engine) expect(m *ipc.Message) (chan answer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return nil, errLost()
	}
	e.nextID++
	m.ID = e.nextID
	ch := make(chan answer, 1)
	e.pending[m.ID] = ch
	return ch, nil
}

// drop gives up on an answer. One that has just come is closed.
func (e *Engine) drop(id uint64) {
	e.mu.Lock()
	ch := e.pending[id]
	delete(e.pending, id)
	e.mu.Unlock()
	if ch == nil {
		return
	}
	select {
	case a := <-ch:
		ipc.CloseAll(a.files)
	default:
	}
}

// read hands answers and events out until the launcher is gone.
func (e *Engine) read() {
	for {
		m, files, err := e.conn.Recv()
		if err != nil {
			e.lose()
			return
		}
		e.mu.Lock()
		ch := e.pending[m.ID]
		delete(e.pending, m.ID)
		b := e.boxes[m.Sandbox]
		e.mu.Unlock()
		switch {
		case ch != nil:
			ch <- answer{m, files}
		case m.ID == 0 && b != nil:
			b.event(m, files)
		default:
			ipc.CloseAll(files)
		}
	}
}

// lose ends everything that depended on the launcher.
func (e *Engine) lose() {
	e.mu.Lock()
	if e.gone {
		e.mu.Unlock()
		return
	}
	e.gone = true
	boxes := e.boxes
	if e.closing {
		boxes = nil // they go on without this server
	}
	e.boxes = map[string]*box{}
	closing := e.closing
	e.mu.Unlock()
	close(e.lost)
	if !closing {
		go e.dropLinks()
	}
	for _, b := range boxes {
		b.lost()
	}
}

// disconnect closes the connection; read then notices.
func (e *Engine) disconnect() {
	_ = e.conn.Close()
	<-e.lost
}

func errLost() error {
	return sunya.Errorf(sunya.Unavailable, "", "the sandbox launcher is gone: restart the server")
}

func (a answer) err() error {
	if a.m.Error == nil {
		return nil
	}
	ipc.CloseAll(a.files)
	return sunya.Errorf(sunya.Code(a.m.Error.Code), "", "%s", a.m.Error.Message)
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
