package instance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

// waited reports whether a request waits for the instance that is started.
func (r Reason) waited() bool { return r == ColdStart || r == ScaleOut }

// greet makes the requests that come before all others. Its error says why the
// instance cannot serve.
func (i *Instance) greet(ctx context.Context, why Reason) error {
	ctx, cancel := context.WithTimeout(ctx, i.startTimeout())
	defer cancel()
	if c := i.rev.Lifecycle.Start; c.Path != "" {
		if err := i.call(ctx, c); err != nil {
			return err
		}
	}
	if c := i.rev.Lifecycle.WarmUp; c.Path != "" && !why.waited() {
		if err := i.call(ctx, c); err != nil && ended(i.box) {
			return err
		}
	}
	return nil
}

// farewellTimeout bounds the request before SIGTERM.
const farewellTimeout = 10 * time.Second

// farewell makes the last request; what comes of it does not matter.
func (i *Instance) farewell(ctx context.Context) {
	c := i.rev.Lifecycle.Stop
	if c.Path == "" || ended(i.box) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	if err := i.box.Thaw(ctx); err != nil {
		i.m.log.Warn("thaw for the last request", "instance", i.ID(), "err", err)
	}
	// The answer is in the log; the instance ends whatever it is.
	_ = i.call(ctx, c)
}

// answerBytes is how much of an answer to the platform is read.
const answerBytes = 1 << 20

// call makes one of the platform's own requests and logs what came of it. Its
// error is a *sunya.Error.
func (i *Instance) call(ctx context.Context, c sunya.Call) error {
	begin := i.m.now()
	status, err := i.get(ctx, c)
	took := i.m.now().Sub(begin)
	if err == nil && !good(c, status) {
		err = sunya.Errorf(sunya.Unavailable, "", "GET %s answered %d", c.Path, status)
	}
	if err == nil {
		i.m.logCall(i, fmt.Sprintf("GET %s: %d in %d ms", c.Path, status, took.Milliseconds()), took)
		return nil
	}
	err = i.explainCall(ctx, c, err)
	i.m.logCall(i, err.Error(), took)
	return err
}

func (i *Instance) get(ctx context.Context, c sunya.Call) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance"+c.Path, nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	req.Host = c.Host
	for name, value := range c.Header {
		req.Header.Set(name, value)
	}
	resp, err := i.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, answerBytes))
	return resp.StatusCode, err
}

func good(c sunya.Call, status int) bool {
	return status/100 == 2 || slices.Contains(c.Accept, status)
}

// explainCall says why a request of the platform was not answered well.
func (i *Instance) explainCall(ctx context.Context, c sunya.Call, err error) error {
	if sunya.CodeOf(err) == sunya.Unavailable {
		return err
	}
	how := err.Error()
	select {
	case <-i.box.Done():
		how = exitMessage(&i.rev.Container, i.box.Exit())
	case <-time.After(exitNotice):
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			how = "it took too long"
		}
	}
	return &sunya.Error{Code: sunya.Unavailable, Message: fmt.Sprintf("GET %s was not answered: %s", c.Path, how), Err: err}
}
