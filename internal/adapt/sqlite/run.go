package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

var _ run.Store = (*DB)(nil)

// GetRunService implements run.Store.
func (db *DB) GetRunService(ctx context.Context, k run.Key) (*run.Service, error) {
	return getRunService(ctx, db.read, k)
}

func getRunService(ctx context.Context, q querier, k run.Key) (*run.Service, error) {
	s, err := scanDocument[run.Service](q.QueryRowContext(ctx,
		"SELECT document FROM run_services WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID))
	if err != nil {
		return nil, notFound(err, k.Name(), "the service")
	}
	return s, nil
}

// ListRunServices implements run.Store.
func (db *DB) ListRunServices(ctx context.Context, project, location, after string, limit int) ([]run.Service, error) {
	afterLocation, afterID, _ := strings.Cut(after, "/")
	return list(ctx, db.read, scanDocument[run.Service], `SELECT document FROM run_services
		WHERE project = ? AND (? = '' OR location = ?) AND (location, id) > (?, ?) ORDER BY location, id LIMIT ?`,
		project, location, location, afterLocation, afterID, limitOf(limit))
}

// GetRunRevision implements run.Store.
func (db *DB) GetRunRevision(ctx context.Context, k run.Key, id string) (*run.Revision, error) {
	r, err := scanDocument[run.Revision](db.read.QueryRowContext(ctx,
		"SELECT document FROM run_revisions WHERE project = ? AND location = ? AND service = ? AND id = ?", k.Project, k.Location, k.ID, id))
	if err != nil {
		return nil, notFound(err, k.RevisionName(id), "the revision")
	}
	return r, nil
}

// ListRunRevisions implements run.Store.
func (db *DB) ListRunRevisions(ctx context.Context, k run.Key, after run.Cursor, limit int) ([]run.Revision, error) {
	return list(ctx, db.read, scanDocument[run.Revision], `SELECT document FROM run_revisions
		WHERE project = ? AND location = ? AND (? = '' OR service = ?) AND (? = '' OR (create_time, id) < (?, ?))
		ORDER BY create_time DESC, id DESC LIMIT ?`,
		k.Project, k.Location, k.ID, k.ID, after.ID, nanos(after.Time), after.ID, limitOf(limit))
}

// PutRun implements run.Store.
func (db *DB) PutRun(ctx context.Context, w run.Write) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := deleteRun(ctx, tx, w); err != nil {
			return err
		}
		return putRun(ctx, tx, w)
	})
}

func deleteRun(ctx context.Context, tx *sql.Tx, w run.Write) error {
	if k := w.Delete; k != nil {
		if err := runIsFree(ctx, tx, *k, ""); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM run_services WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID)
		if err != nil {
			return fmt.Errorf("delete %s: %w", k.Name(), err)
		}
	}
	for _, id := range w.DeleteRevisions {
		k := w.Service.Key
		_, err := tx.ExecContext(ctx, "DELETE FROM run_revisions WHERE project = ? AND location = ? AND service = ? AND id = ?",
			k.Project, k.Location, k.ID, id)
		if err != nil {
			return fmt.Errorf("delete %s: %w", k.RevisionName(id), err)
		}
	}
	return nil
}

func putRun(ctx context.Context, tx *sql.Tx, w run.Write) error {
	if w.Service != nil {
		if err := putRunService(ctx, tx, w.Service); err != nil {
			return err
		}
	}
	if w.Revision != nil {
		if err := putRunRevision(ctx, tx, w.Revision); err != nil {
			return err
		}
	}
	if w.Operation != nil {
		if err := putOperation(ctx, tx, w.Operation); err != nil {
			return err
		}
	}
	if w.Deployment != nil {
		return putDeployment(ctx, tx, w.Deployment)
	}
	return nil
}

// runIsFree reports whether a service has no deployment in progress but the
// given one, and its name no function.
func runIsFree(ctx context.Context, tx *sql.Tx, k run.Key, deployment string) error {
	old, err := getRunService(ctx, tx, k)
	switch {
	case sunya.CodeOf(err) == sunya.NotFound:
	case err != nil:
		return err
	case old.Deployment != "" && deployment != "" && old.Deployment != deployment:
		return sunya.Errorf(sunya.Aborted, k.Name(), "the service is being deployed already: wait for that deployment to end")
	}
	_, err = getFunction(ctx, tx, functions.Key(k))
	switch {
	case sunya.CodeOf(err) == sunya.NotFound:
		return nil
	case err != nil:
		return err
	}
	return sunya.Errorf(sunya.AlreadyExists, k.Name(), "a function has this name, and functions are services of Cloud Run: choose another name, or delete the function")
}

func putRunService(ctx context.Context, tx *sql.Tx, s *run.Service) error {
	if err := runIsFree(ctx, tx, s.Key, s.Deployment); err != nil {
		return err
	}
	document, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Name(), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_services (project, location, id, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (project, location, id) DO UPDATE SET document = excluded.document`,
		s.Project, s.Location, s.ID, document)
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Name(), err)
	}
	return nil
}

func putRunRevision(ctx context.Context, tx *sql.Tx, r *run.Revision) error {
	document, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("put %s: %w", r.Name(), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_revisions (project, location, service, id, create_time, document) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, location, service, id) DO UPDATE SET document = excluded.document`,
		r.Service.Project, r.Service.Location, r.Service.ID, r.ID, nanos(r.CreateTime), document)
	if missingParent(err) {
		return sunya.Errorf(sunya.FailedPrecondition, r.Name(), "its service does not exist")
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", r.Name(), err)
	}
	return nil
}

// functionIsFree reports whether no service of Cloud Run has a function's name.
func functionIsFree(ctx context.Context, tx *sql.Tx, k functions.Key) error {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM run_services WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID).Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for %s: %w", k.ServiceName(), err)
	}
	return sunya.Errorf(sunya.AlreadyExists, k.Name(), "a service of Cloud Run has this name, and functions are services of Cloud Run: choose another name, or delete the service")
}
