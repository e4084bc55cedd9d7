package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

var _ objects.Store = (*DB)(nil)

const selectBuckets = `SELECT name, project, location, metageneration, create_time, update_time, document FROM buckets `

func scanBucket(r row) (*objects.Bucket, error) {
	var (
		b                objects.Bucket
		created, updated int64
	)
	err := r.Scan(&b.Name, &b.Project, &b.Location, &b.Metageneration, &created, &updated, &b.Document)
	b.CreateTime, b.UpdateTime = moment(created), moment(updated)
	return &b, err
}

// CreateBucket implements objects.Store.
func (db *DB) CreateBucket(ctx context.Context, b *objects.Bucket) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO buckets (name, project, location, metageneration, create_time, update_time, document)
			VALUES (?, ?, ?, ?, ?, ?, ?)`,
			b.Name, b.Project, b.Location, b.Metageneration, nanos(b.CreateTime), nanos(b.UpdateTime), b.Document)
		if violates(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
			return sunya.Errorf(sunya.AlreadyExists, b.Name, "the bucket exists already: names are unique on the whole server")
		}
		return err
	})
}

// GetBucket implements objects.Store.
func (db *DB) GetBucket(ctx context.Context, name string) (*objects.Bucket, error) {
	return getBucket(ctx, db.read, name)
}

func getBucket(ctx context.Context, q querier, name string) (*objects.Bucket, error) {
	b, err := scanBucket(q.QueryRowContext(ctx, selectBuckets+"WHERE name = ?", name))
	if err != nil {
		return nil, notFound(err, name, "the bucket")
	}
	return b, nil
}

// ListBuckets implements objects.Store.
func (db *DB) ListBuckets(ctx context.Context, project, prefix, after string, limit int) ([]objects.Bucket, error) {
	return list(ctx, db.read, scanBucket, selectBuckets+`
		WHERE (?1 = '' OR project = ?1) AND name > ?2 AND name >= ?3 AND (?4 = '' OR name < ?4)
		ORDER BY name LIMIT ?5`, project, after, prefix, endOfPrefix(prefix), limitOf(limit))
}

// UpdateBucket implements objects.Store.
func (db *DB) UpdateBucket(ctx context.Context, name string, change func(*objects.Bucket) error) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		b, err := getBucket(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := change(b); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE buckets SET location = ?, metageneration = ?, update_time = ?, document = ? WHERE name = ?`,
			b.Location, b.Metageneration, nanos(b.UpdateTime), b.Document, name)
		return err
	})
}

// DeleteBucket implements objects.Store.
func (db *DB) DeleteBucket(ctx context.Context, name string, cond func(*objects.Bucket) error) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		b, err := getBucket(ctx, tx, name)
		if err != nil {
			return err
		}
		if cond != nil {
			if err := cond(b); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM buckets WHERE name = ?", name)
		if missingParent(err) {
			return sunya.Errorf(sunya.FailedPrecondition, name, "the bucket is not empty: delete its objects first")
		}
		if err != nil {
			return fmt.Errorf("delete bucket %s: %w", name, err)
		}
		return nil
	})
}
