package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// CreateUpload implements objects.UploadStore.
func (db *DB) CreateUpload(ctx context.Context, u *objects.Upload) error {
	document, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("create upload: %w", err)
	}
	return db.updateLasting(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO uploads (id, create_time, generation, document) VALUES (?, ?, 0, ?)",
			u.ID, nanos(u.CreateTime), document)
		return err
	})
}

// GetUpload implements objects.UploadStore.
func (db *DB) GetUpload(ctx context.Context, id string) (*objects.Upload, error) {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("get upload: %w", explain(err))
	}
	defer rollback(tx)
	return getUpload(ctx, tx, id)
}

func getUpload(ctx context.Context, q querier, id string) (*objects.Upload, error) {
	var (
		document   []byte
		generation int64
	)
	err := q.QueryRowContext(ctx, "SELECT document, generation FROM uploads WHERE id = ?", id).Scan(&document, &generation)
	if err != nil {
		return nil, notFound(err, id, "the upload")
	}
	u, err := decode[objects.Upload](document)
	if err != nil {
		return nil, err
	}
	u.Generation = generation
	u.Chunks, err = list(ctx, q, scanChunk, "SELECT start, size, blob, crc32c, md5 FROM upload_chunks WHERE upload = ? ORDER BY start", id)
	return u, err
}

func scanChunk(r row) (*objects.Chunk, error) {
	var c objects.Chunk
	return &c, r.Scan(&c.Start, &c.Size, &c.Blob, &c.CRC32C, &c.MD5)
}

// AddChunk implements objects.UploadStore.
func (db *DB) AddChunk(ctx context.Context, id string, c objects.Chunk) error {
	return db.updateLasting(ctx, func(ctx context.Context, tx *sql.Tx) error {
		u, err := getUpload(ctx, tx, id)
		if err != nil {
			return err
		}
		if u.Generation != 0 || u.Received() != c.Start {
			return concurrentUpload(id)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO upload_chunks (upload, start, size, blob, crc32c, md5) VALUES (?, ?, ?, ?, ?, ?)",
			id, c.Start, c.Size, c.Blob, c.CRC32C, c.MD5)
		return err
	})
}

// PutPart implements objects.UploadStore.
func (db *DB) PutPart(ctx context.Context, id string, c objects.Chunk) (oldBlob string, err error) {
	err = db.updateLasting(ctx, func(ctx context.Context, tx *sql.Tx) error {
		u, err := getUpload(ctx, tx, id)
		if err != nil {
			return err
		}
		if u.Generation != 0 {
			return concurrentUpload(id)
		}
		oldBlob = ""
		for i := range u.Chunks {
			if u.Chunks[i].Start == c.Start {
				oldBlob = u.Chunks[i].Blob
			}
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM upload_chunks WHERE upload = ? AND start = ?", id, c.Start); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO upload_chunks (upload, start, size, blob, crc32c, md5) VALUES (?, ?, ?, ?, ?, ?)",
			id, c.Start, c.Size, c.Blob, c.CRC32C, c.MD5)
		return err
	})
	if err != nil {
		return "", err
	}
	return oldBlob, nil
}

// PartUploads implements objects.UploadStore. There is no index for what is asked
// for so rarely.
func (db *DB) PartUploads(ctx context.Context, bucket, prefix string, limit int) ([]objects.Upload, error) {
	return list(ctx, db.read, scanDocument[objects.Upload], `SELECT document FROM uploads
		WHERE generation = 0 AND document ->> '$.Multipart' AND document ->> '$.Object.Bucket' = ?1
		AND substr(document ->> '$.Object.Name', 1, length(?2)) = ?2
		ORDER BY document ->> '$.Object.Name', create_time LIMIT ?3`, bucket, prefix, limitOf(limit))
}

func concurrentUpload(id string) error {
	return sunya.Errorf(sunya.Aborted, id, "another request continued the upload: ask how far it is")
}

// DeleteUpload implements objects.UploadStore.
func (db *DB) DeleteUpload(ctx context.Context, id string) (free []string, err error) {
	err = db.updateLasting(ctx, func(ctx context.Context, tx *sql.Tx) error {
		u, err := getUpload(ctx, tx, id)
		if err != nil {
			return err
		}
		free = nil
		for _, c := range u.Chunks {
			free = append(free, c.Blob)
		}
		// The chunks go first and by name: deletes that a foreign key causes
		// fire triggers too, but this does not depend on it.
		if _, err := tx.ExecContext(ctx, "DELETE FROM upload_chunks WHERE upload = ?", id); err != nil {
			return fmt.Errorf("delete upload: %w", err)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM uploads WHERE id = ?", id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return free, nil
}

// OldUploads implements objects.UploadStore.
func (db *DB) OldUploads(ctx context.Context, t time.Time, limit int) ([]string, error) {
	scan := func(r row) (*string, error) {
		var id string
		return &id, r.Scan(&id)
	}
	return list(ctx, db.read, scan, "SELECT id FROM uploads WHERE create_time < ? ORDER BY create_time LIMIT ?", nanos(t), limitOf(limit))
}
