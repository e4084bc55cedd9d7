package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

var _ serving.Store = (*DB)(nil)

// Load implements serving.Store. All three lists are of one moment.
func (db *DB) Load(ctx context.Context) (serving.Snapshot, error) {
	var s serving.Snapshot
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s, fmt.Errorf("load serving state: %w", explain(err))
	}
	defer rollback(tx)
	s.Services, err = list(ctx, tx, scanService, selectServices+" ORDER BY name")
	if err != nil {
		return s, fmt.Errorf("load services: %w", err)
	}
	s.Revisions, err = list(ctx, tx, scanDocument[sunya.Revision], "SELECT document FROM revisions ORDER BY name")
	if err != nil {
		return s, fmt.Errorf("load revisions: %w", err)
	}
	s.Hosts, err = list(ctx, tx, scanHost, "SELECT label, service, COALESCE(revision, '') FROM hosts ORDER BY label")
	if err != nil {
		return s, fmt.Errorf("load hosts: %w", err)
	}
	return s, nil
}

func scanHost(r row) (*sunya.Host, error) {
	var h sunya.Host
	return &h, r.Scan(&h.Label, &h.Service, &h.Revision)
}

// Apply implements serving.Store. Deletions come first, so that one Change can
// move a host from one service to another.
func (db *DB) Apply(ctx context.Context, c serving.Change) error {
	return db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := applyDeletes(ctx, tx, c); err != nil {
			return err
		}
		return applyPuts(ctx, tx, c)
	})
}

func applyDeletes(ctx context.Context, tx *sql.Tx, c serving.Change) error {
	deletes := []struct {
		query string
		keys  []string
	}{
		{"DELETE FROM hosts WHERE label = ?", c.DeleteHosts},
		{"DELETE FROM revisions WHERE name = ?", c.DeleteRevisions},
		{"DELETE FROM services WHERE name = ?", c.DeleteServices},
	}
	for _, d := range deletes {
		for _, key := range d.keys {
			if _, err := tx.ExecContext(ctx, d.query, key); err != nil {
				return fmt.Errorf("delete %s: %w", key, err)
			}
		}
	}
	return nil
}

func applyPuts(ctx context.Context, tx *sql.Tx, c serving.Change) error {
	for i := range c.PutServices {
		if err := putService(ctx, tx, &c.PutServices[i]); err != nil {
			return err
		}
	}
	for i := range c.PutRevisions {
		if err := putRevision(ctx, tx, &c.PutRevisions[i]); err != nil {
			return err
		}
	}
	for i := range c.PutHosts {
		if err := putHost(ctx, tx, &c.PutHosts[i]); err != nil {
			return err
		}
	}
	return nil
}

func putHost(ctx context.Context, tx *sql.Tx, h *sunya.Host) error {
	var owner string
	err := tx.QueryRowContext(ctx, "SELECT service FROM hosts WHERE label = ?", h.Label).Scan(&owner)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("put host %s: %w", h.Label, err)
	}
	if err == nil && owner != h.Service {
		return sunya.Errorf(sunya.AlreadyExists, h.Label, "the host name belongs to %s", owner)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO hosts (label, service, revision) VALUES (?, ?, NULLIF(?, ''))
		ON CONFLICT (label) DO UPDATE SET revision = excluded.revision`, h.Label, h.Service, h.Revision)
	if missingParent(err) {
		return sunya.Errorf(sunya.FailedPrecondition, h.Label, "its service %s or revision %q does not exist", h.Service, h.Revision)
	}
	if err != nil {
		return fmt.Errorf("put host %s: %w", h.Label, err)
	}
	return nil
}
