package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/hmackeys"
)

var _ hmackeys.Store = (*DB)(nil)

// PutHMACKey implements hmackeys.Store.
func (db *DB) PutHMACKey(ctx context.Context, k *hmackeys.Key) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error { return putHMACKey(ctx, tx, k) })
}

func putHMACKey(ctx context.Context, tx *sql.Tx, k *hmackeys.Key) error {
	document, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("put HMAC key: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO hmac_keys (access_id, project, account, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (access_id) DO UPDATE SET document = excluded.document`, k.AccessID, k.Project, k.Account, document)
	return err
}

// GetHMACKey implements hmackeys.Store.
func (db *DB) GetHMACKey(ctx context.Context, accessID string) (*hmackeys.Key, error) {
	return getHMACKey(ctx, db.read, accessID)
}

func getHMACKey(ctx context.Context, q querier, accessID string) (*hmackeys.Key, error) {
	k, err := scanDocument[hmackeys.Key](q.QueryRowContext(ctx, "SELECT document FROM hmac_keys WHERE access_id = ?", accessID))
	if err != nil {
		return nil, notFound(err, accessID, "the HMAC key")
	}
	return k, nil
}

// ListHMACKeys implements hmackeys.Store.
func (db *DB) ListHMACKeys(ctx context.Context, project, account, after string, limit int) ([]hmackeys.Key, error) {
	return list(ctx, db.read, scanDocument[hmackeys.Key], `SELECT document FROM hmac_keys
		WHERE project = ?1 AND (?2 = '' OR account = ?2) AND access_id > ?3 ORDER BY access_id LIMIT ?4`,
		project, account, after, limitOf(limit))
}

// UpdateHMACKey implements hmackeys.Store.
func (db *DB) UpdateHMACKey(ctx context.Context, accessID string, change func(*hmackeys.Key) error) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		k, err := getHMACKey(ctx, tx, accessID)
		if err != nil {
			return err
		}
		if err := change(k); err != nil {
			return err
		}
		return putHMACKey(ctx, tx, k)
	})
}

// DeleteHMACKey implements hmackeys.Store.
func (db *DB) DeleteHMACKey(ctx context.Context, accessID string, cond func(*hmackeys.Key) error) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		k, err := getHMACKey(ctx, tx, accessID)
		if err != nil {
			return err
		}
		if err := cond(k); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM hmac_keys WHERE access_id = ?", accessID)
		return err
	})
}
