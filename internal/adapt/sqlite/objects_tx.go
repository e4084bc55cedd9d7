package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Change implements objects.Store.
func (db *DB) Change(ctx context.Context, do func(objects.Tx) error) error {
	return db.updateLasting(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// The transaction is bounded as a whole; to watch that in each of its short
		// statements would take goroutines.
		return do(objectTx{context.WithoutCancel(ctx), prepared{tx, db.writes}})
	})
}

// objectTx is an objects.Tx. It has the context of the transaction that it is.
type objectTx struct {
	ctx context.Context
	tx  prepared
}

var _ objects.Tx = objectTx{}

// Bucket implements objects.Tx.
func (t objectTx) Bucket(name string) (*objects.Bucket, error) { return getBucket(t.ctx, t.tx, name) }

// Live implements objects.Tx.
func (t objectTx) Live(bucket, name string) (*objects.Object, error) {
	return t.optional(selectLive+"WHERE bucket = ? AND name = ?", bucket, name)
}

// Version implements objects.Tx.
func (t objectTx) Version(bucket, name string, generation int64) (*objects.Object, error) {
	return t.optional(selectVersions+"WHERE bucket = ? AND name = ? AND generation = ?", bucket, name, generation)
}

func (t objectTx) optional(query, bucket, name string, more ...any) (*objects.Object, error) {
	o, err := oneObject(t.ctx, t.tx, query, bucket, name, more...)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return o, err
}

// Newest implements objects.Tx.
func (t objectTx) Newest(bucket, name string) (int64, error) {
	var n sql.NullInt64
	err := t.tx.QueryRowContext(t.ctx, "SELECT max(generation) FROM object_versions WHERE bucket = ? AND name = ?", bucket, name).Scan(&n)
	return n.Int64, err
}

// PutLive implements objects.Tx.
func (t objectTx) PutLive(o *objects.Object) error {
	return writeObject(t.ctx, t.tx, `INSERT INTO objects (`+objectColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket, name) DO UPDATE SET generation = excluded.generation, metageneration = excluded.metageneration,
			size = excluded.size, content_type = excluded.content_type, crc32c = excluded.crc32c, md5 = excluded.md5,
			blob = excluded.blob, metadata = excluded.metadata, create_time = excluded.create_time,
			update_time = excluded.update_time, properties = excluded.properties, document = excluded.document`, o)
}

// DropLive implements objects.Tx.
func (t objectTx) DropLive(bucket, name string) error {
	_, err := t.tx.ExecContext(t.ctx, "DELETE FROM objects WHERE bucket = ? AND name = ?", bucket, name)
	return err
}

// PutVersion implements objects.Tx.
func (t objectTx) PutVersion(o *objects.Object) error {
	return writeObject(t.ctx, t.tx, `INSERT INTO object_versions (`+objectColumns+`, delete_time, soft_time, hard_time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket, name, generation) DO UPDATE SET metageneration = excluded.metageneration,
			content_type = excluded.content_type, metadata = excluded.metadata, update_time = excluded.update_time,
			properties = excluded.properties, document = excluded.document, delete_time = excluded.delete_time,
			soft_time = excluded.soft_time, hard_time = excluded.hard_time`,
		o, nanos(o.DeleteTime), nanos(o.SoftDeleteTime), nanos(o.HardDeleteTime))
}

// DropVersion implements objects.Tx.
func (t objectTx) DropVersion(bucket, name string, generation int64) error {
	_, err := t.tx.ExecContext(t.ctx, "DELETE FROM object_versions WHERE bucket = ? AND name = ? AND generation = ?", bucket, name, generation)
	return err
}

// EndUpload implements objects.Tx.
func (t objectTx) EndUpload(id string, generation int64) ([]objects.Chunk, error) {
	u, err := getUpload(t.ctx, t.tx, id)
	if err != nil {
		return nil, err
	}
	if u.Generation != 0 {
		return nil, concurrentUpload(id)
	}
	if _, err := t.tx.ExecContext(t.ctx, "DELETE FROM upload_chunks WHERE upload = ?", id); err != nil {
		return nil, fmt.Errorf("finish upload: %w", err)
	}
	if _, err := t.tx.ExecContext(t.ctx, "UPDATE uploads SET generation = ? WHERE id = ?", generation, id); err != nil {
		return nil, fmt.Errorf("finish upload: %w", err)
	}
	return u.Chunks, nil
}

// Notifications implements objects.Tx.
func (t objectTx) Notifications(bucket string) ([]objects.Notification, error) {
	return notifications(t.ctx, t.tx, bucket)
}

// AddNotice implements objects.Tx.
func (t objectTx) AddNotice(n *objects.Notice) error {
	document, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note a change of %s/%s: %w", n.Object.Bucket, n.Object.Name, err)
	}
	_, err = t.tx.ExecContext(t.ctx, "INSERT INTO object_notices (document) VALUES (?)", document)
	return err
}

// PutBytes implements objects.Tx.
func (t objectTx) PutBytes(p []byte) (string, error) {
	res, err := t.tx.ExecContext(t.ctx, "INSERT INTO object_bytes (bytes) VALUES (coalesce(?, x''))", p)
	if err != nil {
		return "", fmt.Errorf("put bytes: %w", err)
	}
	id, err := res.LastInsertId()
	return objects.RowBlob(id), err
}

// DropBytes implements objects.Tx.
func (t objectTx) DropBytes(blob string) error { return dropBytes(t.ctx, t.tx, blob) }

func dropBytes(ctx context.Context, q querier, blob string) error {
	id, _ := objects.RowID(blob)
	_, err := q.ExecContext(ctx, "DELETE FROM object_bytes WHERE id = ?", id)
	return err
}

// BlobInUse implements objects.Tx.
func (t objectTx) BlobInUse(blob string) (bool, error) { return blobInUse(t.ctx, t.tx, blob) }
