package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

var _ appengine.Store = (*DB)(nil)

// GetApplication implements appengine.Store.
func (db *DB) GetApplication(ctx context.Context, project string) (*appengine.Application, error) {
	a, err := scanDocument[appengine.Application](db.read.QueryRowContext(ctx, "SELECT document FROM app_applications WHERE project = ?", project))
	if err != nil {
		return nil, notFound(err, "apps/"+project, "the application")
	}
	return a, nil
}

// PutApplication implements appengine.Store.
func (db *DB) PutApplication(ctx context.Context, a *appengine.Application) error {
	document, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("put application %s: %w", a.ID, err)
	}
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO app_applications (project, document) VALUES (?, ?)
			ON CONFLICT (project) DO UPDATE SET document = excluded.document`, a.ID, document)
		return err
	})
}

// GetVersion implements appengine.Store.
func (db *DB) GetVersion(ctx context.Context, k appengine.Key) (*appengine.Version, error) {
	return getVersion(ctx, db.read, k)
}

func getVersion(ctx context.Context, q querier, k appengine.Key) (*appengine.Version, error) {
	v, err := scanDocument[appengine.Version](q.QueryRowContext(ctx,
		"SELECT document FROM app_versions WHERE project = ? AND service = ? AND id = ?", k.Project, k.Service, k.ID))
	if err != nil {
		return nil, notFound(err, versionName(k), "the version")
	}
	return v, nil
}

func versionName(k appengine.Key) string {
	return fmt.Sprintf("apps/%s/services/%s/versions/%s", k.Project, k.Service, k.ID)
}

// ListVersions implements appengine.Store.
func (db *DB) ListVersions(ctx context.Context, project, service, after string, limit int) ([]appengine.Version, error) {
	return list(ctx, db.read, scanDocument[appengine.Version], `SELECT document FROM app_versions
		WHERE project = ? AND service = ? AND id > ? ORDER BY id LIMIT ?`, project, service, after, limitOf(limit))
}

// ListServices implements appengine.Store.
func (db *DB) ListServices(ctx context.Context, project, after string, limit int) ([]string, error) {
	scan := func(r row) (*string, error) {
		var s string
		return &s, r.Scan(&s)
	}
	return list(ctx, db.read, scan, `SELECT DISTINCT service FROM app_versions
		WHERE project = ? AND service > ? ORDER BY service LIMIT ?`, project, after, limitOf(limit))
}

// BeginDeploy implements appengine.Store.
func (db *DB) BeginDeploy(ctx context.Context, v *appengine.Version, op *sunya.Operation, d *sunya.Deployment) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		old, err := getVersion(ctx, tx, v.Key)
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		if err == nil && old.Deployment != "" && old.Deployment != d.ID {
			return sunya.Errorf(sunya.Aborted, versionName(v.Key), "the version is being deployed already: wait for that deployment to end")
		}
		return beginDeploy(ctx, tx, v, op, d)
	})
}

func beginDeploy(ctx context.Context, tx *sql.Tx, v *appengine.Version, op *sunya.Operation, d *sunya.Deployment) error {
	if err := putVersion(ctx, tx, v); err != nil {
		return err
	}
	if err := putOperation(ctx, tx, op); err != nil {
		return err
	}
	return putDeployment(ctx, tx, d)
}

// PutVersion implements appengine.Store.
func (db *DB) PutVersion(ctx context.Context, v *appengine.Version) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return putVersion(ctx, tx, v)
	})
}

func putVersion(ctx context.Context, tx *sql.Tx, v *appengine.Version) error {
	document, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("put %s: %w", versionName(v.Key), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO app_versions (project, service, id, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (project, service, id) DO UPDATE SET document = excluded.document`,
		v.Project, v.Service, v.ID, document)
	if err != nil {
		return fmt.Errorf("put %s: %w", versionName(v.Key), err)
	}
	return nil
}

// DeleteVersion implements appengine.Store.
func (db *DB) DeleteVersion(ctx context.Context, k appengine.Key) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM app_versions WHERE project = ? AND service = ? AND id = ?", k.Project, k.Service, k.ID)
		return err
	})
}
