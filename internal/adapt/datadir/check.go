package datadir

import (
	"context"
	"os"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

var _ health.Checker = (*Dir)(nil)

// Check implements health.Checker: a directory that was removed or replaced
// under a running server takes with it what is acknowledged from then on.
func (d *Dir) Check(context.Context) []health.Check {
	c := health.Check{Name: "data directory", Status: health.OK, Detail: d.path + " is the one that was opened"}
	held, err := d.lock.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Stat(d.Join("lock")); err == nil && os.SameFile(held, there) {
			return []health.Check{c}
		}
	}
	c.Status, c.Detail = health.Fail, d.path+" was removed or replaced while the server runs: nothing that it writes is kept"
	c.Fix = "stop the server, put " + d.path + " back from a backup, start again"
	return []health.Check{c}
}
