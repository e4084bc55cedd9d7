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

// GetExecution implements jobs.Store.
func (db *DB) GetExecution(ctx context.Context, k jobs.ExecutionKey) (*jobs.Execution, error) {
	return getExecution(ctx, db.read, k)
}

func getExecution(ctx context.Context, q querier, k jobs.ExecutionKey) (*jobs.Execution, error) {
	e, err := scanDocument[jobs.Execution](q.QueryRowContext(ctx,
		"SELECT document FROM executions WHERE project = ? AND location = ? AND job = ? AND id = ?", k.Project, k.Location, k.ID, k.Execution))
	if err != nil {
		return nil, notFound(err, k.Name(), "the execution")
	}
	return e, nil
}

// ListExecutions implements jobs.Store.
func (db *DB) ListExecutions(ctx context.Context, k jobs.Key, after string, limit int) ([]jobs.Execution, error) {
	const where = `SELECT document FROM executions WHERE project = ?1 AND (?2 = '' OR location = ?2) AND (?3 = '' OR job = ?3)`
	const order = ` ORDER BY create_time DESC, location DESC, job DESC, id DESC LIMIT ?4`
	if after == "" {
		return list(ctx, db.read, scanDocument[jobs.Execution], where+order, k.Project, k.Location, k.ID, limitOf(limit))
	}
	location, rest, _ := strings.Cut(after, "/")
	job, id, _ := strings.Cut(rest, "/")
	var created int64
	err := db.read.QueryRowContext(ctx, "SELECT create_time FROM executions WHERE project = ? AND location = ? AND job = ? AND id = ?", k.Project, location, job, id).Scan(&created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sunya.Invalid("pageToken", "the execution %s where the last page ended is gone: begin again", id)
	}
	if err != nil {
		return nil, explain(err)
	}
	return list(ctx, db.read, scanDocument[jobs.Execution], where+` AND (create_time, location, job, id) < (?5, ?6, ?7, ?8)`+order,
		k.Project, k.Location, k.ID, limitOf(limit), created, location, job, id)
}

// OpenExecutions implements jobs.Store.
func (db *DB) OpenExecutions(ctx context.Context) ([]jobs.ExecutionKey, error) {
	scan := func(r row) (*jobs.ExecutionKey, error) {
		var k jobs.ExecutionKey
		return &k, r.Scan(&k.Project, &k.Location, &k.ID, &k.Execution)
	}
	return list(ctx, db.read, scan, "SELECT project, location, job, id FROM executions WHERE open ORDER BY create_time, id")
}

// OldExecutions implements jobs.Store.
func (db *DB) OldExecutions(ctx context.Context, k jobs.Key, keep int) ([]string, error) {
	scan := func(r row) (*string, error) {
		var id string
		return &id, r.Scan(&id)
	}
	return list(ctx, db.read, scan, `SELECT id FROM (
			SELECT id, open FROM executions WHERE project = ? AND location = ? AND job = ? ORDER BY create_time DESC, id DESC LIMIT -1 OFFSET ?)
		WHERE NOT open`, k.Project, k.Location, k.ID, keep)
}

func putExecution(ctx context.Context, tx *sql.Tx, e *jobs.Execution) error {
	document, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("put %s: %w", e.Name(), err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO executions (project, location, job, id, create_time, open, document) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, location, job, id) DO UPDATE SET open = excluded.open, document = excluded.document`,
		e.Project, e.Location, e.ID, e.Execution, nanos(e.CreateTime), !e.Done(), document)
	if err != nil {
		return fmt.Errorf("put %s: %w", e.Name(), err)
	}
	return nil
}

// GetTask implements jobs.Store.
func (db *DB) GetTask(ctx context.Context, k jobs.ExecutionKey, index int) (*jobs.Task, error) {
	return getTask(ctx, db.read, k, index)
}

func getTask(ctx context.Context, q querier, k jobs.ExecutionKey, index int) (*jobs.Task, error) {
	t, err := scanDocument[jobs.Task](q.QueryRowContext(ctx,
		"SELECT document FROM tasks WHERE project = ? AND location = ? AND job = ? AND execution = ? AND task = ?", k.Project, k.Location, k.ID, k.Execution, index))
	if err != nil {
		return nil, notFound(err, k.TaskName(index), "the task")
	}
	return t, nil
}

// ListTasks implements jobs.Store.
func (db *DB) ListTasks(ctx context.Context, k jobs.ExecutionKey, from, limit int) ([]jobs.Task, error) {
	return list(ctx, db.read, scanDocument[jobs.Task], `SELECT document FROM tasks
		WHERE project = ? AND location = ? AND job = ? AND execution = ? AND task >= ? ORDER BY task LIMIT ?`,
		k.Project, k.Location, k.ID, k.Execution, from, limitOf(limit))
}

// OpenTasks implements jobs.Store.
func (db *DB) OpenTasks(ctx context.Context, k jobs.ExecutionKey) ([]jobs.Task, error) {
	return openTasks(ctx, db.read, k)
}

func openTasks(ctx context.Context, q querier, k jobs.ExecutionKey) ([]jobs.Task, error) {
	return list(ctx, q, scanDocument[jobs.Task], `SELECT document FROM tasks
		WHERE project = ? AND location = ? AND job = ? AND execution = ? AND open ORDER BY task`, k.Project, k.Location, k.ID, k.Execution)
}

func putTasks(ctx context.Context, tx *sql.Tx, k jobs.ExecutionKey, tasks []jobs.Task) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO tasks (project, location, job, execution, task, open, document) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, location, job, execution, task) DO UPDATE SET open = excluded.open, document = excluded.document`)
	if err != nil {
		return fmt.Errorf("put tasks of %s: %w", k.Name(), err)
	}
	defer put.Close()
	for i := range tasks {
		document, err := json.Marshal(&tasks[i])
		if err != nil {
			return fmt.Errorf("put %s: %w", k.TaskName(tasks[i].Index), err)
		}
		_, err = put.ExecContext(ctx, k.Project, k.Location, k.ID, k.Execution, tasks[i].Index, !tasks[i].State.Ended(), document)
		if err != nil {
			return fmt.Errorf("put %s: %w", k.TaskName(tasks[i].Index), err)
		}
	}
	return nil
}

// UpdateExecution implements jobs.Store.
func (db *DB) UpdateExecution(ctx context.Context, k jobs.ExecutionKey, f func(e *jobs.Execution, open []jobs.Task) (jobs.Change, error)) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := getExecution(ctx, tx, k)
		if err != nil {
			return err
		}
		open, err := openTasks(ctx, tx, k)
		if err != nil {
			return err
		}
		c, err := f(e, open)
		if err != nil {
			return err
		}
		return applyJobs(ctx, tx, k.Key, c)
	})
}

// UpdateTask implements jobs.Store.
func (db *DB) UpdateTask(ctx context.Context, k jobs.ExecutionKey, index int, f func(e *jobs.Execution, t *jobs.Task) (jobs.Change, error)) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := getExecution(ctx, tx, k)
		if err != nil {
			return err
		}
		t, err := getTask(ctx, tx, k, index)
		if err != nil {
			return err
		}
		c, err := f(e, t)
		if err != nil {
			return err
		}
		return applyJobs(ctx, tx, k.Key, c)
	})
}
