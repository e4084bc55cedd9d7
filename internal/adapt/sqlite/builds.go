package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
)

var _ cloudbuild.Store = (*DB)(nil)

// BeginBuild implements cloudbuild.Store.
func (db *DB) BeginBuild(ctx context.Context, b *cloudbuild.Build, op *sunya.Operation) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := putBuild(ctx, tx, b); err != nil {
			return err
		}
		return putOperation(ctx, tx, op)
	})
}

// GetBuild implements cloudbuild.Store.
func (db *DB) GetBuild(ctx context.Context, project, id string) (*cloudbuild.Build, error) {
	return getBuild(ctx, db.read, project, id)
}

func getBuild(ctx context.Context, q querier, project, id string) (*cloudbuild.Build, error) {
	b, err := scanDocument[cloudbuild.Build](q.QueryRowContext(ctx, "SELECT document FROM builds WHERE project = ? AND id = ?", project, id))
	if err != nil {
		return nil, notFound(err, "projects/"+project+"/builds/"+id, "the build")
	}
	return b, nil
}

// ListBuilds implements cloudbuild.Store.
func (db *DB) ListBuilds(ctx context.Context, project, location, after string, limit int) ([]cloudbuild.Build, error) {
	if after == "" {
		return list(ctx, db.read, scanDocument[cloudbuild.Build], `SELECT document FROM builds
			WHERE project = ?1 AND (?2 = '' OR location = ?2) ORDER BY create_time DESC, id DESC LIMIT ?3`, project, location, limitOf(limit))
	}
	return list(ctx, db.read, scanDocument[cloudbuild.Build], `SELECT document FROM builds
		WHERE project = ?1 AND (?2 = '' OR location = ?2)
		AND (create_time, id) < (SELECT create_time, id FROM builds WHERE project = ?1 AND id = ?3)
		ORDER BY create_time DESC, id DESC LIMIT ?4`, project, location, after, limitOf(limit))
}

// UpdateBuild implements cloudbuild.Store.
func (db *DB) UpdateBuild(ctx context.Context, project, id string, change func(*cloudbuild.Build) error, op func(*cloudbuild.Build, *sunya.Operation)) (b *cloudbuild.Build, err error) {
	err = db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if b, err = getBuild(ctx, tx, project, id); err != nil {
			return err
		}
		if err := change(b); err != nil {
			return err
		}
		if err := putBuild(ctx, tx, b); err != nil || op == nil {
			return err
		}
		o, err := getOperation(ctx, tx, b.Operation)
		if sunya.CodeOf(err) == sunya.NotFound {
			return nil // operations are forgotten in time
		}
		if err != nil {
			return err
		}
		op(b, o)
		return putOperation(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// UnfinishedBuilds implements cloudbuild.Store.
func (db *DB) UnfinishedBuilds(ctx context.Context) ([]cloudbuild.Build, error) {
	return list(ctx, db.read, scanDocument[cloudbuild.Build], "SELECT document FROM builds WHERE done = 0 ORDER BY create_time, id")
}

func putBuild(ctx context.Context, tx *sql.Tx, b *cloudbuild.Build) error {
	document, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("put %s: %w", b.Name(), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO builds (project, id, location, create_time, done, document) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, id) DO UPDATE SET done = excluded.done, document = excluded.document`,
		b.Project, b.ID, b.Location, nanos(b.CreateTime), b.Status.Done(), document)
	if err != nil {
		return fmt.Errorf("put %s: %w", b.Name(), err)
	}
	return nil
}
