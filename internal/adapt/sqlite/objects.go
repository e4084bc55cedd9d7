package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

const selectObjects = `SELECT bucket, name, generation, metageneration, size, content_type, crc32c, md5, blob, metadata,
	create_time, update_time, document FROM objects `

func scanObject(r row) (*objects.Object, error) {
	var (
		o                objects.Object
		metadata         []byte
		created, updated int64
	)
	err := r.Scan(&o.Bucket, &o.Name, &o.Generation, &o.Metageneration, &o.Size, &o.ContentType, &o.CRC32C, &o.MD5, &o.Blob,
		&metadata, &created, &updated, &o.Document)
	if err != nil {
		return nil, err
	}
	o.CreateTime, o.UpdateTime = moment(created), moment(updated)
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &o.Metadata); err != nil {
			return nil, fmt.Errorf("read stored metadata of %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	return &o, nil
}

// GetObject implements objects.Store.
func (db *DB) GetObject(ctx context.Context, bucket, name string) (*objects.Object, error) {
	return getObject(ctx, db.read, bucket, name)
}

func getObject(ctx context.Context, q querier, bucket, name string) (*objects.Object, error) {
	o, err := scanObject(q.QueryRowContext(ctx, selectObjects+"WHERE bucket = ? AND name = ?", bucket, name))
	if err != nil {
		return nil, notFound(err, bucket+"/"+name, "the object")
	}
	return o, nil
}

// liveObject returns the object, nil when there is none.
func liveObject(ctx context.Context, tx *sql.Tx, bucket, name string) (*objects.Object, error) {
	o, err := getObject(ctx, tx, bucket, name)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return o, err
}

// ListObjects implements objects.Store.
func (db *DB) ListObjects(ctx context.Context, bucket, prefix, start string, limit int) ([]objects.Object, error) {
	found, err := list(ctx, db.read, scanObject, selectObjects+`
		WHERE bucket = ?1 AND name >= ?2 AND (?3 = '' OR name < ?3)
		ORDER BY name LIMIT ?4`, bucket, max(prefix, start), endOfPrefix(prefix), limitOf(limit))
	if err != nil || len(found) > 0 {
		return found, err
	}
	_, err = db.GetBucket(ctx, bucket)
	return nil, err
}

// PutObject implements objects.Store.
func (db *DB) PutObject(ctx context.Context, o *objects.Object, cond func(live *objects.Object) error) (oldBlob string, err error) {
	err = db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		oldBlob, err = replaceObject(ctx, tx, o, cond)
		return err
	})
	if err != nil {
		return "", err
	}
	return oldBlob, nil
}

// replaceObject makes o live if cond holds, and returns the blob that nobody
// needs any more.
func replaceObject(ctx context.Context, tx *sql.Tx, o *objects.Object, cond func(*objects.Object) error) (oldBlob string, err error) {
	live, err := liveObject(ctx, tx, o.Bucket, o.Name)
	if err != nil {
		return "", err
	}
	if cond != nil {
		if err := cond(live); err != nil {
			return "", err
		}
	}
	if err := writeObject(ctx, tx, o); err != nil {
		return "", err
	}
	if live == nil || live.Blob == o.Blob {
		return "", nil
	}
	return live.Blob, nil
}

func writeObject(ctx context.Context, tx *sql.Tx, o *objects.Object) error {
	var metadata []byte
	if len(o.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(o.Metadata); err != nil {
			return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO objects (bucket, name, generation, metageneration, size, content_type, crc32c, md5,
			blob, metadata, create_time, update_time, document)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket, name) DO UPDATE SET generation = excluded.generation, metageneration = excluded.metageneration,
			size = excluded.size, content_type = excluded.content_type, crc32c = excluded.crc32c, md5 = excluded.md5,
			blob = excluded.blob, metadata = excluded.metadata, create_time = excluded.create_time,
			update_time = excluded.update_time, document = excluded.document`,
		o.Bucket, o.Name, o.Generation, o.Metageneration, o.Size, o.ContentType, o.CRC32C, o.MD5,
		o.Blob, metadata, nanos(o.CreateTime), nanos(o.UpdateTime), o.Document)
	if missingParent(err) {
		return sunya.Errorf(sunya.NotFound, o.Bucket, "the bucket does not exist")
	}
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Name, err)
	}
	return nil
}

// DeleteObject implements objects.Store.
func (db *DB) DeleteObject(ctx context.Context, bucket, name string, cond func(live *objects.Object) error) (oldBlob string, err error) {
	err = db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		live, err := getObject(ctx, tx, bucket, name)
		if err != nil {
			return err
		}
		if cond != nil {
			if err := cond(live); err != nil {
				return err
			}
		}
		oldBlob = live.Blob
		_, err = tx.ExecContext(ctx, "DELETE FROM objects WHERE bucket = ? AND name = ?", bucket, name)
		return err
	})
	if err != nil {
		return "", err
	}
	return oldBlob, nil
}

// BlobInUse implements objects.Store.
func (db *DB) BlobInUse(ctx context.Context, blob string) (bool, error) {
	var used bool
	err := db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM objects WHERE blob = ?1)
		OR EXISTS (SELECT 1 FROM upload_chunks WHERE blob = ?1)`, blob).Scan(&used)
	return used, explain(err)
}

// UsedBytes implements objects.Store.
func (db *DB) UsedBytes(ctx context.Context) (int64, error) {
	var n int64
	err := db.read.QueryRowContext(ctx, "SELECT bytes FROM object_usage").Scan(&n)
	return n, explain(err)
}
