package linuxns

import (
	"context"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var _ health.Checker = (*Engine)(nil)

// Check implements health.Checker: is the launcher there, does it run what
// this server knows and nothing else, and what isolation is missing.
func (e *Engine) Check(ctx context.Context) []health.Check {
	checks := []health.Check{e.checkLauncher(ctx)}
	isolation := health.Check{
		Name: "isolation", Status: health.OK,
		Detail: fmt.Sprintf("level %s: %s", e.info.Level, strings.Join(e.info.Facts, ", ")),
	}
	if e.info.Level != string(sandbox.Full) {
		isolation.Status = health.Warning
		isolation.Fix = "start the server as root; it gives root up and leaves it to the launcher"
	}
	checks = append(checks, isolation)
	for _, missing := range e.info.Missing {
		name, detail, _ := strings.Cut(missing, ": ")
		checks = append(checks, health.Check{Name: name, Status: health.Warning, Detail: detail})
	}
	return checks
}

func (e *Engine) checkLauncher(ctx context.Context) health.Check {
	c := health.Check{Name: "launcher", Status: health.OK}
	list, _, err := e.call(ctx, &ipc.Message{Verb: ipc.List})
	if err != nil {
		c.Status, c.Detail, c.Fix = health.Fail, err.Error(), "restart the server"
		return c
	}
	orphans := e.unknown(list.Names)
	c.Detail = fmt.Sprintf("process %d, %d sandboxes, %d more ready for a program", e.info.PID, len(list.Names), list.N)
	if len(orphans) > 0 {
		c.Status = health.Warning
		c.Detail += ", of which this server does not know " + strings.Join(orphans, ", ")
		c.Fix = "restart the server"
	}
	return c
}

func (e *Engine) unknown(names []string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var orphans []string
	for _, name := range names {
		if e.boxes[name] == nil {
			orphans = append(orphans, name)
		}
	}
	return orphans
}
