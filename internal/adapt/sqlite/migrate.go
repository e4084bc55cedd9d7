package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/sunya-cloud/sunya"
)

//go:embed migrations/*.sql events/*.sql
var migrations embed.FS

// migrate brings the schema up to date, each step in a transaction of its own.
func (db *DB) migrate(ctx context.Context) error {
	p, err := db.provider()
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version of %s: %w", db.path, db.blame(ctx, err))
	}
	if have > want {
		return tooNew(db.path, have, want)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s from version %d to %d: %w", db.path, have, want, db.blame(ctx, err))
	}
	for _, m := range done {
		db.log.Debug("migrated", "version", m.Source.Version, "took", m.Duration)
	}
	return nil
}

// blame names damage where it is the cause: a schema that cannot be read well
// looks like a mistake in a statement.
func (db *DB) blame(ctx context.Context, err error) error {
	err = explain(err)
	if sunya.CodeOf(err) != sunya.Internal {
		return err
	}
	var found string
	if db.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found) == nil && found == "ok" {
		return err
	}
	return &sunya.Error{Code: sunya.DataLoss, Message: "the state database is damaged: restore a backup", Err: err}
}

func tooNew(path string, have, want int64) error {
	return sunya.Errorf(sunya.FailedPrecondition, path,
		"a newer Sunya wrote this database (schema %d, this program knows %d): use that version or restore a backup from before the upgrade", have, want)
}

func (db *DB) provider() (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectSQLite3, db.write, db.steps,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.log))
	return p, errors.Join(err)
}
