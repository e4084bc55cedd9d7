package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

var _ operations.Store = (*DB)(nil)

// GetOperation implements operations.Store.
func (db *DB) GetOperation(ctx context.Context, name string) (*sunya.Operation, error) {
	return getOperation(ctx, db.read, name)
}

func getOperation(ctx context.Context, q querier, name string) (*sunya.Operation, error) {
	op, err := scanOperation(q.QueryRowContext(ctx, "SELECT document FROM operations WHERE name = ?", name))
	if err != nil {
		return nil, notFound(err, name, "the operation")
	}
	return op, nil
}

func scanOperation(r row) (*sunya.Operation, error) {
	op, err := scanDocument[sunya.Operation](r)
	if err != nil {
		return nil, err
	}
	op.Response = raw(op.Response)
	return op, nil
}

// ListOperations implements operations.Store.
func (db *DB) ListOperations(ctx context.Context, prefix, after string, limit int) ([]sunya.Operation, error) {
	if after == "" {
		return list(ctx, db.read, scanOperation, `SELECT document FROM operations
			WHERE substr(name, 1, length(?1)) = ?1
			ORDER BY create_time DESC, name DESC LIMIT ?2`, prefix, limitOf(limit))
	}
	if _, err := db.GetOperation(ctx, after); err != nil {
		return nil, err
	}
	return list(ctx, db.read, scanOperation, `SELECT document FROM operations
		WHERE substr(name, 1, length(?1)) = ?1
		AND (create_time, name) < (SELECT create_time, name FROM operations WHERE name = ?2)
		ORDER BY create_time DESC, name DESC LIMIT ?3`, prefix, after, limitOf(limit))
}

// PutOperation implements operations.Store.
func (db *DB) PutOperation(ctx context.Context, op *sunya.Operation) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return putOperation(ctx, tx, op)
	})
}

// UpdateOperation implements operations.Store.
func (db *DB) UpdateOperation(ctx context.Context, name string, change func(*sunya.Operation)) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		op, err := getOperation(ctx, tx, name)
		if err != nil {
			return err
		}
		change(op)
		op.Name = name
		return putOperation(ctx, tx, op)
	})
}

func putOperation(ctx context.Context, tx *sql.Tx, op *sunya.Operation) error {
	document, err := json.Marshal(op)
	if err != nil {
		return fmt.Errorf("put %s: %w", op.Name, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO operations (name, create_time, document) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET create_time = excluded.create_time, document = excluded.document`,
		op.Name, nanos(op.CreateTime), document)
	if err != nil {
		return fmt.Errorf("put %s: %w", op.Name, err)
	}
	return nil
}
