package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// PutRegistryBlob implements registry.Store.
func (db *DB) PutRegistryBlob(ctx context.Context, repository string, b registry.Blob) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO registry_blobs (repository, digest, size, time) VALUES (?, ?, ?, ?)
			ON CONFLICT (repository, digest) DO UPDATE SET size = excluded.size, time = max(time, excluded.time)`,
			repository, b.Digest, b.Size, nanos(b.Time))
		return err
	})
}

// GetRegistryBlob implements registry.Store.
func (db *DB) GetRegistryBlob(ctx context.Context, repository, digest string) (*registry.Blob, error) {
	return db.blob(ctx, digest, "WHERE repository = ? AND digest = ?", repository, digest)
}

// FindRegistryBlob implements registry.Store.
func (db *DB) FindRegistryBlob(ctx context.Context, project, digest string) (*registry.Blob, error) {
	return db.blob(ctx, digest, `WHERE digest = ?2 AND (?1 = '' OR repository = ?1 OR repository >= ?1 || '/' AND repository < ?1 || '0') LIMIT 1`,
		project, digest)
}

func (db *DB) blob(ctx context.Context, digest, where string, args ...any) (*registry.Blob, error) {
	var b registry.Blob
	var at int64
	err := db.read.QueryRowContext(ctx, "SELECT digest, size, time FROM registry_blobs "+where, args...).Scan(&b.Digest, &b.Size, &at)
	if err != nil {
		return nil, notFound(err, digest, "the blob")
	}
	b.Time = moment(at)
	return &b, nil
}

// DeleteRegistryBlob implements registry.Store.
func (db *DB) DeleteRegistryBlob(ctx context.Context, repository, digest string) error {
	return db.deleteOne(ctx, digest, "the blob", "DELETE FROM registry_blobs WHERE repository = ? AND digest = ?", repository, digest)
}

// needed are the manifests that a collection keeps (registry.Service.Collect).
// ?1 is a JSON list of digests, ?2 and ?3 are the times before which pushed and
// pulled ones may go.
const needed = `WITH RECURSIVE needed (repository, digest) AS (
	SELECT repository, digest FROM registry_tags
	UNION SELECT repository, digest FROM registry_manifests WHERE digest IN (SELECT value FROM json_each(?1))
	UNION SELECT repository, digest FROM registry_manifests WHERE time >= CASE pulled WHEN 1 THEN ?3 ELSE ?2 END
	UNION SELECT c.repository, c.digest FROM needed JOIN registry_contents c ON c.repository = needed.repository AND c.manifest = needed.digest
	UNION SELECT m.repository, m.digest FROM needed JOIN registry_manifests m ON m.repository = needed.repository AND m.subject = needed.digest AND m.subject <> ''
) `

// CollectRegistry implements registry.Store.
func (db *DB) CollectRegistry(ctx context.Context, l registry.Lives) (manifests, blobs int, err error) {
	inUse, err := json.Marshal(append([]string{}, l.InUse...))
	if err != nil {
		return 0, 0, err
	}
	err = db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		manifests, err = affected(tx.ExecContext(ctx, needed+"DELETE FROM registry_manifests WHERE (repository, digest) NOT IN (SELECT repository, digest FROM needed)",
			string(inUse), nanos(l.Pushed), nanos(l.Pulled)))
		if err != nil {
			return fmt.Errorf("delete manifests: %w", err)
		}
		blobs, err = affected(tx.ExecContext(ctx, `DELETE FROM registry_blobs WHERE time < ? AND NOT EXISTS (
			SELECT 1 FROM registry_contents c WHERE c.repository = registry_blobs.repository AND c.digest = registry_blobs.digest)`, nanos(l.Blobs)))
		if err != nil {
			return fmt.Errorf("delete blobs: %w", err)
		}
		return nil
	})
	return manifests, blobs, err
}

func affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}
