package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/registry"
)

var _ registry.Store = (*DB)(nil)

// PutRegistryManifest implements registry.Store.
func (db *DB) PutRegistryManifest(ctx context.Context, m *registry.Manifest, tags []string, check func(registry.Contents) error) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := check(contents{ctx, tx, m.Repository}); err != nil {
			return err
		}
		if err := putManifest(ctx, tx, m); err != nil {
			return fmt.Errorf("put manifest %s: %w", m.Digest, err)
		}
		for _, t := range tags {
			_, err := tx.ExecContext(ctx, `INSERT INTO registry_tags (repository, tag, digest, time) VALUES (?, ?, ?, ?)
				ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest, time = excluded.time`,
				m.Repository, t, m.Digest, nanos(m.Time))
			if err != nil {
				return fmt.Errorf("tag manifest %s: %w", m.Digest, err)
			}
		}
		return nil
	})
}

func putManifest(ctx context.Context, tx *sql.Tx, m *registry.Manifest) error {
	bare := *m
	bare.Body = nil
	document, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO registry_manifests (repository, digest, subject, config_type, pulled, time, document, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET
		subject = excluded.subject, config_type = excluded.config_type, pulled = min(pulled, excluded.pulled),
		time = excluded.time, document = excluded.document`,
		m.Repository, m.Digest, m.Subject, m.ConfigType, m.Pulled, nanos(m.Time), document, m.Body)
	if err != nil {
		return err
	}
	for _, c := range m.Content {
		_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO registry_contents (repository, manifest, digest) VALUES (?, ?, ?)",
			m.Repository, m.Digest, c.Digest)
		if err != nil {
			return err
		}
	}
	return nil
}

// contents implements registry.Contents inside a transaction.
type contents struct {
	ctx        context.Context
	tx         *sql.Tx
	repository string
}

// BlobSize implements registry.Contents.
func (c contents) BlobSize(digest string) (int64, bool, error) {
	return c.size("SELECT size FROM registry_blobs WHERE repository = ? AND digest = ?", digest)
}

// ManifestSize implements registry.Contents.
func (c contents) ManifestSize(digest string) (int64, bool, error) {
	return c.size("SELECT length(body) FROM registry_manifests WHERE repository = ? AND digest = ?", digest)
}

func (c contents) size(query, digest string) (size int64, ok bool, err error) {
	err = c.tx.QueryRowContext(c.ctx, query, c.repository, digest).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return size, err == nil, err
}

const selectManifest = "SELECT document, body FROM registry_manifests "

func scanManifest(r row) (*registry.Manifest, error) {
	var document, body []byte
	if err := r.Scan(&document, &body); err != nil {
		return nil, err
	}
	m, err := decode[registry.Manifest](document)
	if err != nil {
		return nil, err
	}
	m.Body = body
	return m, nil
}

// GetRegistryManifest implements registry.Store.
func (db *DB) GetRegistryManifest(ctx context.Context, repository, version string) (*registry.Manifest, error) {
	where := "WHERE repository = ?1 AND digest = ?2"
	if !strings.Contains(version, ":") {
		where = "WHERE repository = ?1 AND digest = (SELECT digest FROM registry_tags WHERE repository = ?1 AND tag = ?2)"
	}
	m, err := scanManifest(db.read.QueryRowContext(ctx, selectManifest+where, repository, version))
	if err != nil {
		return nil, notFound(err, version, "the manifest")
	}
	return m, nil
}

// DeleteRegistryManifest implements registry.Store.
func (db *DB) DeleteRegistryManifest(ctx context.Context, repository, digest string) error {
	return db.deleteOne(ctx, digest, "the manifest", "DELETE FROM registry_manifests WHERE repository = ? AND digest = ?", repository, digest)
}

// DeleteRegistryTag implements registry.Store.
func (db *DB) DeleteRegistryTag(ctx context.Context, repository, tag string) error {
	return db.deleteOne(ctx, tag, "the tag", "DELETE FROM registry_tags WHERE repository = ? AND tag = ?", repository, tag)
}

// deleteOne deletes the row that a statement names; NotFound when there is none.
func (db *DB) deleteOne(ctx context.Context, resource, kind, query string, args ...any) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("delete %s: %w", resource, err)
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = notFound(sql.ErrNoRows, resource, kind)
		}
		return err
	})
}

// ListRegistryManifests implements registry.Store.
func (db *DB) ListRegistryManifests(ctx context.Context, repository, after string, limit int) ([]registry.Manifest, error) {
	return list(ctx, db.read, scanManifest, selectManifest+"WHERE repository = ? AND digest > ? ORDER BY digest LIMIT ?",
		repository, after, limitOf(limit))
}

// ListReferrers implements registry.Store.
func (db *DB) ListReferrers(ctx context.Context, repository, subject string) ([]registry.Manifest, error) {
	return list(ctx, db.read, scanManifest, selectManifest+"WHERE repository = ? AND subject = ? AND subject <> '' ORDER BY digest",
		repository, subject)
}

// ManifestsOfType implements registry.Store.
func (db *DB) ManifestsOfType(ctx context.Context, config string) ([]registry.Manifest, error) {
	return list(ctx, db.read, scanManifest, selectManifest+"WHERE config_type = ? ORDER BY repository, digest", config)
}

// ListRegistryTags implements registry.Store.
func (db *DB) ListRegistryTags(ctx context.Context, repository, after string, limit int) ([]registry.Tag, error) {
	scan := func(r row) (*registry.Tag, error) {
		var t registry.Tag
		var at int64
		err := r.Scan(&t.Name, &t.Digest, &at)
		t.Time = moment(at)
		return &t, err
	}
	return list(ctx, db.read, scan, "SELECT tag, digest, time FROM registry_tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?",
		repository, after, limitOf(limit))
}

// ListRepositories implements registry.Store.
func (db *DB) ListRepositories(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	scan := func(r row) (*string, error) {
		var name string
		return &name, r.Scan(&name)
	}
	end := endOfPrefix(prefix)
	return list(ctx, db.read, scan, `SELECT repository FROM registry_manifests WHERE repository >= ?1 AND (?2 = '' OR repository < ?2) AND repository > ?3
		UNION SELECT repository FROM registry_blobs WHERE repository >= ?1 AND (?2 = '' OR repository < ?2) AND repository > ?3
		ORDER BY repository LIMIT ?4`, prefix, end, after, limitOf(limit))
}
