package node

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// maxAnswer is how much of a function's answer a call by hand returns, in bytes.
const maxAnswer = 10 << 20

// invoke calls a function through the gateway as any client does, with a token of
// the project's own account.
func (n *Node) invoke(ctx context.Context, f *functions.Function, id string, c functions.Call) (status int, body []byte, err error) {
	target := n.url(f.Host)
	u, err := url.Parse(target + "/")
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", f.Name(), err)
	}
	token, err := n.tokens.IDToken(ctx, identity.IDRequest{Email: sunya.AppAccount(f.Project), Audience: target, IncludeEmail: true})
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", f.Name(), err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(c.Body))
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", f.Name(), err)
	}
	r.Header = c.Header(id)
	r.Header.Set("Authorization", "Bearer "+token)
	r.RemoteAddr = "127.0.0.1:0"
	w := &answer{header: http.Header{}, status: http.StatusOK}
	if err := serveInside(n.serve.gateway, w, r); err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", f.Name(), err)
	}
	return w.status, w.body.Bytes(), nil
}

// serveInside runs a handler here; one that gives up on its response is an error.
func serveInside(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = fmt.Errorf("the answer ended early: %w", http.ErrAbortHandler)
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// answer keeps a response in memory, up to maxAnswer, or the first most bytes of
// it.
type answer struct {
	most   int // 0: all
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.wrote && status >= http.StatusOK {
		a.status, a.wrote = status, true
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.most > 0 {
		a.body.Write(b[:min(len(b), a.most-a.body.Len())])
		return len(b), nil
	}
	if a.body.Len()+len(b) > maxAnswer {
		return 0, fmt.Errorf("the answer has more than %d MB", maxAnswer>>20)
	}
	return a.body.Write(b)
}

// Flush implements http.Flusher.
func (a *answer) Flush() {}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController: nothing
// here waits for a network.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements it.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }
