package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

var _ health.Checker = (*DB)(nil)

// Check implements health.Checker. It reads the whole file.
func (db *DB) Check(ctx context.Context) []health.Check {
	return []health.Check{db.checkIntegrity(ctx), db.checkSchema(ctx), db.checkWritable()}
}

func (db *DB) checkIntegrity(ctx context.Context) health.Check {
	c := health.Check{Name: "state integrity", Status: health.Fail, Fix: "stop the server and restore " + db.path + " from a backup"}
	scan := func(r row) (*string, error) {
		var s string
		return &s, r.Scan(&s)
	}
	found, err := list(ctx, db.read, scan, "PRAGMA integrity_check(10)")
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	if len(found) != 1 || found[0] != "ok" {
		c.Detail = strings.Join(found, "; ")
		return c
	}
	var broken int
	err = db.read.DB.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken)
	if err != nil || broken > 0 {
		c.Detail = fmt.Sprintf("%d records refer to one that is missing (%v)", broken, err)
		return c
	}
	return health.Check{Name: c.Name, Status: health.OK, Detail: db.path + " is intact"}
}

func (db *DB) checkSchema(ctx context.Context) health.Check {
	c := health.Check{Name: "state schema", Status: health.OK}
	p, err := db.provider()
	if err == nil {
		var have, want int64
		have, want, err = p.GetVersions(ctx)
		c.Detail = fmt.Sprintf("version %d of %d", have, want)
		if have != want {
			c.Status, c.Fix = health.Fail, "restart the server with the version of Sunya that the data belongs to"
		}
	}
	if err != nil {
		c.Status, c.Detail = health.Fail, err.Error()
	}
	return c
}

func (db *DB) checkWritable() health.Check {
	if err := db.failed(); err != nil {
		return health.Check{Name: "state writes", Status: health.Fail, Detail: err.Error(), Fix: "check the disk, then restart the server"}
	}
	return health.Check{Name: "state writes", Status: health.OK, Detail: "synced before they are acknowledged"}
}
