package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
)

var _ deploy.Store = (*DB)(nil)

// Pending implements deploy.Store.
func (db *DB) Pending(ctx context.Context) ([]sunya.Deployment, error) {
	return list(ctx, db.read, scanDeployment, `SELECT document FROM deployments
		WHERE step NOT IN ('done', 'failed') ORDER BY create_time, id`)
}

// GetDeployment implements deploy.Store.
func (db *DB) GetDeployment(ctx context.Context, id string) (*sunya.Deployment, error) {
	d, err := scanDeployment(db.read.QueryRowContext(ctx, "SELECT document FROM deployments WHERE id = ?", id))
	if err != nil {
		return nil, notFound(err, id, "the deployment")
	}
	return d, nil
}

func scanDeployment(r row) (*sunya.Deployment, error) {
	d, err := scanDocument[sunya.Deployment](r)
	if err != nil {
		return nil, err
	}
	d.Document = raw(d.Document)
	return d, nil
}

// PutDeployment implements deploy.Store.
func (db *DB) PutDeployment(ctx context.Context, d *sunya.Deployment) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return putDeployment(ctx, tx, d)
	})
}

func putDeployment(ctx context.Context, tx *sql.Tx, d *sunya.Deployment) error {
	document, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("put deployment %s: %w", d.ID, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO deployments (id, step, create_time, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET step = excluded.step, document = excluded.document`,
		d.ID, d.Step, nanos(d.CreateTime), document)
	if err != nil {
		return fmt.Errorf("put deployment %s: %w", d.ID, err)
	}
	return nil
}
