package logdb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"

	"github.com/sunya-cloud/sunya"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the newest migration.
const schemaVersion = 2

// migrate brings one file's schema up to date. The version is read here first:
// most segments have it, and the library would take a damaged table for a
// missing one.
func migrate(ctx context.Context, path string, log *slog.Logger) (err error) {
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	have, err := readVersion(ctx, db)
	if err != nil {
		return fmt.Errorf("read schema version of %s: %w", path, err)
	}
	if have > schemaVersion {
		return sunya.Errorf(sunya.FailedPrecondition, path, "a newer Sunya wrote these logs (schema %d, this program knows %d): use that version, or move the file away", have, schemaVersion)
	}
	if have == schemaVersion {
		return nil
	}
	if err := up(ctx, db, log); err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	return nil
}

// readVersion returns 0 for a new file.
func readVersion(ctx context.Context, db *sql.DB) (version int, err error) {
	var tables int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}

func up(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
