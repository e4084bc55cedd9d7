package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

var _ objects.Store = (*DB)(nil)

const selectBuckets = `SELECT name, project, location, metageneration, create_time, update_time, rules, document, policy FROM buckets `

func scanBucket(r row) (*objects.Bucket, error) {
	var (
		b                objects.Bucket
		created, updated int64
		rules            []byte
	)
	if err := r.Scan(&b.Name, &b.Project, &b.Location, &b.Metageneration, &created, &updated, &rules, &b.Document, &b.Policy); err != nil {
		return nil, err
	}
	b.CreateTime, b.UpdateTime = moment(created), moment(updated)
	if err := json.Unmarshal(rules, &b.Rules); err != nil {
		return nil, fmt.Errorf("read stored rules of %s: %w", b.Name, err)
	}
	return &b, nil
}

// CreateBucket implements objects.Store.
func (db *DB) CreateBucket(ctx context.Context, b *objects.Bucket) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rules, err := json.Marshal(b.Rules)
		if err != nil {
			return fmt.Errorf("create bucket: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO buckets (name, project, location, metageneration, create_time, update_time, rules, document, policy)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			b.Name, b.Project, b.Location, b.Metageneration, nanos(b.CreateTime), nanos(b.UpdateTime), string(rules), b.Document, b.Policy)
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
		rules, err := json.Marshal(b.Rules)
		if err != nil {
			return fmt.Errorf("update bucket: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE buckets SET location = ?, metageneration = ?, update_time = ?, rules = ?, document = ?, policy = ? WHERE name = ?`,
			b.Location, b.Metageneration, nanos(b.UpdateTime), string(rules), b.Document, b.Policy, name)
		return err
	})
}

// DeleteBucket implements objects.Store.
func (db *DB) DeleteBucket(ctx context.Context, name string, cond func(*objects.Bucket) error) (free []string, err error) {
	err = db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		b, err := getBucket(ctx, tx, name)
		if err != nil {
			return err
		}
		if cond != nil {
			if err := cond(b); err != nil {
				return err
			}
		}
		blobs, err := dropSoftDeleted(ctx, tx, name)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM buckets WHERE name = ?", name)
		if missingParent(err) {
			return sunya.Errorf(sunya.FailedPrecondition, name, "the bucket is not empty: delete its objects first")
		}
		if err != nil {
			return fmt.Errorf("delete bucket %s: %w", name, err)
		}
		free, err = unusedBlobs(ctx, tx, blobs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return free, nil
}

// dropSoftDeleted removes what of a bucket is deleted already and returns its
// blobs.
func dropSoftDeleted(ctx context.Context, tx *sql.Tx, bucket string) ([]string, error) {
	scan := func(r row) (*string, error) {
		var blob string
		return &blob, r.Scan(&blob)
	}
	blobs, err := list(ctx, tx, scan, "SELECT blob FROM object_versions WHERE bucket = ? AND hard_time > 0", bucket)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM object_versions WHERE bucket = ? AND hard_time > 0", bucket)
	return blobs, err
}

// unusedBlobs are those that nothing has, but for the rows, which it removes.
func unusedBlobs(ctx context.Context, tx *sql.Tx, blobs []string) (free []string, err error) {
	for _, blob := range blobs {
		used, err := blobInUse(ctx, tx, blob)
		if err != nil {
			return nil, err
		}
		if used {
			continue
		}
		if _, ok := objects.RowID(blob); !ok {
			free = append(free, blob)
		} else if err := dropBytes(ctx, tx, blob); err != nil {
			return nil, err
		}
	}
	return free, nil
}
