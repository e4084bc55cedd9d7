package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
)

var _ jobs.Store = (*DB)(nil)

func scanJob(r row) (*jobs.Job, error) {
	var document []byte
	var uids int
	if err := r.Scan(&document, &uids); err != nil {
		return nil, err
	}
	j, err := decode[jobs.Job](document)
	if err != nil {
		return nil, err
	}
	j.UIDRange = uids
	return j, nil
}

// GetJob implements jobs.Store.
func (db *DB) GetJob(ctx context.Context, k jobs.Key) (*jobs.Job, error) {
	return getJob(ctx, db.read, k)
}

func getJob(ctx context.Context, q querier, k jobs.Key) (*jobs.Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, "SELECT document, uid_range FROM jobs WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID))
	if err != nil {
		return nil, notFound(err, k.Name(), "the job")
	}
	return j, nil
}

// ListJobs implements jobs.Store.
func (db *DB) ListJobs(ctx context.Context, project, location, after string, limit int) ([]jobs.Job, error) {
	afterLocation, afterID, _ := strings.Cut(after, "/")
	return list(ctx, db.read, scanJob, `SELECT document, uid_range FROM jobs
		WHERE (?1 = '' OR project = ?1) AND (?2 = '' OR location = ?2) AND (location, id) > (?3, ?4) ORDER BY location, id LIMIT ?5`,
		project, location, afterLocation, afterID, limitOf(limit))
}

// PreparingJobs implements jobs.Store.
func (db *DB) PreparingJobs(ctx context.Context) ([]jobs.Job, error) {
	return list(ctx, db.read, scanJob, "SELECT document, uid_range FROM jobs WHERE preparing ORDER BY project, location, id")
}

// UpdateJob implements jobs.Store.
func (db *DB) UpdateJob(ctx context.Context, k jobs.Key, f func(now *jobs.Job) (jobs.Change, error)) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := getJob(ctx, tx, k)
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		c, err := f(now)
		if err != nil {
			return err
		}
		return applyJobs(ctx, tx, k, c)
	})
}

// DeleteJob implements jobs.Store.
func (db *DB) DeleteJob(ctx context.Context, k jobs.Key, f func(now *jobs.Job, open []jobs.Execution) (jobs.Change, error)) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := getJob(ctx, tx, k)
		if err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		open, err := list(ctx, tx, scanDocument[jobs.Execution],
			"SELECT document FROM executions WHERE project = ? AND location = ? AND job = ? AND open ORDER BY create_time, id", k.Project, k.Location, k.ID)
		if err != nil {
			return err
		}
		c, err := f(now, open)
		if err != nil {
			return err
		}
		return applyJobs(ctx, tx, k, c)
	})
}

// applyJobs writes what changes of a job.
func applyJobs(ctx context.Context, tx *sql.Tx, k jobs.Key, c jobs.Change) error {
	if c.DeleteJob {
		if _, err := tx.ExecContext(ctx, "DELETE FROM jobs WHERE project = ? AND location = ? AND id = ?", k.Project, k.Location, k.ID); err != nil {
			return fmt.Errorf("delete %s: %w", k.Name(), err)
		}
	}
	for _, id := range c.DeleteExecutions {
		if _, err := tx.ExecContext(ctx, "DELETE FROM executions WHERE project = ? AND location = ? AND job = ? AND id = ?", k.Project, k.Location, k.ID, id); err != nil {
			return fmt.Errorf("delete %s: %w", k.Execution(id).Name(), err)
		}
	}
	if c.Job != nil {
		if err := putJob(ctx, tx, c.Job); err != nil {
			return err
		}
	}
	if err := putExecutions(ctx, tx, c); err != nil {
		return err
	}
	for i := range c.Operations {
		if err := putOperation(ctx, tx, &c.Operations[i]); err != nil {
			return err
		}
	}
	return nil
}

func putJob(ctx context.Context, tx *sql.Tx, j *jobs.Job) error {
	document, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("put %s: %w", j.Name(), err)
	}
	uids, err := uidRange(ctx, tx, j.Project, j.Name())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO jobs (project, location, id, uid_range, preparing, document) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, location, id) DO UPDATE SET preparing = excluded.preparing, document = excluded.document`,
		j.Project, j.Location, j.ID, uids, j.Next != nil, document)
	if err != nil {
		return fmt.Errorf("put %s: %w", j.Name(), err)
	}
	return nil
}

// putExecutions writes the execution of a change, and its tasks.
func putExecutions(ctx context.Context, tx *sql.Tx, c jobs.Change) error {
	e := c.Execution
	if e != nil {
		if err := putExecution(ctx, tx, e); err != nil {
			return err
		}
	}
	if c.NewExecution != nil {
		e = c.NewExecution
		_, err := getExecution(ctx, tx, e.ExecutionKey)
		if err == nil {
			return sunya.Errorf(sunya.AlreadyExists, e.Name(), "the execution exists already")
		}
		if sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		if err := putExecution(ctx, tx, e); err != nil {
			return err
		}
	}
	if len(c.Tasks) == 0 {
		return nil
	}
	if e == nil {
		return errors.New("tasks of no execution")
	}
	return putTasks(ctx, tx, e.ExecutionKey, c.Tasks)
}
