package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

var _ functions.Store = (*DB)(nil)

// GetFunction implements functions.Store.
func (db *DB) GetFunction(ctx context.Context, k functions.Key) (*functions.Function, error) {
	return getFunction(ctx, db.read, k)
}

func getFunction(ctx context.Context, q querier, k functions.Key) (*functions.Function, error) {
	f, err := scanDocument[functions.Function](q.QueryRowContext(ctx,
		"SELECT document FROM functions WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID))
	if err != nil {
		return nil, notFound(err, k.Name(), "the function")
	}
	return f, nil
}

// ListFunctions implements functions.Store.
func (db *DB) ListFunctions(ctx context.Context, project, location, after string, limit int) ([]functions.Function, error) {
	afterLocation, afterID, _ := strings.Cut(after, "/")
	return list(ctx, db.read, scanDocument[functions.Function], `SELECT document FROM functions
		WHERE project = ? AND (? = '' OR location = ?) AND (location, id) > (?, ?) ORDER BY location, id LIMIT ?`,
		project, location, location, afterLocation, afterID, limitOf(limit))
}

// BeginFunctionDeploy implements functions.Store.
func (db *DB) BeginFunctionDeploy(ctx context.Context, f *functions.Function, op *sunya.Operation, d *sunya.Deployment) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := functionIsFree(ctx, tx, f.Key); err != nil {
			return err
		}
		old, err := getFunction(ctx, tx, f.Key)
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		if err == nil && old.Deployment != "" && old.Deployment != d.ID {
			return sunya.Errorf(sunya.Aborted, f.Name(), "the function is being deployed already: wait for that deployment to end")
		}
		if err := putFunction(ctx, tx, f); err != nil {
			return err
		}
		if err := putOperation(ctx, tx, op); err != nil {
			return err
		}
		return putDeployment(ctx, tx, d)
	})
}

// PutFunction implements functions.Store.
func (db *DB) PutFunction(ctx context.Context, f *functions.Function) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error { return putFunction(ctx, tx, f) })
}

func putFunction(ctx context.Context, tx *sql.Tx, f *functions.Function) error {
	document, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("put %s: %w", f.Name(), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO functions (project, location, id, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (project, location, id) DO UPDATE SET document = excluded.document`,
		f.Project, f.Location, f.ID, document)
	if err != nil {
		return fmt.Errorf("put %s: %w", f.Name(), err)
	}
	return nil
}

// DeleteFunction implements functions.Store.
func (db *DB) DeleteFunction(ctx context.Context, k functions.Key) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM functions WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID)
		return err
	})
}
