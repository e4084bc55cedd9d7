package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

var _ eventing.Store = (*DB)(nil)

// PutTrigger implements eventing.Store.
func (db *DB) PutTrigger(ctx context.Context, t *eventing.Trigger) error {
	document, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("put %s: %w", t.Name(), err)
	}
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO triggers (project, location, id, document) VALUES (?, ?, ?, ?)
			ON CONFLICT (project, location, id) DO UPDATE SET document = excluded.document`, t.Project, t.Location, t.ID, document)
		return err
	})
}

// GetTrigger implements eventing.Store.
func (db *DB) GetTrigger(ctx context.Context, k eventing.Key) (*eventing.Trigger, error) {
	t, err := scanDocument[eventing.Trigger](db.read.QueryRowContext(ctx,
		"SELECT document FROM triggers WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID))
	if err != nil {
		return nil, notFound(err, k.Name(), "the trigger")
	}
	return t, nil
}

// ListTriggers implements eventing.Store.
func (db *DB) ListTriggers(ctx context.Context, project, location, after string, limit int) ([]eventing.Trigger, error) {
	if project != "" {
		after = project + "/" + after
	}
	parts := append(strings.SplitN(after, "/", 3), "", "")
	return list(ctx, db.read, scanDocument[eventing.Trigger], `SELECT document FROM triggers
		WHERE (? = '' OR project = ?) AND (? = '' OR location = ?) AND (project, location, id) > (?, ?, ?)
		ORDER BY project, location, id LIMIT ?`,
		project, project, location, location, parts[0], parts[1], parts[2], limitOf(limit))
}

// DeleteTrigger implements eventing.Store.
func (db *DB) DeleteTrigger(ctx context.Context, k eventing.Key) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM triggers WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM trigger_states WHERE trigger = ?", k.Name()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM event_failures WHERE trigger = ?", k.Name())
		return err
	})
}

// SourceState implements eventing.Store.
func (db *DB) SourceState(ctx context.Context, trigger string) ([]byte, error) {
	var state []byte
	err := db.read.QueryRowContext(ctx, "SELECT state FROM trigger_states WHERE trigger = ?", trigger).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return state, explain(err)
}

// PutSourceState implements eventing.Store.
func (db *DB) PutSourceState(ctx context.Context, trigger string, state []byte) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO trigger_states (trigger, state) VALUES (?, ?)
			ON CONFLICT (trigger) DO UPDATE SET state = excluded.state`, trigger, state)
		return err
	})
}

// PutFailure implements eventing.Store.
func (db *DB) PutFailure(ctx context.Context, f *eventing.Failure, keep eventing.Keep) error {
	document, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("put failure of %s: %w", f.Trigger, err)
	}
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO event_failures (trigger, id, last, size, document) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (trigger, id) DO UPDATE SET last = excluded.last, size = excluded.size, document = excluded.document`,
			f.Trigger, f.ID, nanos(f.Last), len(document), document); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM event_failures WHERE trigger = ? AND rowid IN (
			SELECT rowid FROM (
				SELECT rowid, ROW_NUMBER() OVER latest AS n, SUM(size) OVER latest AS bytes FROM event_failures WHERE trigger = ?
				WINDOW latest AS (ORDER BY last DESC, rowid DESC ROWS UNBOUNDED PRECEDING)
			) WHERE n > ? OR bytes > ?)`, f.Trigger, f.Trigger, keep.Events, keep.Bytes)
		return err
	})
}

// GetFailure implements eventing.Store.
func (db *DB) GetFailure(ctx context.Context, trigger, id string) (*eventing.Failure, error) {
	f, err := scanDocument[eventing.Failure](db.read.QueryRowContext(ctx,
		"SELECT document FROM event_failures WHERE trigger = ? AND id = ?", trigger, id))
	if err != nil {
		return nil, notFound(err, id, "the failed event")
	}
	return f, nil
}

// ListFailures implements eventing.Store.
func (db *DB) ListFailures(ctx context.Context, q eventing.FailureQuery) ([]eventing.Failure, error) {
	return list(ctx, db.read, scanDocument[eventing.Failure], `SELECT document FROM event_failures
		WHERE (? = '' OR trigger = ?) AND (? = '' OR id = ?) AND (? = '' OR trigger GLOB ?) ORDER BY last DESC, rowid DESC LIMIT ?`,
		q.Trigger, q.Trigger, q.ID, q.ID, q.Project, "projects/"+q.Project+"/*", limitOf(q.Limit))
}

// DeleteFailure implements eventing.Store.
func (db *DB) DeleteFailure(ctx context.Context, trigger, id string) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM event_failures WHERE trigger = ? AND id = ?", trigger, id)
		return err
	})
}

// ExpireFailures implements eventing.Store.
func (db *DB) ExpireFailures(ctx context.Context, before time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM event_failures WHERE last < ?", nanos(before))
		return err
	})
}
